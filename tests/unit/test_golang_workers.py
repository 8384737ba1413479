"""Which functions make a goroutine a worker, in programs for both machines and of old and new Go, stripped or not."""

from __future__ import annotations

from pathlib import Path

import pytest

from gobuild import PROGRAMS, VERSIONS, build
from goinst.golang.facts import GoFacts

_BUILDS = [
    pytest.param(go, arch, mode, marks=[] if (go, mode) in (("1.17.13", ""), ("1.27.3", "pie")) else pytest.mark.matrix)
    for go in VERSIONS
    if go != "1.16.15"  # goroutines are not followed there
    for arch in ("amd64", "arm64")
    for mode in ("", "pie")
]
_METHODS = {
    "run", "runNext", "runCond", "runTake", "runWake", "drain", "lead", "dispatch", "runReflect", "runSwitch",
}  # fmt: skip


def marked(binary: Path) -> tuple[dict[str, int], dict[str, str]]:
    """(marks by function, its file by function)."""
    facts = GoFacts.open(str(binary))
    names: dict[str, int] = {}
    files: dict[str, str] = {}
    for entry, mark in facts.workers().items():
        name, file, _ = facts.symbolise(entry)[-1]
        names[name], files[name] = mark, Path(file).name
    return names, files


@pytest.mark.parametrize(("go", "arch", "mode"), _BUILDS)
def test_workers_are_known_and_nobody_else(go: str, arch: str, mode: str) -> None:
    names, files = marked(build(PROGRAMS / "workers", go=go, goarch=arch, buildmode=mode, ldflags="-s -w"))
    workers = {name for name, mark in names.items() if not mark}
    assert {f"main.(*queue).{method}" for method in _METHODS} <= workers
    if (go, arch) == ("1.17.13", "arm64"):
        return  # arguments are on the stack, those of a goroutine's first function too: less can be told
    # the only loop of requests' own ways in which something is received and a call made is a handler's
    own = [name for name in workers if files[name] == "own.go" and ".func" in name]
    assert len(own) == 1, own
    assert workers.isdisjoint({"main.call", "main.down", "main.within", "main.guarded", "main.spawn", "main.pool"})
    # what a group's goroutine calls is in its closure: behind the group, or alone
    groups = {name: mark for name, mark in names.items() if ".(*group).start" in name}
    assert len(groups) == 2, names
    assert all(mark & 0b110 for mark in groups.values())
    # what is known by an interface only is found in its table of methods: the second of two
    (known,) = [mark for name, mark in names.items() if "startRunner" in name]
    assert (known >> 8 & 0xFF, known >> 16) == (1, 24)


def test_those_of_published_pools_are_known() -> None:
    names, _ = marked(build(PROGRAMS / "pools"))
    workers = {name for name, mark in names.items() if not mark}
    assert {
        "github.com/Jeffail/tunny.(*workerWrapper).run",
        "github.com/alitto/pond.worker",
        "github.com/alitto/pond/v2.(*pool).worker",
        "github.com/bytedance/gopkg/util/gopool.(*worker).run.func1",
        "github.com/gammazero/workerpool.(*WorkerPool).dispatch",
        "github.com/panjf2000/ants/v2.(*goWorker).run.func1",
        "github.com/panjf2000/ants/v2.(*goWorkerWithFunc).run.func1",
        "github.com/robfig/cron/v3.(*Cron).run",
        "github.com/sourcegraph/conc/pool.(*Pool).worker",
    } <= workers
    assert not [name for name in workers if name.startswith("golang.org/x/sync/")]
