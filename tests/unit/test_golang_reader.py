"""The reader of Go binaries, on programs built with real toolchains."""

import random
import re
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest

from gobuild import PROGRAMS, SOME_VERSIONS, VERSIONS, build, derived, stripped, without_sections
from goinst.binary.model import Parameter
from goinst.errors import BinaryError, UsageError
from goinst.golang.binary import GoBinary
from goinst.golang.debug.parameters import parameters
from goinst.golang.types.descriptors import GoType

WEB = PROGRAMS / "web"
SERVE = "net/http.serverHandler.ServeHTTP"

every_version = pytest.mark.parametrize(
    "version",
    [version if version in SOME_VERSIONS else pytest.param(version, marks=pytest.mark.matrix) for version in VERSIONS],
)


def number(version: str) -> tuple[int, int]:
    major, minor, _ = version.split(".")
    return int(major), int(minor)


@cache
def web(version: str = "1.24.13", variant: str = "exe") -> GoBinary:
    return GoBinary.open(str(path_of(version, variant)))


def path_of(version: str, variant: str) -> Path:
    builders: dict[str, Callable[[], Path]] = {
        "exe": lambda: build(WEB, go=version),
        "-s -w": lambda: build(WEB, go=version, ldflags="-s -w"),
        "strip": lambda: stripped(build(WEB, go=version)),
        "pie": lambda: build(WEB, go=version, buildmode="pie"),
        "pie -s -w": lambda: build(WEB, go=version, buildmode="pie", ldflags="-s -w"),
        "no sections": lambda: without_sections(build(WEB, go=version, ldflags="-s -w")),
        "pie no sections": lambda: without_sections(build(WEB, go=version, buildmode="pie", ldflags="-s -w")),
        "arm64": lambda: build(WEB, go=version, goarch="arm64"),
        "cgo pie": lambda: build(
            WEB, go=version, cgo=True, buildmode="pie", ldflags="-linkmode=external", tags="netcgo"
        ),
    }
    return builders[variant]()


def type_of(binary: GoBinary, name: str) -> GoType:
    found = binary.types.find(name)
    assert found is not None, name
    return found


def layout(type_: GoType) -> list[tuple[str, int, int, str]]:
    return [(field.name, field.offset, field.size, field.type_name) for field in type_.fields]


def offset(binary: GoBinary, name: str, field: str) -> int:
    found = type_of(binary, name).field(field)
    assert found is not None, field
    return found.offset


# What the binary says of itself


@every_version
def test_info(version: str) -> None:
    info = web(version).info
    assert info.go_version == f"go{version}"
    assert info.version == number(version)
    assert info.abi == ("stack" if number(version) < (1, 17) else "register")
    assert (info.arch, info.pie, info.has_symtab, info.has_dwarf) == ("amd64", False, True, True)
    assert info.main_package == info.main_module == "example.test/web"
    assert info.size == path_of(version, "exe").stat().st_size
    if number(version) >= (1, 18):
        assert info.settings["GOARCH"] == "amd64"
        assert info.settings["CGO_ENABLED"] == "0"


@pytest.mark.parametrize(("version", "abi"), [("1.17.13", "stack"), ("1.24.13", "register")])
def test_abi_of_arm64(version: str, abi: str) -> None:
    assert (web(version, "arm64").info.arch, web(version, "arm64").info.abi) == ("arm64", abi)


def test_build_id_differs_for_a_stripped_copy_of_the_same_build() -> None:
    whole, copy = web().info.build_id, web("1.24.13", "strip").info.build_id
    assert whole != copy
    assert whole.split("+")[0] == copy.split("+")[0]  # the linker's own id is in both


