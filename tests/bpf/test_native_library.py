"""Shared libraries, and what is made at run time, in running processes: sessions on real ones."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

import nativebuild
from goinst import Fragment, Probe, Protocol, Record, Site
from goinst.config import RunConfig
from goinst.diagnostics import Log
from goinst.errors import TargetError
from goinst.export.ending import Ending
from goinst.plugin.exporter import Exporter
from goinst.plugin.manager import PluginSet
from goinst.run.session import Session
from goinst.spans.span import Span
from wire import row

pytestmark = [
    pytest.mark.bpf,
    pytest.mark.skipif(os.geteuid() != 0, reason="loads BPF programs: needs root (make test uses sudo)"),
]

CRC = """import sys, zlib
print("ready", flush=True)
for line in sys.stdin:
    print(zlib.crc32(line.strip().encode()), flush=True)
"""


def texts(symbol: str, text: str, length: str) -> PluginSet:
    """One plugin whose spans are called as the text is that a probe is given."""

    def decode(values: Any, span: Any, context: Any) -> None:
        span.name = values.text.partition(b"\0")[0].decode()
        span.attributes["pid"] = values.pid

    protocol = Protocol(
        name="texts",
        summary="texts",
        fragments=(
            Fragment(
                "texts.bpf.c",
                text=f"""
PROBE(text_given)
{{
    struct given *given = given_reserve(0, hit);
    if (!given)
        return 0;
    __builtin_memset(given->text, 0, sizeof(given->text));
    go_copy(given->text, 16, {text}, {length});
    given->pid = hit->tgid;
    given_submit(given);
    return 0;
}}
""",
            ),
        ),
        probes=(Probe("text_given", (Site(symbol),)),),
        records=(Record("given", row(pid="u32", text=16), decode, role="span"),),
    )
    return PluginSet.of(protocol)


class Kept(Exporter):
    """An exporter that keeps spans, and a way to wait for them."""

    wants_spans = True

    def __init__(self) -> None:
        super().__init__()
        self.spans: list[tuple[str, int]] = []

    def export(self, spans: Sequence[Span]) -> None:
        self.spans += [(span.name, int(str(span.attributes["pid"]))) for span in spans]

    def flush(self) -> None:
        pass

    def close(self) -> None:
        pass


@contextmanager
def talking(*command: str) -> Iterator[tuple[int, Callable[[str], str]]]:
    """A process, and a function that says a line to it and returns its answer."""
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        stdin, stdout = process.stdin, process.stdout
        assert stdout.readline() == "ready\n"

        def say(line: str) -> str:
            stdin.write(f"{line}\n")
            stdin.flush()
            return stdout.readline().strip()

        try:
            yield process.pid, say
        finally:
            process.kill()


def run(config: RunConfig, plugins: PluginSet, drive: Callable[[Kept], None]) -> Kept:
    """A session, during which ``drive`` runs in a thread; it ends when that has."""
    kept, failed = Kept(), list[BaseException]()

    def driver() -> None:
        try:
            drive(kept)
        except BaseException as error:
            failed.append(error)
        session.end(Ending.QUIT)

    thread = threading.Thread(target=driver)

    class Said(Log):
        def _say(self, level: str, event: str, fields: dict[str, Any]) -> None:
            if event == "ready":  # it has attached
                thread.start()

    session = Session(config, plugins, [kept], Said())
    session.run()
    thread.join()
    if failed:
        raise failed[0]
    return kept


def until(done: Callable[[], bool], seconds: float = 15.0) -> None:
    deadline = time.monotonic() + seconds
    while not done():
        assert time.monotonic() < deadline, "it did not come to that"
        time.sleep(0.05)


def python() -> str:
    """A Python whose zlib is the shared library."""
    return "/usr/bin/python3" if Path("/usr/bin/python3").exists() else sys.executable


def test_a_shared_library_in_the_processes_that_have_it() -> None:
    with talking(python(), "-c", CRC) as (first, say_first):
        answers = {}

        def drive(kept: Kept) -> None:
            answers["one"] = say_first("one")
            until(lambda: ("one", first) in kept.spans)
            with talking(python(), "-c", CRC) as (second, say_second):  # picked up by the next scan

                def seen() -> bool:
                    answers["two"] = say_second("two")
                    return ("two", second) in kept.spans

                until(seen)
                answers["second"] = str(second)

        kept = run(
            RunConfig(library="libz", native="auto", cache=False),
            texts("crc32", "ARG(text_given, arg2)", "ARG(text_given, arg3)"),
            drive,
        )
    assert kept.spans.count(("one", first)) == 1
    assert ("two", int(answers["second"])) in kept.spans
    assert (answers["one"], answers["two"]) == (str(zlib.crc32(b"one")), str(zlib.crc32(b"two")))


def test_only_in_the_process_that_was_named() -> None:
    with talking(python(), "-c", CRC) as (first, say_first), talking(python(), "-c", CRC) as (_, say_other):

        def drive(kept: Kept) -> None:
            say_other("other")
            say_first("mine")
            until(lambda: bool(kept.spans))

        kept = run(
            RunConfig(library="libz.so.1", pids=(first,), native="auto", cache=False),
            texts("crc32", "ARG(text_given, arg2)", "ARG(text_given, arg3)"),
            drive,
        )
    assert kept.spans == [("mine", first)]


def test_a_library_that_nobody_has_says_so() -> None:
    with talking(python(), "-c", CRC) as (pid, _), pytest.raises(TargetError, match="libnothing: the process has not"):
        run(
            RunConfig(library="libnothing", pids=(pid,), native="auto", cache=False),
            texts("crc32", "0", "0"),
            lambda kept: None,
        )


def test_probes_that_a_process_declares_while_it_is_traced() -> None:
    library = nativebuild.build("late_probes.c", "-shared", "-fPIC", "-O2")
    with talking(str(nativebuild.build("late.c", "-O2", "-ldl")), str(library)) as (pid, say):

        def drive(kept: Kept) -> None:
            assert say("load") == "loaded"

            def seen() -> bool:
                assert say("call 1 early") == "called"
                return bool(kept.spans)

            until(seen)
            for number in range(5):
                assert say(f"call {number} text-{number}") == "called"
            until(lambda: ("text-4", pid) in kept.spans)
            assert say("unload") == "unloaded"
            kept.spans.append(("unloaded", 0))
            assert say("load") == "loaded"  # the same contents in another file in memory

            def again() -> bool:
                assert say("call 1 again") == "called"
                return ("again", pid) in kept.spans

            until(again)

        kept = run(
            RunConfig(library="usdt:late:fired", pids=(pid,), native="auto", wait=True, cache=False),
            texts("usdt:late:fired", "ARG(text_given, arg2)", "16"),
            drive,
        )
    names = [name for name, _ in kept.spans]
    assert names[names.index("text-0") : names.index("unloaded")] == [f"text-{number}" for number in range(5)]
    assert {pid, 0} == {pid for _, pid in kept.spans}
