"""goinst: see inside running Go programs with eBPF. Plugin authors import from here and nowhere deeper."""

from __future__ import annotations

from goinst.errors import GoinstError, PluginError
from goinst.events.memory import Memory
from goinst.events.span import Clock, DecodeContext, Resource, Span
from goinst.plugin.context import context_words
from goinst.plugin.declare import (
    PIPED_STDIN,
    Capture,
    Column,
    Field,
    Fragment,
    Option,
    Probe,
    Protocol,
    Record,
    Series,
    Site,
    Tail,
    Type,
)
from goinst.plugin.spec import hookimpl

__all__ = [
    "PIPED_STDIN",
    "Capture",
    "Clock",
    "Column",
    "DecodeContext",
    "Field",
    "Fragment",
    "GoinstError",
    "Memory",
    "Option",
    "PluginError",
    "Probe",
    "Protocol",
    "Record",
    "Resource",
    "Series",
    "Site",
    "Span",
    "Tail",
    "Type",
    "__version__",
    "context_words",
    "hookimpl",
]
__version__ = "0.1.0"