def test_modules_and_settings_are_read(tmp_path: Path) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "go.mod").write_text("module example.test/lib\n\ngo 1.18\n")
    (tmp_path / "lib" / "lib.go").write_text("package lib\n\nfunc Answer() int { return 42 }\n")
    (tmp_path / "go.mod").write_text(
        "module example.test/app\n\ngo 1.18\n\nrequire example.test/lib v1.2.3\n\nreplace example.test/lib => ./lib\n"
    )
    (tmp_path / "main.go").write_text(
        'package main\n\nimport "example.test/lib"\n\nfunc main() { println(lib.Answer()) }\n'
    )
    info = GoBinary.open(str(build(tmp_path, ldflags="-s -w -X main.unused=1", tags="netgo,osusergo"))).info
    assert info.modules["example.test/lib"] == "(devel)"
    assert info.main_module == "example.test/app"
    assert info.settings["-ldflags"] == "-s -w -X main.unused=1"
    assert info.settings["-tags"] == "netgo,osusergo"


def test_without_build_information_the_tables_tell_the_version() -> None:
    def erase(data: bytearray) -> None:
        at = data.find(b"\xff Go buildinf:")
        while at >= 0:
            data[at : at + 16] = bytes(16)
            at = data.find(b"\xff Go buildinf:", at)

    for version, told in (("1.17.13", (1, 17)), ("1.24.13", (1, 20)), ("1.27.3", (1, 27))):
        binary = GoBinary.open(str(derived(path_of(version, "exe"), "without build information", erase)))
        assert (binary.info.go_version, binary.info.version) == ("", told)
        assert binary.function(SERVE) == web(version).function(SERVE)


# Functions


def nm(path: Path) -> dict[str, int]:
    listed = subprocess.run(["nm", str(path)], capture_output=True, text=True, check=True).stdout
    rows = (line.split(" ", 2) for line in listed.splitlines() if line[0] != " ")
    return {name: int(address, 16) for address, _, name in rows}


@every_version
def test_functions_are_those_of_the_symbol_table(version: str) -> None:
    binary = web(version)
    symbols = {
        name: address
        for name, address in nm(path_of(version, "exe")).items()
        if binary.module.min_pc <= address < binary.module.max_pc
        and re.fullmatch(r"(net/http|runtime|main|crypto/tls)\.[\w.()*]+", name)
        and ".dwrap." not in name  # nm has a dot where pclntab has a middle dot
    }
    assert len(symbols) > 2000
    names = {function.name for function in binary.matching("^(net/http|runtime|main|crypto/tls)[.]")}
    for name, address in symbols.items():
        plain = name.removesuffix(".abi0")
        if plain == name and f"{name}.abi0" not in symbols and plain in names:
            found = binary.function(name)
            assert found is not None, name
            assert found.entry == address, name
            assert binary.containing(address) == binary.containing(found.end - 1) == found
    missing = {name.removesuffix(".abi0") for name in symbols} - names
    assert missing <= {"runtime.text"}


def test_of_an_assembly_function_and_its_wrapper_the_body_is_taken() -> None:
    binary = web("1.26.8")
    assert len(binary.matching(r"^runtime\.newproc$")) == 2
    found = binary.function("runtime.newproc")
    assert found is not None
    assert found.entry == nm(path_of("1.26.8", "exe"))["runtime.newproc"]


@every_version
def test_no_function_by_a_name_that_is_none(version: str) -> None:
    binary = web(version)
    for name in ("", "net/http.serverHandler.Serve", "erverHandler.ServeHTTP", "no.such", "a\0b", "main.twice"):
        assert binary.function(name) is None, name
    assert binary.containing(0) is None
    assert binary.containing(1 << 62) is None
    assert binary.matching("^no such function$") == ()


def test_matching_is_by_address_and_rejects_bad_expressions() -> None:
    found = web().matching(r"^main\.")
    assert {"main.main", "main.hello", "main.rpcHandler", "main.client"} <= {item.name for item in found}
    assert list(found) == sorted(found, key=lambda item: item.entry)
    with pytest.raises(UsageError, match="not a regular expression"):
        web().matching("(")


