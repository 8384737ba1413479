"""What a plugin's author is told when the compiler or the verifier says no: one line, and the right plugin's name."""

from __future__ import annotations

import errno
import os
import platform
import subprocess
import sys
from collections.abc import Iterator

import pytest

from goinst import Record
from goinst.errors import BuildError
from goinst.kernel.compiler import Compiler, blame
from goinst.kernel.loader import Rejected, _complaint, _summary, load
from goinst.kernel.refusal import is_about_the_machine, refused, shortage
from goinst.plan.source import Program, write_source
from parts import GOROUTINE, part, probe
from wire import row

needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="loads BPF programs: needs root (make test uses sudo)")

# Ends of logs as kernels have written them. The last line but the statistics is the complaint.
LOGS = {
    "6.18, unchecked length": (
        "4: (bf) r1 = r10                      ; R1=fp0 R10=fp0\n"
        "5: (07) r1 += -64                     ; R1=fp-64\n"
        "6: (85) call bpf_probe_read_user#112\n"
        "R2 min value is negative, either use unsigned or 'var &= const'\n"
        "processed 7 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n",
        "R2 min value is negative, either use unsigned or 'var &= const'",
    ),
    "6.18, record kept": (
        "25: (b7) r0 = 0                       ; R0=0 refs=3\n"
        "26: (95) exit\n"
        "Unreleased reference id=3 alloc_insn=7\n"
        "BPF_EXIT instruction in main prog would lead to reference leak\n"
        "processed 28 insns (limit 1000000) max_states_per_insn 1 total_states 2 peak_states 2 mark_read 0\n",
        "BPF_EXIT instruction in main prog would lead to reference leak",
    ),
    "6.18, endless": (
        "12: (07) r8 += 8                      ; R8=0x963d8\n"
        "13: (79) r1 = *(u64 *)(r10 -8)\n"
        "BPF program is too large. Processed 1000001 insn\n"
        "processed 1000001 insns (limit 1000000) max_states_per_insn 4 total_states 10991 peak_states 10991"
        " mark_read 0\n",
        "BPF program is too large. Processed 1000001 insn",
    ),
    "6.18, a loop": (
        "infinite loop detected at insn 10\n"
        "cur state: R0=scalar() R6=ctx() R7=0 R10=fp0 fp-8=mmmmmmmm\n"
        "old state: R0=scalar() R6=ctx() R7=0 R10=fp0 fp-8=mmmmmmmm\n"
        "processed 25 insns (limit 1000000) max_states_per_insn 0 total_states 2 peak_states 2 mark_read 0\n",
        "infinite loop detected at insn 10",
    ),
    "6.18, a loop behind a jump": (
        "15: (79) r1 = *(u64 *)(r10 -8)        ; R1=scalar() R10=fp0 fp-8=mmmmmmmm\n"
        "16: (55) if r1 != 0x0 goto pc-8 infinite loop detected at insn 9\n"
        "cur state: R0=scalar() R1=scalar(umin=1) R6=ctx() R7=0 R10=fp0 fp-8=mmmmmmmm\n"
        "processed 29 insns (limit 1000000) max_states_per_insn 0 total_states 2 peak_states 2 mark_read 0\n",
        "infinite loop detected at insn 9",
    ),
    "6.18, context": (
        "2: (b7) r1 = 1                        ; R1=1\n"
        "3: (7b) *(u64 *)(r6 +80) = r1\n"
        "invalid bpf_context access off=80 size=8\n"
        "processed 4 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n",
        "invalid bpf_context access off=80 size=8",
    ),
    "with the source and the time it took": (
        "; return *v;\n"
        "14: (79) r1 = *(u64 *)(r0 +0)\n"
        "R0 invalid mem access 'map_value_or_null'\n"
        "verification time 96 usec\n"
        "stack depth 16\n"
        "processed 14 insns (limit 1000000) max_states_per_insn 0 total_states 1 peak_states 1 mark_read 1\n",
        "R0 invalid mem access 'map_value_or_null'",
    ),
    "5.x, a state after a branch": (
        "R1 invalid mem access 'inv'\n"
        "from 5 to 9: R0=map_value_or_null(id=1,off=0,ks=4,vs=8,imm=0) R6=ctx(id=0,off=0,imm=0) R10=fp0\n"
        "R0=inv0 R1=invP0 R6=ctx(id=0,off=0,imm=0) R10=fp0\n"
        "9: (95) exit\n"
        "processed 10 insns (limit 1000000) max_states_per_insn 0 total_states 0 peak_states 0 mark_read 0\n",
        "R1 invalid mem access 'inv'",
    ),
    "only statistics": ("processed 3 insns (limit 1000000)\n", "processed 3 insns (limit 1000000)"),
    "nothing": ("", "no reason given"),
    "blank": ("\n \n", "no reason given"),
}


