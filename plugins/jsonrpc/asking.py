"""What a server asks its client on an event stream: the client's answer is a POST of its own.

Ids are the server's. They may be the same for several clients, which are told apart by what their streams are known by.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Protocol

from goinst.plugins.jsonrpc.message import answer, identity

from goinst import DecodeContext, Span

__all__ = ["Question", "Questions"]

_HELD = 4096


class _Stream(Protocol):
    session: str


@dataclass(slots=True, eq=False)
class Question:
    """A request of the server's and its span; ``open``: the POST on whose response it was asked has not ended, and
    will have the span below its own."""

    span: Span
    stream: _Stream
    open: bool
    answered: bool = False


@dataclass(slots=True)
class Questions:
    """Those of one executable that wait for an answer, by process and id."""

    waiting: OrderedDict[tuple[int, str], list[Question]] = field(default_factory=OrderedDict)

    def ask(self, key: tuple[int, str], question: Question) -> list[Span]:
        """Wait for an answer; the spans of those that cannot wait any longer."""
        self.waiting.setdefault(key, []).append(question)
        if len(self.waiting) <= _HELD:
            return []
        return [one.span for one in self.waiting.popitem(last=False)[1] if not one.open]

    def answers(
        self,
        process: int,
        replies: Iterable[tuple[dict[str, Any], bool]],
        at: int,
        session: str,
        context: DecodeContext,
    ) -> list[Span]:
        """Take what a client answered by POST, each reply with whether it is cut; the spans that are complete now."""
        done: list[Span] = []
        for reply, cut in replies:
            key = process, identity(reply)
            waiting = self.waiting.get(key, [])
            fitting = [one for one in waiting if one.stream.session == session]
            fitting = fitting or [one for one in waiting if not one.stream.session]
            if not fitting:
                # it was asked on a stream whose writes are not probed yet
                context.count("question_unseen")
                context.signal("writes_wanted")
                continue
            if len({id(one.stream) for one in fitting}) > 1:
                context.count("answer_ambiguous")
                continue
            question = fitting[0]
            waiting.remove(question)
            if not waiting:
                del self.waiting[key]
            question.stream.session = session
            question.answered = True
            question.span.duration_ns = max(at - question.span.start_ns, 0)
            answer(reply, question.span, context, cut=cut)
            if not question.open:
                done.append(question.span)
        return done

    def finish(self) -> list[Span]:
        """The spans of those that were never answered."""
        waiting, self.waiting = self.waiting, OrderedDict()
        return [one.span for questions in waiting.values() for one in questions]
