"""Preemptible kernels: no two tasks on one program's stack, and a service under load that nothing happens to.

GOINST_VM_PREEMPT_SECONDS is how long the load lasts (make test-vm-preempt: 30 minutes), GOINST_VM_PREEMPT_LOG a folder
for the guests' kernel logs and results.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import Any

import msgpack
import pytest
from kernel_vm import Ran, run_in_vm

import gobuild
from programs import PLUGINS, compiled_for_a_run

HERE = Path(__file__).parent
KERNEL = "newest"  # 6.13 and later have private stacks
SECONDS = float(os.environ.get("GOINST_VM_PREEMPT_SECONDS", "60"))
LOGS = os.environ.get("GOINST_VM_PREEMPT_LOG", "")
# what a kernel says when something is wrong with it, and when a private stack was written past its ends
TROUBLE = re.compile(
    r"BUG:|WARNING:|Oops|general protection|kernel panic|unable to handle|soft lockup|rcu.*stall|corrupt|"
    r"BPF private stack|segfault|bad frame|traps:",
    re.IGNORECASE,
)
# `goinst run --exe ... --propagate` on a kernel with cookies (Linux 5.15)
RUN: dict[str, Any] = {"filter_pids": False, "propagate": "write", "ways": True}
preemption = pytest.mark.parametrize("preempt", ["full", "lazy"])


def guest(script: str, *arguments: str, preempt: str, add: dict[str, Path], timeout: float) -> Ran:
    tools = {f"test/{name}": HERE / name for name in (script, "uprobed.py", "compiled_before.py")}
    ran = run_in_vm(
        KERNEL,
        ["python3", f"/test/{script}", *arguments],
        add={**add, **tools, "test/jit.py": HERE.parent / "jit.py"},
        env={"PYTHONPATH": "/site:/test"},
        boot=f"preempt={preempt}",
        timeout=timeout,
    )
    if LOGS:
        name = "-".join((script.removesuffix(".py"), preempt, *arguments[:2]))
        Path(LOGS).mkdir(parents=True, exist_ok=True)
        Path(LOGS, f"{name}.kernel.log").write_text(ran.log)
        Path(LOGS, f"{name}.output").write_text(ran.output)
    assert f"Dynamic Preempt: {preempt}" in ran.log, ran.log[-2000:]
    return ran


@preemption
def test_two_tasks_never_share_a_stack(site: Path, preempt: str) -> None:
    """Without the guard they do: that the test can tell is shown first."""
    results = {}
    for mode in ("bare", "guarded"):
        ran = guest("guest_stack.py", mode, "10", preempt=preempt, add={"site": site}, timeout=600)
        results[mode] = ran.result()
    assert results["bare"]["private"]
    assert results["bare"]["shared"] > 0
    assert not results["guarded"]["private"]
    assert (results["guarded"]["shared"], results["guarded"]["whole"] > 100) == (0, True)


@preemption
def test_a_service_under_load_with_every_plugin(site: Path, tmp_path: Path, preempt: str) -> None:
    servers = {name: gobuild.build(gobuild.PROGRAMS / name) for name in ("chain", "netrpc", "connectrpc")}
    objects = tmp_path / "programs"
    objects.write_bytes(msgpack.packb(compiled_for_a_run(tuple(servers.values()), **RUN)))
    ran = guest(
        "guest_load.py", "guarded", str(SECONDS), ",".join(PLUGINS), preempt=preempt, timeout=1500 + 2 * SECONDS,
        add={"site": site, "programs": objects, **servers},
    )  # fmt: skip
    assert [line for line in ran.log.splitlines() if TROUBLE.search(line)] == []
    result = ran.result()
    summary = result["events"][-1]
    print(json.dumps({name: result[name] for name in ("driven", "called", "spans")} | {"losses": summary["losses"]}))
    assert len(result["programs"]) > 60
    assert [name for name, private in result["programs"] if private] == []
    assert (result["exit"], result["died"], result["errors"], result["wrong"], result["failed"]) == (0, [], {}, {}, [])
    assert all(right and not wrong for right, wrong in result["called"].values()), result["called"]
    # what is not a span is a counted loss
    missing = result["driven"] - result["spans"]["edge"]
    assert 0 <= missing <= sum(summary["losses"].values())
    assert result["spans"]["edge"]
    for what in ("nethttp server", "nethttp client", "grpc server", "grpc client", "netrpc server"):
        assert result["spans"].get(what), result["spans"]
