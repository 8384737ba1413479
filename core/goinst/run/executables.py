"""The executables of a run, each from the first look at its file to the last of its probes.

A uprobe sits on an inode, in every process that maps it, through whatever mount, until it is taken away. So each inode
has one set of probes, however many containers run it; the probes go before its bytes can change; and they are given
back when nobody can run it any more.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from goinst.errors import GoinstError, TargetError
from goinst.kernel.refusal import is_about_the_machine, refused
from goinst.plan.plan import Plan
from goinst.processes.openfile import BeingWritten, FileKey, OpenFile, mount_of
from goinst.processes.process import Process, exe_of
from goinst.run.build import Built
from goinst.run.executable import Executable, Identity
from goinst.run.inodes import same_inode
from goinst.run.tracer import Tracer
from goinst.run.watcher import Watcher

__all__ = ["Executables"]

_SAID = 1000
_PATIENCE = 5  # scans in which a process may map the file that it is said to run


class Executables:
    """All of a run. ``prepare(executable)`` analyses and loads, in a thread; ``trace(executable, built)`` makes a
    tracer of that and attaches it; ``retired(tracer)`` takes what it has left, before it is closed. ``joined`` and
    ``left`` are told of processes.
    """

    def __init__(
        self,
        prepare: Callable[[Executable], Built | Plan],
        trace: Callable[[Executable, Built | Plan], Tracer],
        retired: Callable[[Tracer], None],
        joined: Callable[[Executable, Process], None],
        left: Callable[[Executable, Process], None],
        watcher: Watcher,
        log: Any,
    ) -> None:
        self._prepare, self._trace, self._retired = prepare, trace, retired
        self._joined, self._left = joined, left
        self._watcher, self._log = watcher, log
        self._pool = ThreadPoolExecutor(1, "goinst-prepare")
        self._all: list[Executable] = []
        self._by_key: dict[FileKey, list[Executable]] = {}  # by each mount that it was seen through
        # processes that were looked at: what they run, if it can be traced
        self._known: dict[Identity, Executable | None] = {}
        self._tries: dict[Identity, int] = {}
        self._named: dict[FileKey, str] = {}
        self._said: set[tuple[FileKey, str]] = set()

    def __iter__(self) -> Iterator[Executable]:
        """Each once. Also for other threads."""
        return iter(list(self._all))

    @property
    def tracers(self) -> list[Tracer]:
        """Of those that are traced, or were until a moment ago."""
        return [one.tracer for one in self if one.tracer is not None]

    @property
    def active(self) -> bool:
        """Whether anything is traced or being prepared for it."""
        return any(one.tracer is not None or one.preparing is not None for one in self)

    @property
    def alive(self) -> bool:
        """Whether a process is known, or one is being prepared for."""
        return bool(self._known) or any(one.preparing is not None for one in self)

    # -- processes -----------------------------------------------------------------------------------------------

    def take(self, process: Process) -> None:
        """Trace a process, and come back only when that is so. GoinstError when it cannot be."""
        found = self._find(process)
        if found is None:
            found = self._open(process.binary, process.exe, every=process.every)
            self._finish(found, self._prepare_now(found))
            if found.gone:
                raise TargetError(f"{found.name}: {found.gone}")
        self._join(found, process)
        if found.hopeless:
            raise found.hopeless

    def _prepare_now(self, executable: Executable) -> Callable[[], Built | Plan]:
        return lambda: self._prepare(executable)

    def scanned(self, processes: Sequence[Process]) -> None:
        """What there is now: those that are new come, those that are missing are let go."""
        now = {process.identity for process in processes}
        for identity in [identity for identity in self._known if identity not in now]:
            self._leave(identity)
        for process in processes:
            if process.identity not in self._known:
                self._arrive(process)
        self._tries = {identity: count for identity, count in self._tries.items() if identity in now}

    def _arrive(self, process: Process) -> None:
        found = self._find(process)
        if found is not None and found.hopeless:
            if found.final:
                self._in_vain(found, process)
            else:  # no memory, no descriptors: it may be otherwise by now
                self._drop(found)
                found = None
        if found is None:
            if self._undecided(process):
                return  # looked at again in the next scan
            try:
                found = self._open(process.binary, process.exe, every=process.every)
            except BeingWritten as error:
                self._say_once((process.device, process.inode), str(error))
                return
            except (GoinstError, OSError):
                return  # it is gone
            found.preparing = self._pool.submit(self._prepare, found)
        if found.preparing is not None:
            self._known[process.identity] = found
            found.waiting.append(process)
        else:
            self._join(found, process)

    def _in_vain(self, executable: Executable, process: Process) -> None:
        """Somebody runs what cannot be traced: say so, once."""
        if not executable.told:
            executable.told = True
            self._log.warning(
                "not instrumented", pid=process.pid, executable=executable.name, reason=str(executable.hopeless)
            )

    def _join(self, executable: Executable, process: Process) -> None:
        self._known[process.identity] = executable
        tracer = executable.tracer
        if tracer is None or executable.gone:
            return
        if tracer.runs_in(process) is False:
            # copied up by overlayfs since it was started, or mapped over: another inode under the same number
            self._known[process.identity] = None
            self._log.warning(
                "not instrumented", pid=process.pid, executable=process.exe,
                reason="the process runs another version of the file than the one that is there; restart it",
            )  # fmt: skip
            return
        executable.members[process.identity] = (process, mount_of(process.pid))
        tracer.add(process.pid)
        if not executable.file.leased and not self._watcher.watch_exit(process.pid, lambda: self._exited(executable)):
            executable.members.pop(process.identity)
            return
        self._joined(executable, process)

    def _leave(self, identity: Identity) -> None:
        executable = self._known.pop(identity)
        if executable is None:
            return
        executable.waiting = [process for process in executable.waiting if process.identity != identity]
        member = executable.members.pop(identity, None)
        if member is None:
            return
        process, _ = member
        others = {other.pid for other, _ in executable.members.values()}
        if executable.tracer is not None and process.pid not in others:
            executable.tracer.remove(process.pid)
        executable.idle_since = time.monotonic()
        self._left(executable, process)

    def _exited(self, executable: Executable) -> None:
        """A process of a file without a lease has ended: probes go with the last, because nothing else keeps the file
        as it is. In the watcher's thread."""
        if all(exe_of(process.pid) is None for process, _ in list(executable.members.values())):
            executable.withdraw("nobody runs it, and there is no lease on it")

    # -- files ---------------------------------------------------------------------------------------------------

    def name(self, paths: Iterable[str], *, now: bool = False) -> None:
        """The files that patterns lead to: they are traced also when nobody runs them yet. ``now``: come back when
        they are."""
        keys = self._named = {key: path for path in paths if (key := _key_of(path)) is not None}
        for executable in self:
            executable.named = executable.file.key in keys
        for key, path in keys.items():
            if any(not one.gone for one in self._by_key.get(key, ())):
                continue
            try:
                executable = self._open(path, path, every=True, named=True)
            except BeingWritten as error:
                self._say_once(key, str(error))
                continue
            except (GoinstError, OSError):
                continue
            if not executable.file.leased:
                self._drop(executable)  # it could change at any time
            elif now:
                self._finish(executable, self._prepare_now(executable))
            else:
                executable.preparing = self._pool.submit(self._prepare, executable)

    @property
    def replaced(self) -> bool:
        """Whether a file that a pattern leads to is another one than at the last look."""
        return any(_key_of(path) != key for key, path in self._named.items())

    def _open(self, path: str, name: str, *, every: bool, named: bool = False) -> Executable:
        try:
            file = OpenFile(path, name)
        except OSError as error:
            if is_about_the_machine(error):
                raise refused(error, f"open {name}") from None
            raise TargetError(f"{name} cannot be opened: {error.strerror}") from None
        executable = Executable(file, every, named, idle_since=time.monotonic())
        try:
            why = file.lease(self._watcher.thread)
        except BeingWritten:
            file.close()
            raise
        if why:
            self._say_once(
                file.key, f"{name} is not guarded against being overwritten: {why}; its probes go when nobody runs it"
            )
        else:
            self._watcher.watch(file, lambda: executable.withdraw("somebody opens it to write"))
        self._all.append(executable)
        self._by_key.setdefault(file.key, []).append(executable)
        return executable

    def _say_once(self, key: FileKey, words: str) -> None:
        if (key, words) not in self._said and len(self._said) < _SAID:
            self._said.add((key, words))
            self._log.info("file", reason=words)

    def _finish(self, executable: Executable, built: Callable[[], Built | Plan]) -> None:
        """From what was prepared to a tracer, or to the reason why there is none."""
        try:
            made = built()
            if executable.gone:
                if isinstance(made, Built):
                    made.loaded.close()
                self._drop(executable)
                return
            executable.tracer = self._trace(executable, made)
            executable.markers = made.markers if isinstance(made, Built) else ()
        except (GoinstError, OSError) as error:
            if executable.gone:  # it is looked at again, as it will be
                self._drop(executable)
                return
            if isinstance(error, OSError):
                error = refused(error, f"trace {executable.name}")
            executable.hopeless = error
            executable.final = isinstance(error, TargetError) and not executable.file.changed()
            self._watcher.forget(executable.file)
            executable.file.close()

    def settle(self) -> None:
        """Go on with what was prepared, what has changed, and what nobody runs."""
        for executable in self:
            if executable.preparing is not None:
                if executable.preparing.done():
                    self._prepared(executable)
            elif executable.tracer is not None and executable.gone:
                self._log.info("probes taken away", executable=executable.name, reason=executable.gone)
                self._retire(executable)

    def look(self) -> None:
        """Once a scan: which files have changed, which are of no use any more, which mounts are wanted elsewhere."""
        now = time.monotonic()
        for executable in self:
            if executable.preparing is not None or executable.gone:
                continue
            if why := executable.file.changed():
                executable.withdraw(why)
                if executable.tracer is None:
                    self._drop(executable)
            elif executable.hopeless:
                if not executable.named and not any(one is executable for one in self._known.values()):
                    self._drop(executable)
            elif not executable.members:
                if why := executable.useless(now):
                    executable.withdraw(why)
            elif executable.file.mount not in {mount for _, mount in executable.members.values()}:
                self._move(executable)
        self.settle()

    def _prepared(self, executable: Executable) -> None:
        future, executable.preparing = executable.preparing, None
        waiting, executable.waiting = executable.waiting, []
        assert future is not None
        self._finish(executable, future.result)
        if executable.hopeless:
            for process in waiting[:1]:
                self._in_vain(executable, process)
            return
        for process in waiting:
            if executable.tracer is not None:
                self._join(executable, process)
            else:  # it was changed meanwhile
                self._known.pop(process.identity, None)

    def _move(self, executable: Executable) -> None:
        """Reach the file by a mount that one of its processes uses: the other may be unmounted."""
        assert executable.tracer is not None
        for process, mount in executable.members.values():
            try:
                file = OpenFile(process.binary, executable.name)
            except OSError:
                continue
            if file.mount != mount or not same_inode(executable.file.path, executable.markers, process):
                file.close()
                continue
            try:
                file.lease(self._watcher.thread)
            except BeingWritten:
                file.close()
                continue
            old = executable.file
            file.remember(old.remembered)
            whole = executable.tracer.move(file.path)
            executable.file = file
            self._watcher.forget(old)
            if file.leased:
                self._watcher.watch(file, lambda: executable.withdraw("somebody opens it to write"))
            old.close()
            if not whole:
                lost = "hits of some milliseconds"
                self._log.info("probes moved to another mount", executable=executable.name, lost=lost)
            return

    def _retire(self, executable: Executable) -> None:
        """The end of a tracer: its counts stay, all else is given back."""
        tracer, executable.tracer = executable.tracer, None
        assert tracer is not None
        self._retired(tracer)
        tracer.close()
        for identity in list(executable.members):
            self._leave(identity)
        self._drop(executable)

    def _drop(self, executable: Executable) -> None:
        self._watcher.forget(executable.file)
        self._all.remove(executable)
        for key in [key for key, several in self._by_key.items() if executable in several]:
            self._by_key[key].remove(executable)
            if not self._by_key[key]:
                del self._by_key[key]
        for identity in [identity for identity, one in self._known.items() if one is executable]:
            del self._known[identity]
        executable.file.close()

    def end(self) -> None:
        """No probe stays; what was counted and recorded by now does. From any thread."""
        for executable in self:
            executable.withdraw("")

    def close(self) -> None:
        """Give everything back."""
        self._pool.shutdown(cancel_futures=True)
        for executable in self:
            executable.close()

    # -- which file is which -------------------------------------------------------------------------------------

    def _find(self, process: Process) -> Executable | None:
        """What a process runs, if it is known by now; by another mount, too."""
        for executable in self._by_key.get((process.device, process.inode), ()):
            if executable.gone:
                continue
            if executable.tracer is None or executable.tracer.runs_in(process) is not False:
                return executable
        for executable in self._candidates(process):
            tracer = executable.tracer
            if tracer is None or not tracer.runs_in(process):
                continue
            if same_inode(executable.file.path, executable.markers, process):
                self._by_key.setdefault((process.device, process.inode), []).append(executable)
                return executable
        return None

    def _candidates(self, process: Process) -> list[Executable]:
        """Those whose file may be the same: overlayfs shows the inode's number below another device for each mount
        (Documentation/filesystems/overlayfs.rst, "Inode properties")."""
        return [
            executable
            for executable in self
            if executable.file.key[1] == process.inode and executable.file.key[0] != process.device
            and not executable.gone and not executable.hopeless
        ]  # fmt: skip

    def _undecided(self, process: Process) -> bool:
        """Whether it takes another look to tell if it is one of those: they are being prepared, or it just starts."""
        candidates = self._candidates(process)
        tries = self._tries[process.identity] = self._tries.get(process.identity, 0) + 1
        if any(one.preparing is not None for one in candidates):
            return True
        return tries <= _PATIENCE and any(one.tracer and one.tracer.runs_in(process) is None for one in candidates)


def _key_of(path: str) -> FileKey | None:
    try:
        status = os.stat(path)  # noqa: PTH116
    except OSError:
        return None
    return status.st_dev, status.st_ino
