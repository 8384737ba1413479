"""A running process's code against its file: which bytes differ, and whether each is a breakpoint where one may be."""

from __future__ import annotations

import os
import re
from pathlib import Path

from goinst.golang.facts import GoFacts
from goinst.plan.plan import make_plan
from goinst.plan.settings import PlanSettings
from goinst.plugin.manager import PluginSet

__all__ = ["breakpoints", "planned"]

_INT3 = 0xCC
_LINE = re.compile(r"([0-9a-f]+)-([0-9a-f]+) r-xp ([0-9a-f]+) \S+ [1-9]\d* ")


def breakpoints(pid: int, binary: Path) -> set[int]:
    """File offsets at which the process has a breakpoint that ``binary`` has not. Any other difference fails."""
    data, found = binary.read_bytes(), set()
    maps = Path(f"/proc/{pid}/maps").read_text()
    with open(f"/proc/{pid}/mem", "rb") as memory:
        for start, end, offset in _LINE.findall(maps):
            low, high, first = int(start, 16), int(end, 16), int(offset, 16)
            area = f"/proc/{pid}/map_files/{low:x}-{high:x}"
            if not os.path.exists(area) or not os.path.samestat(os.stat(area), os.stat(f"/proc/{pid}/exe")):
                continue
            memory.seek(low)
            code = memory.read(high - low)
            for at, (here, there) in enumerate(zip(code, data[first : first + len(code)], strict=False)):
                if here != there:
                    assert here == _INT3, f"byte {here:#x} at {first + at:#x}, in the file {there:#x}"
                    found.add(first + at)
    return found


def planned(binary: Path, *plugins: str) -> set[int]:
    """File offsets at which these plugins may have a probe in a binary."""
    plan = make_plan(
        GoFacts.open(str(binary)), PluginSet.load(plugins).protocols, settings=PlanSettings(filter_pids=False)
    )
    return {offset for program in plan.programs for offset in program.offsets}
