"""Analysis of native programs and shared libraries: C, C++, Rust, or anything else that is an ELF file."""

from __future__ import annotations

from goinst.native.facts import NativeFacts, open_facts

__all__ = ["NativeFacts", "open_facts"]
