"""What a plugin has no probe for is said of binaries that have it, and of no others."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from gobuild import PROGRAMS, build, cached
from goinst import Probe, Protocol, Site, Unseen
from goinst.cli.choice import load_plugins
from goinst.cli.planned import as_members, as_text
from goinst.golang.facts import GoFacts
from goinst.plan.plan import Plan, make_plan
from packaging import run_go


def test_functions_that_nobody_probes_are_named() -> None:
    blind = Protocol(
        name="blind",
        summary="sees little",
        probes=(Probe("blind_main", (Site("main.main"),)), Probe("blind_init", (Site("main.absent"),), optional=True)),
        unseen=(
            Unseen("main.main", "what main does is not seen"),
            Unseen("main.absent", "what nobody does is not seen"),
            Unseen("ain.main", "part of a name is none"),
            Unseen(".main", "{package} is not seen by one", ("blind_init",)),
            Unseen(".main", "{package} is not seen by the other", ("blind_main",)),
        ),
    )
    plan = make_plan(GoFacts.open(str(build(PROGRAMS / "idle"))), (blind,))
    (planned,) = (plugin for plugin in plan.plugins if plugin.name == "blind")
    assert planned.unseen == (
        "what main does is not seen",
        "main is not seen by one",
        "runtime is not seen by one",
        "runtime is not seen by the other",
    )
    text = as_text(plan)
    assert "    what main does is not seen\n" in text
    assert "what nobody does" not in text


_FAST = """package main

import "github.com/valyala/fasthttp"

func main() {
	go fasthttp.ListenAndServe("127.0.0.1:0", func(ctx *fasthttp.RequestCtx) {})
	fasthttp.Get(nil, "http://127.0.0.1:1/")
}
"""
_FIBER = """package main

import "github.com/gofiber/fiber/VERSION"

func main() { fiber.New().Listen("127.0.0.1:0") }
"""
_QUIC = """package main

import (
	"net/http"

	"github.com/quic-go/quic-go/http3"
)

func main() {
	go http3.ListenAndServeQUIC("127.0.0.1:0", "", "", nil)
	client := http.Client{Transport: &http3.CLIENT{}}
	client.Get("https://127.0.0.1:1/")
}
"""
_HERTZ = """package main

import "github.com/cloudwego/hertz/pkg/app/server"

func main() { server.Default().Spin() }
"""
_REQ = """package main

import "github.com/imroc/req/v3"

func main() { req.C().R().Get("http://127.0.0.1:1/") }
"""
_FAST_BOTH = {"HTTP requests that fasthttp (fiber) serves are not seen", "HTTP requests that fasthttp's client sends"}
_CASES = [
    (_FAST, "github.com/valyala/fasthttp v1.78.0", _FAST_BOTH, True),
    (_FAST, "github.com/valyala/fasthttp v1.55.0", _FAST_BOTH, False),
    (_FAST, "github.com/valyala/fasthttp v1.20.0", _FAST_BOTH, False),
    (_FAST, "github.com/valyala/fasthttp v1.0.0", _FAST_BOTH, False),
    (_FIBER.replace("VERSION", "v2"), "github.com/gofiber/fiber/v2 v2.52.9", {"fasthttp (fiber) serves"}, False),
    (_FIBER.replace("VERSION", "v3"), "github.com/gofiber/fiber/v3 v3.0.0", {"fasthttp (fiber) serves"}, False),
    (
        _QUIC.replace("CLIENT", "Transport"),
        "github.com/quic-go/quic-go v0.60.0",
        {"quic-go serves", "client sends"},
        False,
    ),
    (
        _QUIC.replace("CLIENT", "Transport"),
        "github.com/quic-go/quic-go v0.48.2",
        {"quic-go serves", "client sends"},
        False,
    ),
    (_HERTZ, "github.com/cloudwego/hertz v0.10.3", {"hertz serves"}, False),  # it needs a Go of its time
    (_REQ, "github.com/imroc/req/v3 v3.57.0", {"HTTP requests that github.com/imroc/req/v3 sends are not seen"}, False),
]


def _program(text: str, requirement: str) -> Path:
    """Build a program of one file and one module, with what that needs."""

    def run(output: Path) -> None:
        folder = output.with_suffix(".work")
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        (folder / "main.go").write_text(text)
        (folder / "go.mod").write_text(f"module example.org/app\n\ngo 1.24\n\nrequire {requirement}\n")
        go = "1.24.13" if "hertz" in requirement else ""
        run_go(folder, go, "mod", "tidy")
        run_go(folder, go, "build", "-o", str(output), ".")
        shutil.rmtree(folder)

    return cached("app", ["unseen", text, requirement], run)


def _planned(path: Path) -> Plan:
    return make_plan(GoFacts.open(str(path)), load_plugins(()).protocols)


@pytest.mark.parametrize(
    ("text", "requirement", "words"),
    [
        pytest.param(text, module, words, id=module, marks=() if always else pytest.mark.matrix)
        for text, module, words, always in _CASES
    ],
)
def test_servers_and_clients_that_are_not_net_https_are_said(text: str, requirement: str, words: set[str]) -> None:
    plan = _planned(_program(text, requirement))
    said = [sentence for plugin in plan.plugins for sentence in plugin.unseen]
    assert len(said) == len(words), said
    assert all(any(word in sentence for sentence in said) for word in words), said


def test_ordinary_programs_are_not_talked_about() -> None:
    for name in ("ping", "grpc", "routers", "idle"):
        plan = _planned(build(PROGRAMS / name))
        assert [sentence for plugin in plan.plugins for sentence in plugin.unseen] == []
        assert plan.unseen == ()


_LIBRARY = {"c-shared": "it is a shared library", "plugin": "it is a Go plugin"}


@pytest.mark.parametrize("mode", _LIBRARY)
def test_a_library_is_none_of_what_is_traced(tmp_path: Path, mode: str) -> None:
    (tmp_path / "go.mod").write_text("module example.org/lib\n\ngo 1.20\n")
    (tmp_path / "main.go").write_text('package main\n\nimport "C"\n\nfunc main() {}\n')
    path = build(tmp_path, buildmode=mode, cgo=True)
    plan = _planned(path)
    assert plan.info.library == mode
    (sentence,) = plan.unseen
    assert _LIBRARY[mode] in sentence
    assert f"goinst trace '{path.name}:FUNCTION'" in sentence
    text = as_text(plan)
    assert f"not seen  {sentence}" in text
    assert "missing: nothing" not in text
    assert all(plugin["missing"] for plugin in as_members(plan)["plugins"])


def test_a_program_that_loads_go_plugins_is_told_what_it_hides(tmp_path: Path) -> None:
    (tmp_path / "go.mod").write_text("module example.org/host\n\ngo 1.20\n")
    (tmp_path / "main.go").write_text(
        'package main\n\nimport "plugin"\n\nfunc main() { _, err := plugin.Open("x"); println(err.Error()) }\n'
    )
    plan = _planned(build(tmp_path, cgo=True))
    (sentence,) = plan.unseen
    assert "plugin.Open" in sentence
    assert not plan.info.library