@every_version
def test_inlined_callers(version: str) -> None:
    binary = web(version)
    assert binary.inlined_callers("main.twice") == ("main.hello",)
    assert binary.inlined_callers("main.half") == ("main.hello",)  # three levels deep
    assert binary.inlined_callers("net/http.(*Client).Do") == ("net/http.(*Client).Get",)
    assert binary.inlined_callers(SERVE) == ()
    assert binary.inlined_callers("no.such") == ()


@pytest.mark.parametrize("variant", ["pie -s -w", "no sections", "arm64"])
@pytest.mark.parametrize("version", ["1.17.13", "1.24.13"])
def test_inlined_callers_of_variants(version: str, variant: str) -> None:
    plain, other = web(version), web(version, variant)
    for name in ("main.double", "net/http.(*Client).Do", "bufio.(*Writer).Available"):
        assert sorted(other.inlined_callers(name)) == sorted(plain.inlined_callers(name)) != []


# Types


@every_version
def test_known_layouts(version: str) -> None:
    """Values that the sources of net/http, net/url and runtime of these releases give."""
    binary, release = web(version), number(version)
    assert offset(binary, "net/url.URL", "RawQuery") == (88 if release >= (1, 26) else 96)
    assert offset(binary, "runtime.g", "goid") == (160 if release in ((1, 23), (1, 24)) else 152)
    assert offset(binary, "net/http.Request", "Method") == 0
    assert offset(binary, "net/http.Request", "URL") == 16
    assert type_of(binary, "bufio.Reader").size == 88
    zoo = type_of(binary, "main.Zoo")
    assert layout(zoo) == [
        ("Args", 0, 16, "main.Args"),
        ("Arith", 16, 8, "*main.Arith"),
        ("Flag", 24, 1, "bool"),
        ("Small", 25, 1, "int8"),
        ("Ratio", 28, 4, "float32"),
        ("Wave", 32, 16, "complex128"),
        ("Grid", 48, 12, "[3][2]uint16"),
        ("Events", 64, 8, "chan<- main.Args"),
        ("Visit", 72, 8, "func(string, ...int) (bool, error)"),
        ("Any", 80, 16, "interface {}"),
        ("Close", 96, 16, "io.Closer"),
        ("ByName", 112, 8, "map[string]*main.Zoo"),
        ("Text", 120, 16, "string"),
        ("Raw", 136, 24, "[]uint8"),
        ("Point", 160, 8, "struct { X int32; Y int32 }"),
        ("unexported", 168, 8, "uintptr"),
    ]
    assert [field.name for field in zoo.fields if field.embedded] == ["Args", "Arith"]
    for field in zoo.fields:  # every name that is given out can be asked for
        assert binary.type(field.type_name) == binary.type_at(field.type_address)


@every_version
def test_types_of_a_stripped_server(version: str) -> None:
    binary = web(version, "-s -w")
    names = (
        *("runtime.g", "runtime.m", "bufio.Reader", "bufio.Writer", "net.TCPConn", "net.netFD", "crypto/tls.Conn"),
        *("net/http.Request", "net/http.response", "net/http.conn", "net/http.Header", "net/http.HandlerFunc"),
        *("*net/http.Request", "net/http.ResponseWriter", "context.Context", "error", "string", "uint8"),
        *("*bufio.Reader", "map[string][]string", "func(net/http.ResponseWriter, *net/http.Request)"),
    )
    for name in names:
        found = type_of(binary, name)
        assert found.name == name
        assert binary.type_at(found.address) == found
    for name in ("", ".", "*", "http.Request", "net/http.Reques", "net/http.http.Request", "x.Request", "[]", "map["):
        assert binary.type(name) is None, name


