"""Where arguments and g are, by what the binary is: its version and its build settings tell neither."""

from __future__ import annotations

import pytest

from gobuild import PROGRAMS, VERSIONS, build, stripped
from goinst.golang.binary import GoBinary
from goinst.golang.convention import convention

_NEWEST = VERSIONS[-1]
_CASES = [
    ("1.16.15", "amd64", "", "stack", ""),
    ("1.17.13", "amd64", "", "register", "r14"),
    ("1.17.13", "amd64", "noregabi", "stack", ""),
    ("1.17.13", "amd64", "noregabiargs", "stack", "r14"),
    ("1.17.13", "arm64", "noregabi", "stack", "regs[28]"),
    ("1.18.10", "arm64", "", "register", "regs[28]"),
    ("1.18.10", "arm64", "noregabi", "stack", "regs[28]"),
    ("1.18.10", "arm64", "noregabiargs", "stack", "regs[28]"),
    ("1.18.10", "amd64", "noregabi", "register", "r14"),  # says so of itself, and is not
    ("1.19.13", "amd64", "noregabi", "register", "r14"),
    (_NEWEST, "amd64", "", "register", "r14"),
    (_NEWEST, "arm64", "", "register", "regs[28]"),
]


def _binary(go: str, arch: str, experiment: str) -> GoBinary:
    settings = {"GOEXPERIMENT": experiment} if experiment else {}
    return GoBinary.open(str(build(PROGRAMS / "idle", go=go, goarch=arch, extra_env=settings)))


@pytest.mark.parametrize(("go", "arch", "experiment", "abi", "goroutine"), _CASES)
def test_what_the_functions_show(go: str, arch: str, experiment: str, abi: str, goroutine: str) -> None:
    binary = _binary(go, arch, experiment)
    info = binary.info
    assert (info.abi, info.goroutine, info.version) == (abi, goroutine, tuple(map(int, go.split(".")[:2])))
    for wrong in ((1, 16), (1, 30)):  # whatever a version would say
        assert convention(binary.functions, binary.image, wrong) == (abi, goroutine)


def test_where_g_cannot_be_read_at_a_return_it_is_as_before() -> None:
    """What sites for Go 1.17 on rely on is not there."""
    assert _binary("1.17.13", "amd64", "noregabi").info.behaves_as == (1, 16)
    assert _binary("1.17.13", "amd64", "noregabiargs").info.behaves_as == (1, 17)


@pytest.mark.parametrize("go", [pytest.param(go, marks=pytest.mark.matrix) for go in VERSIONS])
@pytest.mark.parametrize("arch", ["amd64", "arm64"])
def test_every_version_shows_it(go: str, arch: str) -> None:
    first = {"amd64": (1, 17), "arm64": (1, 18)}[arch]
    binary = _binary(go, arch, "")
    expected = "register" if binary.info.version >= first else "stack"
    assert convention(binary.functions, binary.image, (1, 0))[0] == expected


def test_stripping_takes_nothing_away() -> None:
    binary = build(PROGRAMS / "idle", go="1.17.13", goarch="amd64", extra_env={"GOEXPERIMENT": "noregabiargs"})
    assert GoBinary.open(str(stripped(binary))).info.abi == "stack"