@pytest.mark.parametrize(("log", "line"), LOGS.values(), ids=LOGS)
def test_the_verifiers_complaint_in_one_line(log: str, line: str) -> None:
    assert _summary(log) == line


def test_a_complaint_is_not_longer_than_a_line() -> None:
    assert len(_summary("x" * 5000)) == 200


COMPILER = {
    "in the fragment": ("shop/shop.bpf.c:1:22: error: expected expression\nPROBE(a) { int x = ; }\n", "shop"),
    "in another file of it": ("./shop/types.h:3:1: error: unknown type name 'u128'\n", "shop"),
    "first error counts": (
        "till/till.bpf.c:1:1: error: unknown type name 'nonsense'\nshop/shop.bpf.c:9:1: error: expected '}'\n",
        "till",
    ),
    "warnings do not": (
        "till/till.bpf.c:1:1: warning: unused\nshop/shop.bpf.c:9:1: error: expected '}'\n",
        "shop",
    ),
    "LLVM, behind the front end": (
        "error: till/till.bpf.c:2:19: in function goinst_0_1_till_p i32 (%struct.pt_regs*): Looks like the BPF stack"
        " limit of 512 bytes is exceeded.\n",
        "till",
    ),
    "generated code that lacks a program": (
        "goinst/generated.c:20:5: error: implicit declaration of function 'till_p' is invalid in C99\n",
        "till",
    ),
    "LLVM ended the process": ("LLVM ERROR: Cannot select: 0x1: i64 = BPFISD::CALL in goinst_0_0_shop_work\n", "shop"),
    "the core's own": ("goinst/bpf/event.h:3:1: error: unknown type name 'u16'\n", None),
    "nothing": ("", None),
}


@pytest.mark.parametrize(("detail", "plugin"), COMPILER.values(), ids=COMPILER)
def test_who_is_to_blame_for_what_the_compiler_says(detail: str, plugin: str | None) -> None:
    assert blame(detail, ("shop", "till")) == plugin


def test_a_plugins_name_inside_another_word_is_no_blame() -> None:
    detail = "goinst/generated.c:20:5: error: implicit declaration of function 'till_p' is invalid in C99\n"
    assert blame(detail, ("inst", "ill", "till")) == "till"
    assert blame("goinst/bpf/event.h:3:1: error: redefinition of goinst_hit\n", ("inst", "st", "t")) is None


def ignore(values: object, span: object, context: object) -> None:
    """A decoder for records that are never decoded."""


RECORD = Record("bad_record", row(n="u64", text=64), ignore)
ARCH = {"x86_64": "amd64", "aarch64": "arm64"}[platform.machine()]
WORD = {"WORD": "(*(u64 *)((char *)ctx + 80))"}  # a register, on either architecture
LOSSES = {"seen": "so that a value is used"}


def source_of(text: str) -> tuple[str, tuple[Program, ...]]:
    """A plugin with this fragment, behind one that is all right, at the same instruction."""
    good = part("good", "", [probe("good_work", g=None)])
    bad = part("bad", text, [probe("bad_work", g=None)], records=[RECORD], losses=LOSSES, defines=WORD)
    source, programs, _ = write_source(ARCH, GOROUTINE, [good, bad], filter_pids=True)
    return source, programs


@pytest.fixture
def compiler() -> Iterator[Compiler]:
    compiler = Compiler(None)
    yield compiler
    compiler.close()


DOES_NOT_COMPILE = {
    "syntax": ("PROBE(bad_work)\n{\n    int x = ;\n    return x;\n}", "bad/bad.bpf.c:3:13: error: expected expression"),
    "a field that is absent": (
        "PROBE(bad_work)\n{\n    return go_word(WORD + SHOP_NAME);\n}",
        "bad/bad.bpf.c:3:27: error: use of undeclared identifier 'SHOP_NAME'",
    ),
    "a helper that is none": (
        "PROBE(bad_work)\n{\n    return go_string(WORD);\n}",
        "implicit declaration of function 'go_string'",
    ),
    "too much stack": (
        "PROBE(bad_work)\n{\n    char text[600] = {};\n    go_copy(text, 600, WORD, WORD);\n"
        "    if (text[WORD & 511])\n        LOSS(seen);\n    return 0;\n}",
        "BPF stack limit of 512 bytes is exceeded",
    ),
    "no such program": ("PROBE(bad_other)\n{\n    return 0;\n}", "implicit declaration of function 'bad_work'"),
    "not C at all": ("nonsense", "bad/bad.bpf.c:1:1: error: unknown type name 'nonsense'"),
}


