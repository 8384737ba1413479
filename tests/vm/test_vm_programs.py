"""Every program of every plugin on each kernel: the verifier takes it, and none has a private stack: make test-vm."""

from __future__ import annotations

from pathlib import Path

import pytest
from kernel_vm import CHOSEN, run_in_vm

HERE = Path(__file__).parent


@pytest.mark.parametrize("kernel", CHOSEN)
def test_every_program_of_every_plugin_loads(kernel: str, site: Path, every_program: Path) -> None:
    ran = run_in_vm(
        kernel,
        ["python3", "/test/guest_programs.py", "/programs"],
        add={
            "site": site,
            "programs": every_program,
            "test/guest_programs.py": HERE / "guest_programs.py",
            "test/uprobed.py": HERE / "uprobed.py",
            "test/jit.py": HERE.parent / "jit.py",
        },
        env={"PYTHONPATH": "/site"},
    )
    result = ran.result()
    assert result["refused"] == []
    assert result["private"] == []
    ways = [False, True] if result["features"]["uprobe_multi"] is True else [False]
    assert (True in ways) == (kernel not in ("5.10", "5.10-lts", "6.1")), result["features"]["uprobe_multi"]
    assert result["loaded"] > 200 * len(ways)
    # the first and the 33 that the kernel lets it enter, on whichever it is: the guard used up none
    assert result["tail_calls"] == [34] * len(ways)
