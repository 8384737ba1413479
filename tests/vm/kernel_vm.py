"""Another Linux kernel to try things on: qemu without KVM, a stock Debian kernel and one initramfs, nothing else.

There is no disk, no network card and no module in the guest. Debian's own packages are fetched with apt (checked by its
keys) into a folder of their own and unpacked, not installed; a guest's command, its environment and what it needs go
into the initramfs. Its output comes back over a serial line, with its exit status at the end.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import re
import shlex
import shutil
import stat
import subprocess
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

__all__ = ["CHOSEN", "KERNELS", "Ran", "missing", "run_in_vm"]

KERNELS = {
    # bullseye's frozen main suite: an older point release than its security updates, so the harder one to please
    "5.10": ("bullseye", "linux-image-5.10.0-30-cloud-amd64"),
    "6.1": ("bookworm", "linux-image-cloud-amd64"),
    "6.12": ("trixie", "linux-image-cloud-amd64"),
    "newest": ("trixie-backports", "linux-image-cloud-amd64"),
    # the mends of five years; these packages are leaving the mirror, so only when it is asked for
    "5.10-lts": ("bullseye-security", "linux-image-cloud-amd64"),
}
CHOSEN = tuple(os.environ.get("GOINST_VM_KERNELS", ",".join(list(KERNELS)[:-1])).split(","))
_CACHE = Path(__file__).parents[2] / ".cache" / "vm"
_KEYRING = Path("/usr/share/keyrings/debian-archive-keyring.gpg")
_MIRROR = "http://deb.debian.org/debian"
_USERLAND = ("python3-bpfcc", "busybox-static")
_UNUSED = re.compile(
    r"(usr/share/(doc|man|locale|info|perl5?|zoneinfo)|usr/lib/[^/]+/(gconv|perl.*)|var/lib/dpkg"
    r"|usr/lib/python3[^/]*/(test|idlelib|tkinter|lib2to3|ensurepip))(/|$)"
)
_MARK = "\x1eguest exit "
_INIT = f"""#!/bin/busybox sh
B=/bin/busybox
$B mount -t proc proc /proc; $B mount -t sysfs sys /sys; $B mount -t devtmpfs dev /dev 2>/dev/null
$B mount -t tmpfs tmp /tmp; $B mount -t debugfs none /sys/kernel/debug; $B mount -t tracefs none /sys/kernel/tracing
$B mount -t securityfs none /sys/kernel/security; $B mount -t cgroup2 none /sys/fs/cgroup
$B mkdir -p /usr/local/busybox; $B --install -s /usr/local/busybox
export PATH=/usr/sbin:/usr/bin:/usr/local/busybox HOME=/root LANG=C.UTF-8 PYTHONUNBUFFERED=1
$B ip link set lo up; ulimit -l unlimited
[ -e /usr/bin/sh ] || $B ln -s busybox /usr/bin/sh
$B stty -F /dev/ttyS1 raw -echo 115200
exec </dev/null >/dev/ttyS1 2>&1
sh /guest-command; rc=$?
$B printf '\\n{_MARK}%d\\n' $rc
$B stty -F /dev/ttyS1 drain; $B sleep 0.2
$B reboot -f
"""


@dataclass(frozen=True)
class Ran:
    """What a guest said, its exit status (None: it never got there) and the kernel's log."""

    output: str = field(repr=False)
    status: int | None
    log: str = field(repr=False)
    seconds: float

    def result(self) -> Any:
        """What the guest said behind RESULT, of JSON."""
        said = self.output.split("RESULT ", 1)
        assert (self.status, len(said)) == (0, 2), f"{self.output[-3000:]}\n{self.log[-2000:]}"
        return json.loads(said[1].splitlines()[0])


def missing() -> str:
    """What this machine lacks for a guest, in words; empty when nothing."""
    absent = [tool for tool in ("qemu-system-x86_64", "apt-get", "dpkg-deb", "tar") if shutil.which(tool) is None]
    if not _KEYRING.exists():
        absent.append(str(_KEYRING))
    return f"needs {', '.join(absent)} (Debian: qemu-system-x86, debian-archive-keyring)" if absent else ""