@pytest.mark.bpf
@pytest.mark.parametrize(("text", "says"), DOES_NOT_COMPILE.values(), ids=DOES_NOT_COMPILE)
@needs_root
def test_what_does_not_compile(compiler: Compiler, text: str, says: str) -> None:
    source, _ = source_of(text)
    with pytest.raises(BuildError) as caught:
        compiler.compile(source)
    message = str(caught.value)
    assert message.startswith("BPF source does not compile: ")
    assert says in message
    assert "\n" not in message
    assert blame(caught.value.detail, ("good", "bad")) == "bad"


DOES_NOT_VERIFY = {
    "a pointer of the target": ("    if (*(u64 *)WORD)\n        LOSS(seen);", ["invalid mem access"]),
    "a map value that may be missing": (
        "    u64 key = WORD, *value = bad_map.lookup(&key);\n    if (*value)\n        LOSS(seen);",
        ["invalid mem access 'map_value_or_null'"],
    ),
    "a length without a limit": (
        "    char text[64];\n    bpf_probe_read_user(text, WORD, (void *)WORD);",
        ["R2 min value is negative", "R2 unbounded memory access"],
    ),
    "a record that is neither sent nor given back": (
        "    struct bad_record *record = bad_record_reserve(0, hit);\n    if (record)\n        LOSS(seen);",
        ["reference leak", "Unreleased reference"],
    ),
    "a loop without an end": (
        "    while (go_word(WORD))\n        ;",
        ["infinite loop", "back-edge"],
    ),
    "writing to the registers": ("    *(u64 *)ctx = 1;", ["invalid bpf_context access"]),
    "an index without a limit": (
        "    char text[16] = {};\n    go_copy(text, 16, WORD, 16);\n    if (text[WORD & 255])\n        LOSS(seen);",
        ["invalid", "unbounded", "out of bounds"],
    ),
}


@pytest.mark.bpf
@pytest.mark.parametrize(("body", "says"), DOES_NOT_VERIFY.values(), ids=DOES_NOT_VERIFY)
@needs_root
def test_what_does_not_verify(compiler: Compiler, body: str, says: list[str]) -> None:
    text = "BPF_HASH(bad_map, u64, u64, 64);\nPROBE(bad_work)\n{\n" + body + "\n    return 0;\n}"
    source, programs = source_of(text)
    built = compiler.compile(source)
    with pytest.raises(Rejected) as caught:
        load(built, programs, multi=False, ring_bytes=1 << 16, operations=64, rows={})
    message = str(caught.value)
    assert message.startswith("the verifier refuses goinst_0_1_bad_work: ")
    assert any(words in message for words in says), message
    assert "\n" not in message
    assert len(message) < 300
    assert caught.value.function == "goinst_0_1_bad_work"
    assert "processed" in caught.value.detail


@pytest.mark.bpf
@needs_root
def test_what_is_all_right_is_loaded(compiler: Compiler) -> None:
    """The texts above fail for what is wrong with them, and not for how they are put together here."""
    source, programs = source_of("PROBE(bad_work)\n{\n    LOSS(seen);\n    return 0;\n}")
    loaded = load(compiler.compile(source), programs, multi=False, ring_bytes=1 << 16, operations=64, rows={})
    try:
        assert sorted(loaded.programs) == ["goinst_0_0_good_work", "goinst_0_1_bad_work"]
        assert loaded.rejected == []
    finally:
        loaded.close()


@pytest.mark.parametrize("megabytes", [100, 250, 270])
def test_a_compiler_without_memory_says_so(megabytes: int) -> None:
    """Before its libraries are loaded, and while they start; the limit is a child's."""
    script = (
        f"import resource; resource.setrlimit(resource.RLIMIT_AS, ({megabytes << 20},) * 2)\n"
        "from goinst.kernel.compiler import Compiler\n"
        "from goinst.errors import MachineError\n"
        "try:\n    Compiler().compile('int goinst_try(void *ctx) { return 0; }')\n"
        "except MachineError as error:\n    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.startswith("the BPF compiler ran out of memory: "), done.stderr


def test_what_is_no_verdict() -> None:
    """The verifier's log has statistics and no complaint when there was no descriptor for the program."""
    assert _complaint("processed 378 insns (limit 1000000) max_states_per_insn 0 total_states 20\n") == ""
    for number, words in (
        (errno.EMFILE, "Too many open files: "), (errno.ENFILE, "fs.file-max"), (errno.ENOMEM, "--ring-megabytes"),
        (errno.EPERM, "does not let this process load the program x: "),
    ):  # fmt: skip
        error = OSError(number, os.strerror(number))
        assert is_about_the_machine(error)
        assert words in str(refused(error, "load the program x"))
    assert not is_about_the_machine(OSError(errno.EINVAL, ""))
    assert not is_about_the_machine(OSError(errno.EACCES, ""))
    assert shortage(RuntimeError("can't start new thread")) is not None
    assert shortage(MemoryError()) is not None
    assert shortage(RuntimeError("what")) is shortage(OSError(errno.ENOENT, "")) is None