def test_parts_of_types() -> None:
    binary = web()
    pointer = type_of(binary, "*net/http.Request")
    assert pointer.elem == type_of(binary, "net/http.Request").address
    header = type_of(binary, "net/http.Header")
    assert header.key == type_of(binary, "string").address
    assert header.elem is not None
    assert binary.type_at(header.elem).name == "[]string"
    assert type_of(binary, "net/http.ResponseWriter").methods == ("Header", "Write", "WriteHeader")
    grid = type_of(binary, "[3][2]uint16")
    assert (grid.length, grid.size, grid.elem) == (3, 12, type_of(binary, "[2]uint16").address)
    visit = type_of(binary, "func(string, ...int) (bool, error)")
    assert visit.variadic
    assert [binary.type_at(at).name for at in visit.inputs] == ["string", "[]int"]
    assert [binary.type_at(at).name for at in visit.outputs] == ["bool", "error"]


def test_packages_with_one_last_element_are_told_apart() -> None:
    binary = web()
    assert layout(type_of(binary, "net/http.conn")) != layout(type_of(binary, "net.conn"))
    assert type_of(binary, "vendor/golang.org/x/net/http2/hpack.HeaderField").kind == "struct"
    assert binary.types.find("golang.org/x/net/http2/hpack.HeaderField") is None


def test_a_package_whose_name_is_not_in_its_path(tmp_path: Path) -> None:
    (tmp_path / "v2.0").mkdir()
    (tmp_path / "go.mod").write_text("module example.test/odd\n\ngo 1.18\n")
    (tmp_path / "v2.0" / "odd.go").write_text("package renamed\n\ntype Pair[T any] struct{ Left, Right T }\n")
    (tmp_path / "main.go").write_text(
        'package main\n\nimport renamed "example.test/odd/v2.0"\n\nimport "fmt"\n\n'
        "type local struct{ N int16 }\n\n"
        "func main() { fmt.Println(&renamed.Pair[local]{}, renamed.Pair[string]{}) }\n"
    )
    binary = GoBinary.open(str(build(tmp_path, ldflags="-s -w")))
    assert type_of(binary, "example.test/odd/v2.0.Pair[string]").size == 32
    assert layout(type_of(binary, "example.test/odd/v2.0.Pair[main.local]")) == [
        ("Left", 0, 2, "main.local"),
        ("Right", 2, 2, "main.local"),
    ]


@every_version
def test_itabs(version: str) -> None:
    binary = web(version)
    symbols = nm(path_of(version, "exe"))
    prefix = "go.itab" if number(version) < (1, 20) else "go:itab"
    for type_, interface, method in (
        ("*net/http.response", "net/http.ResponseWriter", "net/http.(*response).Header"),
        ("*net/http.body", "io.ReadCloser", "net/http.(*body).Close"),
        ("net/http.HandlerFunc", "net/http.Handler", "net/http.HandlerFunc.ServeHTTP"),
        ("*net.TCPConn", "net.Conn", "net.(*TCPConn).Close"),
    ):
        itab = binary.itab(type_, interface)
        assert itab is not None, (type_, interface)
        if number(version) < (1, 27):  # Go 1.27 gives most itabs no symbol
            assert itab == symbols[f"{prefix}.{type_},{interface}"]
        first = binary.containing(binary.image.u64(itab + 24))  # methods are sorted by name
        assert first is not None
        assert first.name in (method, method.replace("TCPConn", "conn"))
    assert binary.itab("*net/http.response", "error") is None
    assert binary.itab("no.such", "error") is None


def struct_layouts(binary: GoBinary) -> dict[str, list[tuple[str, int, int, str]]]:
    return {type_.name: layout(type_) for type_ in binary.types.structs()}


@pytest.mark.parametrize("variant", ["-s -w", "strip", "pie", "pie -s -w", "no sections", "pie no sections"])
@every_version
def test_variants_have_the_same_types_and_functions(version: str, variant: str) -> None:
    plain, other = web(version), web(version, variant)
    assert struct_layouts(other) == struct_layouts(plain)
    assert len(struct_layouts(other)) > 600
    assert {item.name for item in other.matching(r"^net/http\.")} == {
        item.name for item in plain.matching(r"^net/http\.")
    }
    assert other.itab("*net/http.response", "net/http.ResponseWriter") is not None
    assert type_of(other, "net/http.Request").hash == type_of(plain, "net/http.Request").hash
    assert other.info.go_version == plain.info.go_version
    assert other.info.pie == variant.startswith("pie")
    assert other.info.has_dwarf == (variant == "pie")


