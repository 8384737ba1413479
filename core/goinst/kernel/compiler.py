"""C text to a BpfObject, in a child process, kept in the cache."""

from __future__ import annotations

import hashlib
import os
import re
import signal
import subprocess
import sys
import tempfile
from importlib import resources
from importlib.util import find_spec
from pathlib import Path
from typing import IO, Any

import msgpack

from goinst.cache import Cache
from goinst.errors import BuildError, MachineError
from goinst.kernel.program import BpfObject

__all__ = ["Compiler", "blame", "stamp"]

_FLAGS = [
    "-Wno-everything",
    # BCC runs LLVM's passes itself on what clang gives it (bpf_module.cc, run_pass_manager): once is enough
    "-Xclang",
    "-disable-llvm-passes",
    "-Werror=implicit-function-declaration",  # else a confusing word from the verifier much later
    "-Werror=int-conversion",
]
# what the loader, the C++ library, LLVM and Python say
_NO_MEMORY = re.compile(
    r"failed to map segment|[Cc]annot allocate memory|bad_alloc|MemoryError|[Oo]ut of memory|Memory allocation"
)
_SECONDS = 600  # 1 to 2 on ordinary machines; an emulated one needs more than a minute


class Compiler:
    """Compiles C text. ``warm_up`` starts the child early: it imports bcc while the caller analyses the binary."""

    def __init__(self, cache: Cache | None = None) -> None:
        self._cache = cache
        self._child: subprocess.Popen[bytes] | None = None
        self._words: IO[bytes] | None = None
        self._answer: IO[bytes] | None = None

    def warm_up(self) -> None:
        """Start a child that waits for work."""
        if self._child is not None:
            return
        # open until the child's end, see _finish
        self._words, self._answer = tempfile.TemporaryFile(), tempfile.TemporaryFile()  # noqa: SIM115
        write = self._answer.fileno()
        try:
            self._child = subprocess.Popen(
                [sys.executable, "-m", "goinst.kernel.compiler_bcc", str(write)],
                stdin=subprocess.PIPE,
                stdout=self._words,
                stderr=self._words,
                pass_fds=(write,),
                cwd="/",
            )  # fmt: skip
        except OSError as error:
            self._finish()
            raise MachineError(f"cannot start the BPF compiler's process: {error}") from error

    def close(self) -> None:
        """End a child that was not used."""
        if self._child is not None:
            self._child.kill()
            self._child.wait()
            self._finish()

    def compile(self, source: str) -> BpfObject:
        """Compile, or take from the cache. BuildError with clang's words as ``detail`` when it does not compile."""
        built = self._kept(source)
        if built is None:
            built, library = self._compile(source)
            if self._cache is not None:
                self._cache.put("bpf", self._key(source), {**built.pack(), "library": library})
        return built

    def cached(self, source: str) -> bool:
        """Whether compile() will need no child."""
        return self._kept(source) is not None

    def _kept(self, source: str) -> BpfObject | None:
        kept = self._cache.get("bpf", self._key(source)) if self._cache is not None else None
        try:
            if kept is None or stamp(kept["library"][0]) != kept["library"]:
                return None  # clang is part of the library: another one may compile otherwise
            return BpfObject.unpack(kept)
        except (ValueError, KeyError, IndexError, TypeError):
            return None  # written by another version: compiled again and replaced

    def _key(self, source: str) -> str:
        # BCC rewrites by what the kernel has
        module = find_spec("bcc")
        text = "\0".join([source, os.uname().release, str(module and module.origin), *_FLAGS])
        return hashlib.sha256(text.encode()).hexdigest()

    def _compile(self, source: str) -> tuple[BpfObject, list[str | int]]:
        """The object, and the stamp of the library that made it."""
        self.warm_up()
        child, words, result = self._child, self._words, self._answer
        assert child is not None
        assert words is not None
        assert result is not None
        include = resources.files("goinst.bpf").joinpath("include")
        with resources.as_file(include) as folder:
            # BCC looks for the headers of a kernel tree in this folder and changes into it
            request = {"source": source, "flags": _FLAGS, "include": str(folder.parent.resolve())}
            try:
                child.communicate(msgpack.packb(request), timeout=_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
                self._finish()
                raise MachineError(
                    f"the BPF compiler did not finish within {_SECONDS} s: this machine is too slow, or overloaded"
                ) from None
            except BrokenPipeError:
                child.wait()
        result.seek(0)
        answer = _decode(result.read())
        words.seek(0)
        said = words.read().decode("utf-8", "replace")
        status = child.returncode
        self._finish()
        if "maps" in answer:
            return BpfObject.unpack(answer), answer["library"]
        if "No module named 'bcc'" in said:
            raise MachineError(
                "this Python cannot import bcc; install Debian's python3-bpfcc and make the virtual environment with"
                " `make venv` (/usr/bin/python3 -m venv --system-site-packages)",
                detail=said,
            )
        if status == -signal.SIGKILL or _NO_MEMORY.search(said):
            raise MachineError(
                f"the BPF compiler ran out of memory{' and was killed' if status == -signal.SIGKILL else ''}: it takes"
                " 200 MB, and 500 MB of address space (ulimit -v, or the control group's memory.max); a program that"
                " was compiled before, and is in the cache, needs none",
                detail=said,
            )
        first = _first_error(said) or str(answer.get("error") or f"the compiler ended with status {status}")
        raise BuildError(f"BPF source does not compile: {first}", detail=said)

    def _finish(self) -> None:
        for file in (self._answer, self._words):
            if file is not None:
                file.close()
        self._child = self._words = self._answer = None


def _decode(data: bytes) -> dict[str, Any]:
    try:
        answer = msgpack.unpackb(data)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def _first_error(said: str) -> str:
    for line in said.splitlines():
        if re.search(r"\berror:", line):
            return line.strip()[:300]
    return ""


def blame(detail: str, names: tuple[str, ...]) -> str | None:
    """The plugin whose text a compiler's message is about: its files are called NAME/file by #line."""
    for line in detail.splitlines():
        if "error:" not in line:
            continue
        for name in names:
            if line.lstrip("./").startswith(f"{name}/") or f" {name}/" in line:
                return name
    for name in names:
        if re.search(rf"(?<![a-z0-9]){re.escape(name)}_", detail):
            return name
    return None


def stamp(path: str) -> list[str | int]:
    """A file's path, time and size; zeros where there is none."""
    try:
        status = Path(path).stat()
    except OSError:
        return [path, 0, 0]
    return [path, status.st_mtime_ns, status.st_size]