def run_in_vm(
    kernel: str,
    command: Sequence[str],
    *,
    add: Mapping[str, Path],
    env: Mapping[str, str] | None = None,
    boot: str = "",
    timeout: float = 900,
) -> Ran:
    """Boot a row of KERNELS with ``add`` (where in the guest, what) and run a command there. ``boot``: more words for
    the kernel's command line. What the guest says behind PROGRESS is logged at once."""
    image, userland = _kernel(kernel), _userland()
    with tempfile.TemporaryDirectory(prefix="kernel-vm-") as folder:
        initrd, console = Path(folder, "initrd"), Path(folder, "console")
        with initrd.open("wb") as file:
            with userland.open("rb") as base:
                shutil.copyfileobj(base, file, 1 << 22)
            archive = _Archive(file)
            for place, source in add.items():
                archive.tree(source, place)
            exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in (env or {}).items())
            archive.file("guest-command", (exports + shlex.join(command) + "\n").encode())
            archive.file("init", _INIT.encode(), 0o755)
            archive.end()
        memory = 2 * (initrd.stat().st_size >> 20) + 1024  # it is unpacked into memory
        began, log = time.monotonic(), logging.getLogger(f"vm.{kernel}")
        log.info("boots: %s %s", shlex.join(command), boot)
        said = []
        with subprocess.Popen(
            [
                # without cmpxchg16b: its emulation (qemu 7.2) spoils the flags in Linux 6.12's allocator
                "qemu-system-x86_64", "-accel", "tcg,thread=multi", "-machine", "pc", "-cpu", "Nehalem,-cx16",
                "-smp", "2", "-m", str(memory), "-nodefaults", "-display", "none", "-no-reboot", "-monitor", "none",
                "-serial", f"file:{console}", "-chardev", "stdio,id=o,signal=off", "-serial", "chardev:o",
                "-kernel", str(image), "-initrd", str(initrd), "-append",
                "console=ttyS0 panic=-1 reboot=t mitigations=off tsc=reliable no_timer_check random.trust_cpu=on"
                f" nmi_watchdog=0 nowatchdog loglevel=7 {boot}",
            ],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, errors="replace",
        ) as machine:  # fmt: skip
            end = threading.Timer(timeout, machine.kill)
            end.start()
            try:
                assert machine.stdout is not None
                for line in machine.stdout:
                    said.append(line)
                    if line.startswith("PROGRESS "):
                        log.info("%s", line[len("PROGRESS ") :].rstrip())
            finally:
                end.cancel()
                machine.kill()
        output, mark, rest = "".join(said).partition(_MARK)
        status = int(rest.split()[0]) if mark else None
        ran = Ran(output, status, console.read_text(errors="replace"), time.monotonic() - began)
        log.info("ended with status %s after %.0f s", status, ran.seconds)
        return ran


# ---- Debian packages


@contextmanager
def _apt(suite: str) -> Iterator[dict[str, str]]:
    """The environment of an apt that knows one suite and nothing of this system's."""
    folder = _CACHE / f"apt-{suite}"
    with _locked():
        fresh = folder / "stamp"
        for part in ("lists/partial", "cache/archives/partial"):
            (folder / part).mkdir(parents=True, exist_ok=True)
        (folder / "status").touch()
        sources = f"deb [signed-by={_KEYRING} arch=amd64] {_MIRROR} {suite.partition('-')[0]} main\n"
        if "-" in suite:  # what it needs beside itself is in the suite that it is for
            mirror = f"{_MIRROR}-security" if suite.endswith("-security") else _MIRROR
            sources += f"deb [signed-by={_KEYRING} arch=amd64] {mirror} {suite} main\n"
        (folder / "sources.list").write_text(sources)
        settings = {
            "Dir::Etc::sourcelist": folder / "sources.list", "Dir::Etc::sourceparts": "/dev/null",
            "Dir::Etc::preferences": "/dev/null", "Dir::Etc::preferencesparts": "/dev/null",
            "Dir::State::lists": folder / "lists", "Dir::Cache": folder / "cache",
            "Dir::State::status": folder / "status", "APT::Architecture": "amd64", "APT::Architectures": "amd64",
            "APT::Sandbox::User": "root", "Acquire::Languages": "none",
        }  # fmt: skip
        (folder / "apt.conf").write_text("".join(f'{name} "{value}";\n' for name, value in settings.items()))
        environment = {**os.environ, "APT_CONFIG": str(folder / "apt.conf")}
        if not fresh.exists() or time.time() - fresh.stat().st_mtime > 86400:
            subprocess.run(["apt-get", "update", "-qq"], env=environment, check=True)
            fresh.touch()
        yield environment


