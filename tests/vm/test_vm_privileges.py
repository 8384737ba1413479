"""What each kernel wants for attaching, as docs/FLEET.md says it: make test-vm."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgpack
import pytest
from kernel_vm import CHOSEN, run_in_vm

import gobuild
from programs import compiled_for_a_run

HERE = Path(__file__).parent
REQUESTS = 20
MULTI, PERF, TRACEFS = "uprobe_multi", "perf events", "tracefs"
# by what; None: not at all. 5.10's is without the mend of CVE-2025-38466, 6.1's is with it
ATTACHES: dict[str, dict[str, str | None]] = {
    "5.10": {
        "root": PERF, "deployed, paranoid": None, "deployed": PERF, "user": PERF, "user who may write": PERF,
        "perf events refused": TRACEFS, "behind the killed one": PERF, "no tracefs": PERF, "admin, no tracefs": PERF,
    },
    "6.1": {
        "root": PERF, "deployed, paranoid": None, "deployed": TRACEFS, "user": None, "user who may write": TRACEFS,
        "perf events refused": TRACEFS, "behind the killed one": TRACEFS, "no tracefs": None, "admin, no tracefs": PERF,
    },
}  # fmt: skip
ATTACHES["5.10-lts"] = ATTACHES["6.1"]
SAID = {"deployed, paranoid": "perf_event_paranoid", "user": "CAP_DAC_OVERRIDE", "no tracefs": "tracefs is not mounted"}


@pytest.mark.parametrize("kernel", CHOSEN)
def test_what_a_kernel_wants_for_attaching(kernel: str, site: Path, tmp_path: Path) -> None:
    ping, objects = gobuild.build(gobuild.PROGRAMS / "ping"), tmp_path / "programs"
    made = [compiled_for_a_run([ping], ["nethttp"], filter_pids=True, ways=ways) for ways in (False, True)]
    objects.write_bytes(msgpack.packb(made[0] | made[1]))
    ran = run_in_vm(
        kernel,
        ["python3", "/test/guest_privileges.py"],
        add={
            "site": site,
            "ping": ping,
            "programs": objects,
            **{f"test/{name}": HERE / name for name in ("guest_privileges.py", "compiled_before.py")},
        },
        env={"PYTHONPATH": "/site:/test"},
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
