"""GoFacts: what the rest sees of a binary, from the binary and from the cache."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

import gobuild
from goinst.binary import queries as module
from goinst.cache import Cache
from goinst.errors import BinaryError
from goinst.golang.facts import GoFacts

SERVE = "net/http.serverHandler.ServeHTTP"
SIGNATURE = "sh net/http.serverHandler, rw net/http.ResponseWriter, req *net/http.Request"


@pytest.fixture(scope="module")
def server() -> Path:
    return gobuild.build(gobuild.PROGRAMS / "ping", ldflags="-s -w")


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    return Cache(tmp_path / "cache")


def every_answer(facts: GoFacts) -> list[Any]:
    """Ask one question of each kind, and one of each that has no answer."""
    return [
        facts.info,
        facts.function(SERVE), facts.function("no.such"),
        facts.matching(r"^net/http\.serverHandler\."), facts.matching(r"^nothing$"),
        facts.field("net/http.Request", "URL"), facts.field("net/http.Request", "Nothing"),
        facts.field("no.Such", "Field"),
        facts.type_hash("*net/http.response"), facts.type_hash("*no.Such"),
        facts.arguments(SIGNATURE),
        facts.sites(SERVE, "entry"), facts.sites(SERVE, "return"), facts.sites("no.such", "entry"),
        facts.sites("net/http.(*conn).serve", "call", SERVE),
        facts.inlined("net/http.Header.Get"), facts.inlined("no.such"),
    ]  # fmt: skip


def test_answers(server: Path) -> None:
    facts = GoFacts.open(str(server))
    assert (facts.info.path, facts.info.arch, facts.info.abi) == (str(server), "amd64", "register")
    assert facts.info.build_id.count("/") == 3
    function = facts.function(SERVE)
    assert function is not None
    assert facts.matching(r"^net/http\.serverHandler\.ServeHTTP$") == (function,)
    assert facts.function("no.such") is None
    (entry,) = facts.sites(SERVE, "entry")
    assert function.entry < entry.address < function.end
    assert len(facts.sites(SERVE, "return")) == 1
    (call,) = facts.sites("net/http.(*conn).serve", "call", SERVE)
    assert call.place == "call"
    parameters, results = facts.arguments(SIGNATURE)
    assert [where.register for argument in parameters for where in argument.words.values()] == ["ax", "bx", "cx", "di"]
    assert results == ()
    hashed = facts.type_hash("*net/http.response")
    assert hashed is not None
    assert 0 < hashed.value < 1 << 32
    assert hashed.source.startswith("type metadata, *net/http.response at 0x")


def test_fields_go_through_structs_by_value(server: Path) -> None:
    facts = GoFacts.open(str(server))
    outer = facts.field("net/http.conn", "curState")
    assert outer is not None
    url = facts.field("net/http.Request", "URL")
    assert url is not None
    assert (url.value, url.size) == (16, 8)
    mutex = facts.field("net/http.conn", "mu")
    inside = facts.field("net/http.conn", "mu.mu")
    if inside is None:  # before sync.Mutex wrapped another one
        inside = facts.field("net/http.conn", "mu.sema")
    assert mutex is not None
    assert inside is not None
    assert mutex.value <= inside.value < mutex.value + mutex.size
    assert " at 0x" in inside.source
    assert inside.source.count("type metadata") == 2
    # A pointer is where the struct ends; so is a field that is no struct.
    assert facts.field("net/http.Request", "URL.Path") is None
    assert facts.field("net/http.Request", "Method.x") is None
    assert facts.field("net/http.Request", "") is None


def test_promoted_fields(server: Path) -> None:
    facts = GoFacts.open(str(server))
    # type bufio.ReadWriter struct { *Reader; *Writer }: not by value. net/textproto.Reader and
    # crypto/tls.Conn embed nothing; net.TCPConn embeds conn { fd *netFD } by value.
    direct, promoted = facts.field("net.TCPConn", "conn.fd"), facts.field("net.TCPConn", "fd")
    assert direct is not None
    assert promoted is not None
    assert (direct.value, direct.size) == (promoted.value, promoted.size) == (0, 8)
    assert facts.field("bufio.ReadWriter", "buf") is None


def test_the_cache_gives_the_same_answers_without_the_binary(server: Path, cache: Cache) -> None:
    cold = GoFacts.open(str(server), cache=cache)
    assert not cold.known
    expected = every_answer(cold)
    cold.save()
    warm = GoFacts.open(str(server), cache=cache)
    assert warm.known
    assert every_answer(warm) == expected
    assert warm.known
    assert warm._opened is None


def test_without_saving_or_cache_nothing_is_kept(server: Path, cache: Cache) -> None:
    assert GoFacts.open(str(server), cache=cache).function(SERVE) is not None
    assert list(cache.folder.iterdir()) == []
    GoFacts.open(str(server)).save()
    assert not GoFacts.open(str(server), cache=cache).known


def test_errors_are_remembered_in_the_same_words(server: Path, cache: Cache) -> None:
    facts = GoFacts.open(str(server), cache=cache)
    with pytest.raises(BinaryError, match=r"no/such\.Type") as cold:
        facts.arguments("a no/such.Type")
    facts.save()
    facts = GoFacts.open(str(server), cache=cache)
    with pytest.raises(BinaryError) as warm:
        facts.arguments("a no/such.Type")
    assert str(warm.value) == str(cold.value)
    assert facts._opened is None


def test_savers_keep_each_others_answers(server: Path, cache: Cache) -> None:
    one, two = (GoFacts.open(str(server), cache=cache) for _ in range(2))
    one.function(SERVE)
    two.field("net/http.Request", "URL")
    one.save()
    two.save()
    both = GoFacts.open(str(server), cache=cache)
    both.function(SERVE)
    both.field("net/http.Request", "URL")
    assert both.known


def test_a_copy_shares_answers_under_its_own_path(server: Path, cache: Cache, tmp_path: Path) -> None:
    facts = GoFacts.open(str(server), cache=cache)
    every_answer(facts)
    facts.save()
    copy = tmp_path / "copy"
    copy.write_bytes(server.read_bytes())
    warm = GoFacts.open(str(copy), cache=cache)
    assert warm.info.path == str(copy)
    every_answer(warm)
    assert warm.known


def test_a_file_that_only_claims_the_build_id_gets_no_kept_sites(server: Path, cache: Cache, tmp_path: Path) -> None:
    facts = GoFacts.open(str(server), cache=cache)
    (kept,) = facts.sites(SERVE, "entry")
    facts.save()
    data = bytearray(server.read_bytes())
    data[kept.file_offset] = 0x90  # nop instead of push
    forged = tmp_path / "forged"
    forged.write_bytes(data)
    other = GoFacts.open(str(forged), cache=cache)
    assert other.known
    (site,) = other.sites(SERVE, "entry")
    assert site.instruction == "nop"
    assert not other.known


def test_answers_of_other_code_are_not_taken(server: Path, cache: Cache, monkeypatch: pytest.MonkeyPatch) -> None:
    facts = GoFacts.open(str(server), cache=cache)
    facts.function(SERVE)
    facts.save()
    monkeypatch.setattr(module, "_fingerprint", lambda: "another version")
    assert not GoFacts.open(str(server), cache=cache).known


@pytest.mark.parametrize("junk", [None, 7, [], {"code": "x"}, {"answers": 3}])
def test_junk_in_the_cache_is_absence(server: Path, cache: Cache, junk: Any) -> None:
    facts = GoFacts.open(str(server))
    cache.put("facts", module._key(facts._identity), junk)
    assert not GoFacts.open(str(server), cache=cache).known


def test_junk_for_answers_is_asked_again(server: Path, cache: Cache) -> None:
    facts = GoFacts.open(str(server), cache=cache)
    expected = every_answer(facts)
    questions = list(facts._answers)
    for junk in (None, 7, "x", [], {}, {"answer": 7}, {"answer": [1]}, {"answer": {"code": 1}}, {"error": 1}):
        broken = GoFacts(str(server), facts._identity, dict.fromkeys(questions, junk), None)
        assert every_answer(broken) == expected, junk


def test_a_file_replaced_meanwhile_is_refused(server: Path, tmp_path: Path) -> None:
    path = tmp_path / "server"
    path.write_bytes(server.read_bytes())
    facts = GoFacts.open(str(path))
    path.write_bytes(server.read_bytes() + b"\0")
    with pytest.raises(BinaryError, match="was replaced"):
        facts.function(SERVE)


def test_what_is_no_go_program_is_refused(tmp_path: Path) -> None:
    for path, words in (("/bin/true", "Go"), (str(tmp_path), "not a regular file"), (__file__, "not an ELF")):
        with pytest.raises(BinaryError, match=words) as caught:
            assert GoFacts.open(path).info
        assert "\n" not in str(caught.value)


def test_a_warm_start_is_light(server: Path, cache: Cache) -> None:
    """What is known already needs neither numpy nor the ELF library nor the disassembler, and neither does a run."""
    facts = GoFacts.open(str(server), cache=cache)
    every_answer(facts)
    facts.save()
    code = (
        "import json, sys\n"
        "from pathlib import Path\n"
        "import goinst.run.session\n"
        "from goinst.cache import Cache\n"
        "from goinst.golang.facts import GoFacts\n"
        "facts = GoFacts.open(sys.argv[1], cache=Cache(Path(sys.argv[2])))\n"
        f"facts.info, facts.sites({SERVE!r}, 'entry'), facts.arguments({SIGNATURE!r})\n"
        "heavy = [name for name in ('numpy', 'elftools', 'capstone', 'bcc') if name in sys.modules]\n"
        "print(json.dumps([heavy, facts.known]))\n"
    )
    command = [sys.executable, "-c", code, str(server), str(cache.folder)]
    shown = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(shown.stdout) == [[], True]
