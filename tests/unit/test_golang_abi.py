"""Where arguments are, by Go's rules: expectations computed independently for real hooks, and corner
cases."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import pytest

import gobuild
from goinst.binary.model import Argument
from goinst.errors import BinaryError
from goinst.golang.binary import GoBinary
from goinst.golang.types.abi import locate
from goinst.golang.types.descriptors import GoField, GoType
from goinst.golang.types.notation import parse_signature, parse_type

Abi = Literal["register", "stack"]


@dataclass
class Known:
    """Types by name and by made-up address, as a binary would answer."""

    types: dict[str, GoType] = field(default_factory=dict)

    def type(self, name: str) -> GoType | None:
        return self.types.get(name)

    def type_at(self, address: int) -> GoType:
        return next(found for found in self.types.values() if found.address == address)


VALUE = GoType(
    "reflect.Value", "struct", 24, 1, 0x10,
    (
        GoField("typ", 0, "*reflect.rtype", 8, False), GoField("ptr", 8, "unsafe.Pointer", 8, False),
        GoField("flag", 16, "reflect.flag", 8, True, 0x20),
    ),
)  # fmt: skip
FLAG = GoType("reflect.flag", "uintptr", 8, 2, 0x20)
TRACE = GoType("t.ID", "array", 16, 3, 0x30, elem=0x40, length=16)
BYTE = GoType("uint8", "uint8", 1, 4, 0x40)
KNOWN = Known({found.name: found for found in (VALUE, FLAG, TRACE, BYTE)})


def shown(arguments: tuple[Argument, ...]) -> str:
    """Write ``name=ax name=bx:cx name=[8] (the first word on the stack)``."""
    out = []
    for argument in arguments:
        places = list(argument.words.values())
        if places and places[0].stack is not None:
            out.append(f"{argument.name}=[{places[0].stack}]")
        else:
            out.append(f"{argument.name}={':'.join(str(place.register) for place in places)}")
    return " ".join(out)


def both(signature: str, arch: Literal["amd64", "arm64"] = "amd64", abi: Abi = "register") -> str:
    parameters, results = locate(signature, arch=arch, abi=abi, types=KNOWN)
    return f"{shown(parameters)} -> {shown(results)}".strip()


CALL = (
    "s *net/rpc.service, server *net/rpc.Server, sending *sync.Mutex, wg *sync.WaitGroup, "
    "mtype *net/rpc.methodType, req *net/rpc.Request, argv reflect.Value, replyv reflect.Value, codec any"
)
READ_REQUEST = (
    "server *net/rpc.Server, codec interface{ Close() error } -> service *net/rpc.service, "
    "mtype *net/rpc.methodType, req *net/rpc.Request, argv reflect.Value, replyv reflect.Value, "
    "keepReading bool, err error"
)
WRITE = "w *net/http.response, lenData int, dataB []byte, dataS string -> n int, err error"
DATA = "f *m.F, streamID uint32, endStream bool, data []byte, pad []byte -> err error"
FRAME = "f *m.F, p struct{StreamID uint32; B []byte; E bool; H bool; P uint8; Q struct{D uint32; X bool; W uint8}}"


@pytest.mark.parametrize(
    ("signature", "register", "stack"),
    [
        (
            CALL,
            "s=ax server=bx sending=cx wg=di mtype=si req=r8 argv=r9:r10:r11 replyv=[8] codec=[32] ->",
            "s=[8] server=[16] sending=[24] wg=[32] mtype=[40] req=[48] argv=[56] replyv=[80] codec=[104] ->",
        ),
        (
            READ_REQUEST,
            "server=ax codec=bx:cx -> service=ax mtype=bx req=cx argv=di:si:r8 replyv=r9:r10:r11 "
            "keepReading=[8] err=[16]",
            "server=[8] codec=[16] -> service=[32] mtype=[40] req=[48] argv=[56] replyv=[80] "
            "keepReading=[104] err=[112]",
        ),
        (
            WRITE,
            "w=ax lenData=bx dataB=cx:di:si dataS=r8:r9 -> n=ax err=bx:cx",
            "w=[8] lenData=[16] dataB=[24] dataS=[48] -> n=[64] err=[72]",
        ),
        (
            DATA,
            "f=ax streamID=bx endStream=cx data=di:si:r8 pad=r9:r10:r11 -> err=ax:bx",
            "f=[8] streamID=[16] endStream=[20] data=[24] pad=[48] -> err=[72]",
        ),
        (FRAME + " -> err error", "f=ax p=[8] -> err=ax:bx", "f=[8] p=[16] -> err=[64]"),
        (
            "gp *r.g, oldval uint32, newval uint32",
            "gp=ax oldval=bx newval=cx ->",
            "gp=[8] oldval=[16] newval=[20] ->",
        ),
    ],
)  # fmt: skip
def test_real_hooks_on_amd64(signature: str, register: str, stack: str) -> None:
    assert both(signature) == register
    assert both(signature, abi="stack") == stack


def test_arm64_has_more_registers() -> None:
    assert both(FRAME, "arm64").split("p=")[1].split(" ")[0] == ":".join(f"regs[{n}]" for n in range(1, 11))
    words = both(CALL, "arm64")
    assert "replyv=regs[9]:regs[10]:regs[11] codec=regs[12]:regs[13]" in words
    assert both(WRITE, "arm64", "stack") == both(WRITE, "amd64", "stack")


@pytest.mark.parametrize(
    ("signature", "expected"),
    [
        ("", "->"),
        ("a float64, b int, c float32 -> d complex128", "a=xmm0 b=ax c=xmm1 -> d=xmm0:xmm1"),
        # What does not fit goes to the stack as a whole; what comes after it may still be in registers.
        ("a [9]int, b int, c [1]string, d [0]int, e [2]bool, f bool", "a=[8] b=ax c=bx:cx d= e=[80] f=di ->"),
        ("a int, b int, c int, d int, e int, f int, g int, h int, s string, i bool -> r [2]int8",
         "a=ax b=bx c=cx d=di e=si f=r8 g=r9 h=r10 s=[8] i=r11 -> r=[24]"),
        ("a struct{}, b struct{x int; _ struct{}}", "a= b=ax ->"),
        # Blank fields take registers and have no name; Go aligns what follows.
        ("a struct{x bool; _ int32; y bool}, b int8 -> c func(int) (string, error)", "a=ax:cx b=di -> c=ax"),
        ("a map[string][]int, b chan<- int, c <-chan struct{}, d ...string", "a=ax b=bx c=cx d=di:si:r8 ->"),
        ("id t.ID, _ string, _ int, v reflect.Value", "id=[8] _=ax:bx _=cx v=di:si:r8 ->"),
    ],
)  # fmt: skip
def test_corner_cases(signature: str, expected: str) -> None:
    assert both(signature) == expected


def test_words_are_named_and_sized() -> None:
    signature = "p struct{S string; N uint16; ID [16]byte; C complex64}"
    (found,), _ = locate(signature, arch="amd64", abi="register", types=KNOWN)
    assert {name: (word.stack, word.size) for name, word in found.words.items()} == {
        "S_ptr": (8, 8), "S_len": (16, 8), "N": (24, 2), "ID": (26, 16), "C_real": (44, 4), "C_imag": (48, 4),
    }  # fmt: skip
    (value,), _ = locate("v reflect.Value", arch="amd64", abi="register", types=KNOWN)
    assert list(value.words) == ["typ", "ptr", "flag"]
    assert value.source == "register ABI, amd64, type as declared; type metadata, reflect.Value at 0x10"


def test_a_struct_ends_with_padding_behind_a_field_of_no_size() -> None:
    expected = "a=[8] b=[24] ->"
    assert both("a struct{x int; _ struct{}}, b bool", abi="stack") == expected


def test_unknown_types_are_named() -> None:
    with pytest.raises(BinaryError, match=r"net/http\.serverHandler"):
        both("sh net/http.serverHandler")


@pytest.mark.parametrize("types", [
    [GoType("m.T", "struct", 8, 1, 1, (GoField("x", 0, "m.T", 8, False, 1),))],
    [GoType("m.T", "struct", 8, 1, 1, (GoField("x", 4, "int", 8, False, 2),)), GoType("int", "int", 8, 1, 2)],
    [GoType("m.T", "struct", 8, 1, 1, tuple(GoField("x", 0, "int", 8, False, 2) for _ in range(9999))),
     GoType("int", "int", 8, 1, 2)],
    [GoType("m.T", "array", 8, 1, 1, elem=2, length=1 << 60), GoType("int", "int", 8, 1, 2)],
    [GoType("m.T", "tuple", 8, 1, 1)],
])  # fmt: skip
def test_corrupt_metadata_is_refused(types: list[GoType]) -> None:
    with pytest.raises(BinaryError, match=r"^type (m\.T|int): "):
        locate("a m.T", arch="amd64", abi="register", types=Known({found.name: found for found in types}))


@pytest.mark.parametrize("text", [
    "a", "int", "a int,", "a int b int", "a T", "a *", "a [", "a [x]int", "a map[string", "a func(", "a chan",
    "a struct{x}", "a struct{x int", "a interface{", "a int -> -> b int", "a int, a int", "a ]", "a p.T[int",
    "1 int", "a " + "*" * 99 + "int", "a [99999999999999999]int", "a int ->b", 'a "x"', "a int\x00",
    "a p.T" * 20000,
])  # fmt: skip
def test_malformed_signatures_are_refused_in_one_line(text: str) -> None:
    with pytest.raises(BinaryError) as caught:
        parse_signature(text)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(("text", "kind"), [
    ("sync/atomic.Pointer[net/http.response]", "named"),
    ("a/b-c.d/v2.Map[string,struct { X int }]", "named"),
    ("main.local[int]·1", "named"),
    ('struct { F uintptr "json:\\"a;}\\""; sync.Mutex; *net/http.Server }', "struct"),
    ("struct { X, Y map[[2]int]chan (<-chan int) }", "struct"),
    ("func(func(...int) error, interface { M(x []byte) (n int, err error) }) (chan<- bool)", "pointer"),
    ("*func()", "pointer"), ("[][3]*x.T", "slice"), ("[2][3]int", "array"), ("(error)", "interface"),
])  # fmt: skip
def test_types_as_the_runtime_writes_them(text: str, kind: str) -> None:
    assert parse_type(text).kind == kind


def test_embedded_fields_are_named_after_their_types() -> None:
    parsed = parse_type("struct { sync.Mutex; *net/http.Server; a.G[b.T]; X, Y int }")
    assert [name for name, _ in parsed.fields] == ["Mutex", "Server", "G", "X", "Y"]


@pytest.fixture(scope="module", params=gobuild.SOME_VERSIONS)
def web(request: pytest.FixtureRequest) -> GoBinary:
    return GoBinary.open(str(gobuild.build(gobuild.PROGRAMS / "web", go=request.param, ldflags="-s -w")))


def test_types_of_a_real_binary(web: GoBinary) -> None:
    signature = (
        "sh net/http.serverHandler, rw net/http.ResponseWriter, req *net/http.Request, v reflect.Value, "
        "t time.Time, d time.Duration, h net/http.Header, m sync.Mutex -> err error"
    )
    parameters, results = locate(signature, arch="amd64", abi="register", types=web)
    assert shown(parameters) == ("sh=ax rw=bx:cx req=di v=si:r8:r9 t=[8] d=r10 h=r11 m=[32]")
    assert shown(results) == "err=ax:bx"
    assert "type metadata, time.Time at 0x" in parameters[4].source
