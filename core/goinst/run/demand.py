"""Programs that come and go with signals: most runs do not need them, and need not pay for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from goinst.plan.source import Counter, Program

__all__ = ["Demand"]


class Demand:
    """Says which programs are to be attached, and which to be taken away, as signals are given.

    A program with ``attach_on`` waits for that; one that has ``until``, too, is ``first`` there, goes when that is
    given, and waits from then on. A decoder may give signals as well as the kernel.
    """

    def __init__(self, programs: Sequence[Program], counters: Sequence[Counter]) -> None:
        self._numbers: dict[tuple[str, str], list[int]] = {}
        for number, counter in enumerate(counters):
            if counter.kind == "signal":
                self._numbers.setdefault((counter.plugin, counter.name), []).append(number)
        asked = [program for program in programs if program.attach_on and program.role == "entry"]
        self.first = tuple(program for program in asked if program.until)
        # and how often the signal that would change that had been given when it last changed
        self._here = dict.fromkeys(self.first, 0)
        self._away = {program: 0 for program in asked if not program.until}

    def settle(
        self, counts: Sequence[int], decoders: Mapping[tuple[str, str], int]
    ) -> tuple[list[Program], list[Program]]:
        """(those to attach, those to take away), by the kernel's counters and how often decoders gave signals, by
        plugin and signal."""

        def given(program: Program, signal: str) -> int:
            key = program.plugin, signal
            return sum(counts[number] for number in self._numbers.get(key, ())) + decoders.get(key, 0)

        come = [program for program, before in self._away.items() if given(program, program.attach_on) > before]
        go = [program for program, before in self._here.items() if given(program, program.until) > before]
        for program in come:
            del self._away[program]
            if program.until:
                self._here[program] = given(program, program.until)
        for program in go:
            del self._here[program]
            self._away[program] = given(program, program.attach_on)
        return come, go

    def __bool__(self) -> bool:
        return bool(self._here or self._away)
