"""A span for each call of main.greet: what a plugin of one's own looks like, from declaration to decoder."""

from __future__ import annotations

from typing import Annotated, NamedTuple

from goinst import DecodeContext, Fragment, Option, Probe, Protocol, Record, Site, Span, i64, u32, u64

__all__ = ["PROTOCOL"]

# func greet(name string, times int) string, in package main
_GREET = Site("main.greet", "name string, times int -> greeting string")


class Greeting(NamedTuple):
    """What is sent of one call."""

    times: i64
    greeting_length: u64
    name_length: u64
    name_copied: u32
    name: Annotated[bytes, 32]


def decode_greeting(values: Greeting, span: Span, context: DecodeContext) -> None:
    """Fill in the span of one call."""
    name = values.name[: values.name_copied].decode("utf-8", "replace")
    span.name = f"greet {name}" if context.options["with_name"] else "greet"
    span.attributes["hello.name"] = name
    span.attributes["hello.times"] = values.times
    span.attributes["hello.greeting.length"] = values.greeting_length
    if values.name_length > values.name_copied:
        span.truncated.append("hello.name")


PROTOCOL = Protocol(
    name="hello",
    summary="calls of main.greet",
    hits="2 a call, 1 of them single-stepped",
    fragments=(Fragment("hello.bpf.c", package="goinst_hello"),),
    probes=(
        Probe("hello_enter", (_GREET,)),
        Probe("hello_leave", (_GREET,), place="return", closes=True),
    ),
    records=(Record("hello_greeting", Greeting, decode_greeting, role="operation", kind="internal"),),
    options=(Option("with_name", True, "put the name that is greeted into the span's name"),),
)
