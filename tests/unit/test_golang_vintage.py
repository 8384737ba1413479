"""Binaries that do not say which Go built them are read as what they are."""

from __future__ import annotations

import pytest

from gobuild import PROGRAMS, SOME_VERSIONS, VERSIONS, build, derived
from goinst.golang.binary import GoBinary

_MAGIC = b"\xff Go buildinf:"
# what layouts and their encodings have in common
_FIRST = ((1, 16), (1, 17), (1, 18), (1, 19), (1, 20), (1, 26), (1, 27))
_ALWAYS = {*SOME_VERSIONS, "1.16.15", "1.19.13"}


def _silent(data: bytearray) -> None:
    """No build information: nothing finds its magic."""
    assert _MAGIC in data
    data[:] = data.replace(_MAGIC, bytes(len(_MAGIC)))


@pytest.mark.parametrize("go", [pytest.param(go, marks=() if go in _ALWAYS else pytest.mark.matrix) for go in VERSIONS])
@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_types_are_read_as_with_build_information(go: str, arch: str) -> None:
    binary = build(PROGRAMS / "idle", go=go, goarch=arch)
    told, silent = GoBinary.open(str(binary)), GoBinary.open(str(derived(binary, "silent", _silent)))
    assert silent.info.go_version == ""
    assert silent.info.version == max(first for first in _FIRST if first <= told.info.version)
    assert (silent.info.abi, silent.info.goroutine) == (told.info.abi, told.info.goroutine)
    structs = told.types.structs()
    assert len(structs) > 20
    assert silent.types.structs() == structs
