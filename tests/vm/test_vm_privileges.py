"""What each kernel wants for attaching, as docs/FLEET.md says it: make test-vm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kernel_vm import CHOSEN, run_in_vm

import gobuild

HERE = Path(__file__).parent
REQUESTS = 20
MULTI, PERF, TRACEFS = "uprobe_multi", "perf events", "tracefs"
# by what; None: not at all. 5.10's is without the mend of CVE-2025-38466, 6.1's is with it
ATTACHES: dict[str, dict[str, str | None]] = {
    "5.10": {
        "root": PERF, "deployed, paranoid": None, "deployed": PERF, "user": PERF, "user who may write": PERF,
        "behind the killed one": PERF, "no tracefs": PERF, "admin, no tracefs": PERF,
    },
    "6.1": {
        "root": PERF, "deployed, paranoid": None, "deployed": TRACEFS, "user": None, "user who may write": TRACEFS,
        "behind the killed one": TRACEFS, "no tracefs": None, "admin, no tracefs": PERF,
    },
}  # fmt: skip
SAID = {"deployed, paranoid": "perf_event_paranoid", "user": "CAP_DAC_OVERRIDE", "no tracefs": "tracefs is not mounted"}


@pytest.mark.parametrize("kernel", CHOSEN)
def test_what_a_kernel_wants_for_attaching(kernel: str, site: Path) -> None:
    ran = run_in_vm(
        kernel,
        ["python3", "/test/guest_privileges.py"],
        add={
            "site": site,
            "ping": gobuild.build(gobuild.PROGRAMS / "ping"),
            "test/guest_privileges.py": HERE / "guest_privileges.py",
        },
        env={"PYTHONPATH": "/site"},
        timeout=2400,
    )
    results: dict[str, Any] = ran.result()
    wanted = ATTACHES.get(kernel)
    for name, result in results.items():
        run = result["run"]
        way = MULTI if wanted is None else wanted["deployed" if name == "killed" else name]
        assert run["attach"] == way, (name, run)
        assert run["spans"] == (REQUESTS if way else 0), (name, run)
        assert bool(run["during"]) == (way == TRACEFS), (name, run)
        assert (run["after"] == []) == (name != "killed" or way != TRACEFS), (name, run)
        assert run["missing"] == [], (name, run)
        if name == "killed":
            continue
        attaching = result["doctor"]["attaching"]
        assert (attaching["verdict"] != "fail") == bool(way), (name, attaching)
        if way:
            assert run["code"] == 0, (name, run)
            assert f"by {way}" in attaching["found"], (name, attaching)
        else:
            assert run["code"] == 3, (name, run)
            (line,) = run["said"]
            assert SAID[name] in line, (name, line)
            assert SAID[name] in attaching["found"], (name, attaching)