@pytest.mark.parametrize("version", ["1.22.12", pytest.param("1.26.8", marks=pytest.mark.matrix)])
def test_externally_linked_pie(version: str) -> None:
    """Before Go 1.26 the linker leaves no .gopclntab section here, and .text starts before runtime.text."""
    binary = web(version, "cgo pie")
    function = binary.function("main.hello")
    assert function is not None
    assert function.entry == nm(path_of(version, "cgo pie"))["main.hello"]
    assert layout(type_of(binary, "net/http.Request")) == layout(type_of(web(version), "net/http.Request"))
    assert binary.inlined_callers("main.half") == ("main.hello",)


@pytest.mark.parametrize("version", ["1.17.13", "1.26.8", pytest.param("1.27.3", marks=pytest.mark.matrix)])
def test_arm64(version: str) -> None:
    binary = web(version, "arm64")
    assert offset(binary, "runtime.g", "goid") == offset(web(version), "runtime.g", "goid")
    assert layout(type_of(binary, "net/http.Request")) == layout(type_of(web(version), "net/http.Request"))
    function = binary.function(SERVE)
    assert function is not None
    assert function.entry % 4 == 0
    assert binary.itab("*net/http.response", "net/http.ResponseWriter") is not None


# DWARF


@every_version
def test_types_agree_with_dwarf(version: str) -> None:
    binary = web(version)
    compared = 0
    for type_ in binary.types.structs():
        if "[" in type_.name or not type_.name.startswith(("net", "runtime.", "main.", "bufio.", "context.")):
            continue  # type arguments are spelled differently
        debug = binary.debug.type(type_.name)
        if debug is not None:
            assert (debug.kind, debug.size) == ("struct", type_.size), type_.name
            assert [(field.name, field.offset, field.size, field.embedded) for field in debug.fields] == [
                (field.name, field.offset, field.size, field.embedded) for field in type_.fields
            ], type_.name
            compared += 1
    assert compared > 250


@pytest.mark.parametrize("variant", ["exe", "pie"])
@every_version
def test_dwarf_has_what_type_descriptors_lack(version: str, variant: str) -> None:
    binary = web(version, variant)
    if number(version) >= (1, 17):  # Go 1.16 has a descriptor
        assert binary.types.find("net/http.transferReader") is None
        assert binary.type("net/http.transferReader") == binary.debug.type("net/http.transferReader")
        assert web(version, "-s -w").type("net/http.transferReader") is None
    found = binary.debug.type("net/http.transferReader")
    assert found is not None
    assert (found.address, found.hash, found.kind) == (0, 0, "struct")
    assert [field.name for field in found.fields][:3] == ["Header", "StatusCode", "RequestMethod"]
    assert [field.offset for field in found.fields][:3] == [0, 8, 16]


@every_version
def test_parameters_from_dwarf(version: str) -> None:
    binary = web(version)
    inputs, results = (
        (("c", "*net/http.conn"), ("ctx", "context.Context")),
        (("w", "*net/http.response"), ("err", "error")),
    )
    assert parameters(binary, "net/http.(*conn).readRequest") == (
        *(Parameter(name, type_, result=False) for name, type_ in inputs),
        *(Parameter(name, type_, result=True) for name, type_ in (() if version == "1.17.13" else results)),
    )
    assert parameters(binary, "main.twice") is not None  # inlined everywhere
    assert parameters(binary, "no.such") is None
    assert parameters(web(version, "-s -w"), "main.hello") is None


