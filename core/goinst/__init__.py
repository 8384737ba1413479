"""goinst: see inside running Go programs with eBPF. Plugin authors import from here and nowhere deeper."""

from __future__ import annotations

from goinst.errors import GoinstError, PluginError
from goinst.plugin.exporter import Exporter
from goinst.plugin.hookspecs import hookimpl
from goinst.plugin.process import TracedProcess
from goinst.plugin.protocol import (
    PIPED_STDIN,
    Capture,
    Field,
    Fragment,
    Option,
    Package,
    Probe,
    Protocol,
    Record,
    Series,
    Site,
    Tail,
    Type,
    Unseen,
)
from goinst.plugin.rows import i32, i64, u8, u16, u32, u64
from goinst.plugin.summary import Summary
from goinst.spans.memory import Memory
from goinst.spans.span import Clock, DecodeContext, Resource, Span
from goinst.toolkit.address import host_port, ip_text
from goinst.toolkit.context import TraceParent, context_words, parse_traceparent
from goinst.toolkit.redact import SECRET_HEADERS, redact_header, redact_query, redact_url

__all__ = [
    "PIPED_STDIN",
    "SECRET_HEADERS",
    "Capture",
    "Clock",
    "DecodeContext",
    "Exporter",
    "Field",
    "Fragment",
    "GoinstError",
    "Memory",
    "Option",
    "Package",
    "PluginError",
    "Probe",
    "Protocol",
    "Record",
    "Resource",
    "Series",
    "Site",
    "Span",
    "Summary",
    "Tail",
    "TraceParent",
    "TracedProcess",
    "Type",
    "Unseen",
    "__version__",
    "context_words",
    "hookimpl",
    "host_port",
    "i32",
    "i64",
    "ip_text",
    "parse_traceparent",
    "redact_header",
    "redact_query",
    "redact_url",
    "u8",
    "u16",
    "u32",
    "u64",
]
__version__ = "0.1.0"
