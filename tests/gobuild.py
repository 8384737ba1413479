"""Builds Go programs for tests with any toolchain, and remembers the results in ``.cache/gobuild``.

The key is made of the sources (of the folder, not of modules it replaces), the flags, the environment and the
toolchain's version, so a second run builds nothing. The cache can be deleted at any time.
"""

from __future__ import annotations

import fcntl
import functools
import hashlib
import os
import platform
import shutil
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

__all__ = [
    "CACHE",
    "PROGRAMS",
    "SOME_VERSIONS",
    "VERSIONS",
    "build",
    "cached",
    "derived",
    "installed",
    "stripped",
    "without_sections",
]

PROGRAMS = Path(__file__).parent / "go"
CACHE = Path(__file__).parents[1] / ".cache" / "gobuild"

VERSIONS = (
    "1.16.15", "1.17.13", "1.18.10", "1.19.13", "1.20.14", "1.21.13",
    "1.22.12", "1.23.12", "1.24.13", "1.25.5", "1.26.8", "1.27.3",
)  # fmt: skip
"""Every supported Go release line: what ``-m matrix`` runs on."""

SOME_VERSIONS = ("1.17.13", "1.24.13", "1.27.3")
"""What a default run takes: the oldest register ABI, Swiss maps, and sequential type descriptors."""

_TIMEOUT = 900.0


def build(
    source_dir: Path,
    *,
    go: str | None = None,
    ldflags: str = "",
    buildmode: str = "",
    goarch: str = "",
    cgo: bool = False,
    tags: str = "",
    extra_env: Mapping[str, str] | None = None,
    package: str = ".",
    pgo: Path | None = None,
) -> Path:
    """Return an executable built from ``package`` of the module in ``source_dir``.

    ``go`` is a release such as ``"1.21.13"`` (fetched by the go command when it is not there); None is the
    go command's own version. ``extra_env`` goes to the go command (``GOFLAGS``, ``GOAMD64`` …); ``pgo`` is a CPU
    profile that the compiler goes by. A failure raises RuntimeError with the compiler's words.
    """
    release = go or _own_release()
    arguments = ["build"]
    if tuple(int(part) for part in release.split(".")[:2]) >= (1, 18):
        arguments.append("-buildvcs=false")
    if ldflags:
        arguments.append(f"-ldflags={ldflags}")
    if buildmode:
        arguments.append(f"-buildmode={buildmode}")
    if tags:
        arguments.append(f"-tags={tags}")
    if pgo:
        arguments.append(f"-pgo={pgo}")
    settings = {
        "GOENV": "off",
        "GOFLAGS": "",
        "GOTOOLCHAIN": f"go{go}" if go else "local",
        "CGO_ENABLED": "1" if cgo else "0",
        "GOOS": "linux",
        "GOARCH": goarch or {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()],
        **(extra_env or {}),
    }

    def run(output: Path) -> None:
        command = ["go", *arguments, "-o", str(output), package]
        done = subprocess.run(
            command,
            cwd=source_dir,
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"{' '.join(command)} in {source_dir} failed:\n{done.stderr[-4000:]}")

    key = [release, *arguments, package, *(f"{name}={value}" for name, value in sorted(settings.items()))]
    if pgo:
        key.append(hashlib.sha256(pgo.read_bytes()).hexdigest())
    return cached(source_dir.name, [*key, _sources(source_dir)], run)


def installed(package: str, version: str, *, go: str | None = None) -> Path:
    """Return a published command at a version, as ``go install package@version`` builds it (modules from the proxy)."""
    settings = {"GOENV": "off", "GOFLAGS": "", "GOTOOLCHAIN": f"go{go}" if go else "auto", "CGO_ENABLED": "0"}

    def run(output: Path) -> None:
        folder = output.with_suffix(".bin")
        done = subprocess.run(
            ["go", "install", "-buildvcs=false", f"{package}@{version}"],
            env={**os.environ, **settings, "GOBIN": str(folder)},
            capture_output=True,
            text=True,
            timeout=_TIMEOUT,
            check=False,
        )
        if done.returncode:
            raise RuntimeError(f"go install {package}@{version} failed:\n{done.stderr[-4000:]}")
        (made,) = folder.iterdir()
        made.rename(output)
        folder.rmdir()

    return cached(package.rpartition("/")[2], [package, version, go or ""], run)


def stripped(binary: Path) -> Path:
    """Return a copy of ``binary``, built for this machine, without symbols and DWARF: strip(1) makes it."""

    def run(output: Path) -> None:
        subprocess.run(["strip", "-o", str(output), str(binary)], check=True, capture_output=True, timeout=_TIMEOUT)

    return cached(binary.name, ["strip", str(binary)], run)


def without_sections(binary: Path) -> Path:
    """Return a copy of ``binary`` whose ELF header names no section headers."""

    def edit(data: bytearray) -> None:
        data[40:48] = bytes(8)  # e_shoff
        data[60:64] = bytes(4)  # e_shnum, e_shstrndx

    return derived(binary, "without sections", edit)


def derived(binary: Path, what: str, edit: Callable[[bytearray], None]) -> Path:
    """Return a copy of ``binary`` changed in place by ``edit``; ``what`` names the change for the cache."""

    def run(output: Path) -> None:
        data = bytearray(binary.read_bytes())
        edit(data)
        output.write_bytes(data)
        output.chmod(0o755)

    return cached(binary.name, [what, str(binary)], run)


@functools.cache
def _own_release() -> str:
    environment = {**os.environ, "GOENV": "off", "GOTOOLCHAIN": "local"}
    shown = subprocess.run(["go", "env", "GOVERSION"], capture_output=True, text=True, check=True, env=environment)
    return shown.stdout.strip().removeprefix("go")


def _sources(folder: Path) -> str:
    """Return one digest over the names and contents of all files in ``folder``."""
    digest = hashlib.sha256()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        digest.update(f"{path.relative_to(folder)}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()


def cached(name: str, key: list[str], make: Callable[[Path], None]) -> Path:
    """Return the file for ``key``, made on first use; other processes that want it wait."""
    folder = CACHE / hashlib.sha256("\0".join(key).encode()).hexdigest()[:16]
    final = folder / name
    if final.exists():
        return final
    folder.mkdir(parents=True, exist_ok=True)
    with _locked(folder / "lock"):
        if not final.exists():
            unfinished = folder / f"{name}.unfinished"
            make(unfinished)
            shutil.move(unfinished, final)
    return final


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
