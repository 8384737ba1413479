"""Which Go built a binary that does not say so: versions with the same tables differ in how they write types."""

from __future__ import annotations

from dataclasses import replace

from goinst.binary.elf import Image
from goinst.golang.releases import FIELD_OFFSETS_WHOLE, LENGTHS_AS_VARINTS, OLDEST, TEXT_OFFSETS
from goinst.golang.tables.moduledata import Module
from goinst.golang.types.descriptors import TypeTable

__all__ = ["dated"]

# every program has it, for what panics: struct{_interface, concrete, asserted *_type; missingMethod string}
_TYPE = "runtime.TypeAssertionError"
_SIZE = 40
# a release with the shape of moduledata that a later one has, too -> that one
_LATER = {OLDEST: LENGTHS_AS_VARINTS.since, TEXT_OFFSETS.since: FIELD_OFFSETS_WHOLE.since}


def dated(image: Image, module: Module) -> Module:
    """Return the module with a version to decode it by, where its shape leaves two: Go 1.16 and 1.17 differ in how the
    lengths of names are written, 1.18 and 1.19 in offsets of fields (internal/abi/type.go, reflect/type.go)."""
    later = _LATER.get(module.version)
    if later is None or _reads(image, module):
        return module
    other = replace(module, version=later)
    return other if _reads(image, other) else module


def _reads(image: Image, module: Module) -> bool:
    found = TypeTable(image, module, swiss_maps=False).find(_TYPE)
    last = found.fields[-1] if found is not None and found.fields else None
    return found is not None and last is not None and found.size == last.offset + last.size == _SIZE