def test_uncompressed_dwarf() -> None:
    binary = GoBinary.open(str(build(WEB, go="1.24.13", ldflags="-compressdwarf=false")))
    assert binary.debug.type("net/http.transferReader") == web().debug.type("net/http.transferReader")
    assert parameters(binary, "main.hello") == parameters(web(), "main.hello")


# Memory


def test_memory_and_file_offsets() -> None:
    binary = web()
    function = binary.function(SERVE)
    assert function is not None
    at = binary.image.file_offset(function.entry)
    assert at is not None
    content = Path(binary.image.path).read_bytes()
    assert binary.image.read(function.entry, 64) == content[at : at + 64]
    assert binary.image.file_offset(1) is None
    text = binary.image.section(".text")
    assert text is not None
    assert text[0] <= function.entry < text[0] + text[2]
    for va, size in ((0, 1), (function.entry, 1 << 40), (function.entry, -1), (1 << 70, 4)):
        with pytest.raises(BinaryError):
            binary.image.read(va, size)


def test_relocations_are_applied_to_what_is_read() -> None:
    image = web("1.24.13", "pie no sections").image
    module = web("1.24.13", "pie no sections").module
    assert image.u64(module.address) == module.pclntab
    whole = image.read(module.address - 64, 512)
    for start in range(1, 140, 3):  # reads that begin and end within pointers
        assert image.read(module.address - 64 + start, 300) == whole[start : start + 300]
        assert image.read(module.address + start, 1) == whole[64 + start : 65 + start]


def test_relocated_words_that_the_linker_left_empty() -> None:
    """The addends count, not what the file happens to have in place."""
    path = path_of("1.24.13", "pie -s -w")
    image = GoBinary.open(str(path)).image

    def blank(data: bytearray) -> None:
        rela = image.section(".rela")
        assert rela is not None
        for at in range(rela[1], rela[1] + rela[2], 24):
            place, info, _ = struct.unpack_from("<QQq", data, at)
            offset = image.file_offset(place)
            if info & 0xFFFFFFFF == 8 and offset is not None:
                data[offset : offset + 8] = bytes(8)

    emptied = GoBinary.open(str(derived(path, "with empty relocated words", blank)))
    assert struct_layouts(emptied) == struct_layouts(web("1.24.13", "pie -s -w"))
    assert emptied.itab("*net/http.response", "net/http.ResponseWriter") is not None


# What is not a Go program, or no longer


def refused(path: Path) -> str:
    with pytest.raises(BinaryError) as caught:
        GoBinary.open(str(path))
    message = str(caught.value)
    assert "\n" not in message
    assert message.startswith(str(path))
    return message