@contextmanager
def _locked() -> Iterator[None]:
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _packages(suite: str, wanted: Sequence[str]) -> list[Path]:
    """The files of packages and of all that they depend on."""
    folder = _CACHE / "debs"
    with _apt(suite) as environment:
        folder.mkdir(exist_ok=True)
        said = subprocess.run(
            ["apt-get", "install", "--print-uris", "-qq", "--no-install-recommends", "-t", suite, *wanted],
            env=environment, check=True, text=True, stdout=subprocess.PIPE,
        ).stdout  # fmt: skip
        files = [folder / line.split()[1] for line in said.splitlines()]
        absent = [file.name.split("_")[0] for file in files if not file.exists()]
        if absent:
            subprocess.run(["apt-get", "download", "-qq", *absent], env=environment, cwd=folder, check=True)
    return files


def _unpack(package: Path, root: Path) -> None:
    files = subprocess.run(["dpkg-deb", "--fsys-tarfile", package], check=True, stdout=subprocess.PIPE).stdout
    subprocess.run(
        ["tar", "-x", "--keep-directory-symlink", "--no-same-owner", "-C", root], input=files, check=True
    )  # fmt: skip


def _kernel(name: str) -> Path:
    suite, package = KERNELS[name]
    image = _CACHE / f"vmlinuz-{name}"
    if not image.exists():
        files = [file for file in _packages(suite, [package]) if re.match(r"linux-(image|binary)-\d", file.name)]
        with tempfile.TemporaryDirectory(dir=_CACHE) as folder:
            for file in files:
                _unpack(file, Path(folder))
            (found,) = {path.resolve() for path in Path(folder).rglob("vmlinuz*") if path.is_file()}
            found.replace(image)
    return image


def _userland() -> Path:
    name = hashlib.sha256(" ".join(_USERLAND).encode()).hexdigest()[:8]
    out = _CACHE / f"userland-{name}.cpio"
    if not out.exists():
        packages = _packages("bookworm", _USERLAND)
        with tempfile.TemporaryDirectory(dir=_CACHE) as folder:
            root = Path(folder, "root")
            for part in ("bin", "sbin", "lib", "lib64"):  # merged /usr, as Debian's installer makes it
                (root / "usr" / part).mkdir(parents=True)
                (root / part).symlink_to(f"usr/{part}")
            for package in packages:
                _unpack(package, root)
            made = Path(folder, "cpio")
            with made.open("wb") as file:
                archive = _Archive(file)
                archive.tree(root, "")
                for place in ("proc", "sys", "dev", "tmp", "run", "root"):
                    archive.folder(place)
                archive.device("dev/console", 5, 1)
                archive.device("dev/null", 1, 3)
                archive.file("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
                archive.file("etc/hosts", b"127.0.0.1 localhost\n")
                archive.end()
            made.replace(out)
    return out


class _Archive:
    """Writes a cpio archive as the kernel reads it (Documentation/driver-api/early-userspace/buffer-format.rst)."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._number = 0
        self._folders: set[str] = set()

    def _entry(self, name: str, mode: int, data: bytes = b"", device: tuple[int, int] = (0, 0)) -> None:
        self._number += 1
        path = name.encode() + b"\0"
        fields = (self._number, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
        head = b"070701" + b"".join(b"%08X" % field for field in fields) + path
        self._file.write(head + b"\0" * (-len(head) % 4) + data + b"\0" * (-len(data) % 4))

    def folder(self, name: str) -> None:
        name = name.strip("/")
        if name and name not in self._folders:
            self.folder(os.path.dirname(name))
            self._folders.add(name)
            self._entry(name, stat.S_IFDIR | 0o755)

    def file(self, name: str, data: bytes, mode: int = 0o644) -> None:
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFREG | mode, data)

    def device(self, name: str, major: int, minor: int) -> None:
        self.folder(os.path.dirname(name))
        self._entry(name, stat.S_IFCHR | 0o600, device=(major, minor))

    def tree(self, source: Path, place: str) -> None:
        place = place.strip("/")
        if source.is_dir() and not source.is_symlink():
            self.folder(place)
            for name in sorted(os.listdir(source)):
                inside = f"{place}/{name}" if place else name
                if not _UNUSED.match(inside) and name != "__pycache__":
                    self.tree(source / name, inside)
            return
        self.folder(os.path.dirname(place))
        if source.is_symlink():
            self._entry(place, stat.S_IFLNK | 0o777, os.readlink(source).encode())
        elif source.is_file():
            self._entry(place, stat.S_IFREG | (source.stat().st_mode & 0o777), source.read_bytes())

    def end(self) -> None:
        self._entry("TRAILER!!!", 0)
        self._file.write(b"\0" * (-self._file.tell() % 512))