def test_refusals(tmp_path: Path) -> None:
    path = tmp_path / "program"
    assert "cannot be opened" in refused(path)
    assert "regular file" in refused(tmp_path)
    path.write_bytes(b"")
    assert "is empty" in refused(path)
    path.write_bytes(b"#!/bin/sh\nexit 0\n")
    assert "not an ELF file" in refused(path)
    whole = path_of("1.24.13", "exe").read_bytes()
    path.write_bytes(whole[:4] + b"\x01" + whole[5:])
    assert "64-bit" in refused(path)
    path.write_bytes(whole[:5] + b"\x02" + whole[6:])
    assert "little-endian" in refused(path)
    path.write_bytes(whole[:18] + b"\xf3\x00" + whole[20:])
    assert "EM_RISCV" in refused(path)
    path.write_bytes(whole[:16] + b"\x01\x00" + whole[18:])
    assert "not an executable" in refused(path)
    path.write_bytes(whole[: len(whole) // 3])
    assert "truncated" in refused(path)


def test_a_c_program_is_refused(tmp_path: Path) -> None:
    assert "not a Go program" in refused(Path("/bin/true").resolve())


def test_an_older_go_is_refused() -> None:
    def age(data: bytearray) -> None:
        at = data.find(b"\xfa\xff\xff\xff\0\0\1\x08")
        while at >= 0:
            data[at] = 0xFB
            at = data.find(b"\xfa\xff\xff\xff\0\0\1\x08", at)

    assert "Go 1.15 or older" in refused(derived(path_of("1.17.13", "exe"), "with the magic of Go 1.2", age))


def questions(binary: GoBinary) -> Iterator[object]:
    asked = (
        lambda: binary.info,
        lambda: binary.function(SERVE),
        lambda: binary.containing(binary.module.text + 5000),
        lambda: binary.matching(r"^net/http\.\(\*conn\)"),
        lambda: binary.inlined_callers("net/http.(*Client).Do"),
        lambda: binary.inlined_callers("sync.(*Mutex).Lock"),
        lambda: binary.type("net/http.Request"),
        lambda: binary.type("map[string][]string"),
        lambda: binary.type("func(net/http.ResponseWriter, *net/http.Request)"),
        lambda: binary.type("net/http.transferReader"),
        lambda: binary.itab("*net/http.response", "net/http.ResponseWriter"),
        binary.types.structs,
        lambda: parameters(binary, "net/http.(*conn).serve"),
    )
    for ask in asked:
        try:
            yield ask()
        except BinaryError as error:
            assert "\n" not in str(error)
            yield error


def survives(path: Path) -> bool:
    """Ask everything of a damaged file; tell whether it could be opened."""
    started = time.monotonic()
    try:
        binary = GoBinary.open(str(path))
    except BinaryError as error:
        assert "\n" not in str(error)
        return False
    answers = list(questions(binary))
    assert len(answers) == 13
    assert time.monotonic() - started < 10
    return True


@pytest.mark.parametrize("variant", ["exe", "pie -s -w"])
def test_truncated_files(tmp_path: Path, variant: str) -> None:
    whole = path_of("1.24.13", variant).read_bytes()
    path = tmp_path / "program"
    sizes = [0, 1, 15, 16, 40, 63, 64, 65, 120, 600, 4096, *(len(whole) * part // 16 for part in range(1, 16))]
    opened = []
    for size in (*sizes, len(whole) - 1):
        path.write_bytes(whole[:size])
        opened.append(survives(path))
    assert not any(opened[:20])
    assert opened[-1]  # what is missing are debugging sections or section headers


@pytest.mark.parametrize(
    "version", ["1.17.13", "1.27.3", *(pytest.param(v, marks=pytest.mark.matrix) for v in ("1.16.15", "1.22.12"))]
)
@pytest.mark.parametrize("variant", ["exe", "pie -s -w"])
def test_damaged_files(tmp_path: Path, version: str, variant: str) -> None:
    binary = web(version, variant)
    image, module = binary.image, binary.module
    whole = path_of(version, variant).read_bytes()
    spots = [(0, 1024), (len(whole) - 4000, 4000), (struct.unpack_from("<Q", whole, 40)[0], 2500)]
    for va, size in (
        (module.address, 600),
        (module.pclntab, 200),
        (module.functab, 8 * module.functions),
        (module.types, module.types_size),
    ):
        spots.append((image.file_offset(va) or 0, size))
    for section in (".go.buildinfo", ".dynamic", ".rela", ".debug_info", ".zdebug_info", ".debug_abbrev", ".shstrtab"):
        found = image.section(section)
        if found is not None:
            spots.append(found[1:])
    choose = random.Random(f"{version} {variant}")
    path = tmp_path / "program"
    opened = 0
    for _ in range(24):
        data = bytearray(whole)
        for _ in range(choose.choice((1, 3, 30, 1000))):
            start, size = choose.choice(spots)
            at = min(start + choose.randrange(size), len(data) - 1)
            data[at] = choose.choice((0, 255, choose.randrange(256), data[at] ^ 1 << choose.randrange(8)))
        path.write_bytes(data)
        opened += survives(path)
    assert opened > 0
