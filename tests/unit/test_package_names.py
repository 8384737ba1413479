"""Packages under other paths than a plugin declares, on small real programs of GOPATH's time."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest

from gobuild import PROGRAMS, VERSIONS, build
from goinst import Field, Fragment, Package, Probe, Protocol, Site, Type, Unseen
from goinst.golang.facts import GoFacts
from goinst.golang.symbols import escaped, unescaped
from goinst.plan.packages import views
from goinst.plan.plan import Plan, PluginPlan, make_plan
from goinst.plan.settings import PlanSettings
from packaging import toolchain

_LIB = "example.org/lib/shop.v2"
_SHOP = """package {package}

import "example.org/lib/price"

type Shop struct {{
	{padding}
	Name  string
	Price price.Tag
}}

//go:noinline
func (s *Shop) Order({arguments}) *price.Tag {{
	println(s.Name, item)
	return &s.Price
}}

func Keep(interface{{}}) {{}}
"""
_PRICE = "package price\n\ntype Tag struct{ Cents int64 }\n"
_OTHER = """package other

import shop "example.org/lib/shop.v2"

func Use() {
	s := &shop.Shop{}
	shop.Keep(*s)
	%s
}
"""
_MAIN = """package main

import (
	%s
)

var kept interface{}

func main() {
	s := &shop.Shop{Name: "corner"}
	kept = *s
	kept = s.Order("tea")
	%s
}
"""

_ORDER = Site(
    "example.org/lib/shop%2ev2.(*Shop).Order",
    f"s *{_LIB}.Shop, item string -> price *example.org/lib/price.Tag",
)
_SHOPPING = Protocol(
    name="shop",
    summary="orders",
    fragments=(Fragment("shop.bpf.c", text="PROBE(shop_order) { return ARG(shop_order, item_len) == SHOP_NAME; }"),),
    fields={"SHOP_NAME": Field(f"{_LIB}.Shop", "Name"), "CENTS": Field("example.org/lib/price.Tag", "Cents")},
    types={"T_SHOP": Type(f"{_LIB}.Shop")},
    probes=(Probe("shop_order", (_ORDER,)),),
    packages=(
        Package(
            _LIB,
            ("example.org/lib/shop%2ev2.(*Shop).Order",),
            ((f"{_LIB}.Shop", "Name", "string"), (f"{_LIB}.Shop", "Price", "example.org/lib/price.Tag")),
        ),
    ),
    unseen=(Unseen(".(*Shop).Order", "orders of {package} are not seen", ("shop_order",)),),
)


def gopath(folder: Path, files: Mapping[str, str], go: str = "") -> GoFacts:
    """A program of ``example.org/app`` in a GOPATH of these files."""
    for name, text in files.items():
        path = folder / "src" / "example.org" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    app = folder / "src" / "example.org" / "app"
    settings = {"GO111MODULE": "off", "GOPATH": str(folder), "GOENV": "off", "GOFLAGS": "", "CGO_ENABLED": "0"}
    binary = folder / "binary"
    command = [toolchain(go), "build", "-o", str(binary), "."]
    subprocess.run(command, cwd=app, env={**os.environ, **settings}, check=True, timeout=300)
    return GoFacts.open(str(binary))


def shop(package: str = "shop", padding: str = "", arguments: str = "item string") -> str:
    return _SHOP.format(package=package, padding=padding, arguments=arguments)


def main(*imports: str, then: str = "") -> str:
    return _MAIN % ("\n\t".join(imports), then)


def planned(facts: GoFacts, protocol: Protocol = _SHOPPING) -> tuple[Plan, PluginPlan]:
    plan = make_plan(facts, (protocol,))
    return plan, plan.plugins[0]


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> GoFacts:
    files = {"lib/shop.v2/shop.go": shop(), "lib/price/price.go": _PRICE}
    return gopath(tmp_path_factory.mktemp("plain"), {**files, "app/main.go": main(f'shop "{_LIB}"')})


def test_a_package_by_its_own_path_is_looked_for_once(plain: GoFacts) -> None:
    assert [view.plain for view in views(plain, (_SHOPPING,))] == [True]
    plan, plugin = planned(plain)
    assert (plugin.enabled, plugin.packages, plugin.unseen) == (True, (), ())
    assert plan.source.count("PROBE(shop_order)") == 1


@pytest.mark.parametrize("go", ["", *(pytest.param(each, marks=pytest.mark.matrix) for each in VERSIONS)])
def test_a_vendored_package_is_found_with_those_that_it_uses(tmp_path: Path, plain: GoFacts, go: str) -> None:
    """Functions, fields by metadata, types by hash and arguments: as with the package by its own path."""
    files = {
        "app/vendor/example.org/lib/shop.v2/shop.go": shop(padding="pad [24]byte"),
        "app/vendor/example.org/lib/price/price.go": _PRICE,
        "app/main.go": main(f'shop "{_LIB}"'),
    }
    facts = gopath(tmp_path, files, go)
    plan, plugin = planned(facts)
    assert plugin.enabled, plugin.reason
    assert dict(plugin.packages) == {path: f"example.org/app/vendor/{path}" for path in (_LIB, "example.org/lib/price")}
    assert plugin.unseen == ()
    (probe,) = plugin.probes
    assert probe.symbol == "example.org/app/vendor/example.org/lib/shop%2ev2.(*Shop).Order"
    assert probe.sites == facts.sites(probe.symbol, "entry")
    _, home = planned(plain)
    if not go:
        assert [a.words for a in probe.parameters] == [a.words for a in home.probes[0].parameters]
    assert {field.macro: field.fact and field.fact.value for field in plugin.fields} == {"SHOP_NAME": 24, "CENTS": 0}
    ((_, _, hash_),) = plugin.types
    assert hash_ is not None
    assert hash_.value == facts.type_hash(f"example.org/app/vendor/{_LIB}.Shop").value  # type: ignore[union-attr]
    assert f"package {_LIB} is example.org/app/vendor/{_LIB}" in plan.describe()


def _twice(then: str) -> dict[str, str]:
    """A program with two vendored copies: its own, and that of a package which it uses; their fields differ."""
    return {
        "app/vendor/example.org/lib/shop.v2/shop.go": shop(),
        "app/vendor/example.org/lib/price/price.go": _PRICE,
        "other/vendor/example.org/lib/shop.v2/shop.go": shop(padding="pad [24]byte"),
        "other/vendor/example.org/lib/price/price.go": _PRICE,
        "other/other.go": _OTHER % then,
    }


def test_of_two_copies_that_is_traced_whose_functions_are_linked(tmp_path: Path) -> None:
    """The other one's types alone, that the linker kept, are no reason to take it."""
    text = main(f'shop "{_LIB}"', '"example.org/other"', then="other.Use()").replace('s.Order("tea")', "nil")
    plan, plugin = planned(gopath(tmp_path, {**_twice('s.Order("tea")'), "app/main.go": text}))
    assert plugin.enabled
    assert dict(plugin.packages)[_LIB] == f"example.org/other/vendor/{_LIB}"
    assert [field.fact and field.fact.value for field in plugin.fields] == [24, 0]
    assert plugin.unseen == ()
    assert plan.enabled == ("shop",)


def test_of_two_copies_in_use_one_is_traced_and_the_other_named(tmp_path: Path) -> None:
    text = main(f'shop "{_LIB}"', '"example.org/other"', then="other.Use()")
    _, plugin = planned(gopath(tmp_path, {**_twice('s.Order("tea")'), "app/main.go": text}))
    assert plugin.enabled
    assert dict(plugin.packages)[_LIB] == f"example.org/app/vendor/{_LIB}"
    assert [field.fact and field.fact.value for field in plugin.fields] == [0, 0]
    (said,) = plugin.unseen
    assert f"example.org/other/vendor/{_LIB} is not seen" in said


def _fork(padding: str = "") -> dict[str, str]:
    text = shop("market", padding).replace("example.org/lib/price", "example.org/market/cost")
    return {"market/market.go": text, "market/cost/cost.go": _PRICE}


def test_a_fork_is_known_by_what_proves_it(tmp_path: Path) -> None:
    """With the package that its types are made of, which is a fork, too."""
    files = _fork(padding="pad [8]byte") | {"app/main.go": main('shop "example.org/market"')}
    _, plugin = planned(gopath(tmp_path, files))
    assert plugin.enabled, plugin.reason
    assert dict(plugin.packages) == {_LIB: "example.org/market", "example.org/lib/price": "example.org/market/cost"}
    assert [field.fact and field.fact.value for field in plugin.fields] == [8, 0]
    assert plugin.unseen == ()


@pytest.mark.parametrize(
    ("market", "call", "why"),
    [
        # other arguments than declared; a field that proves it has another name
        (
            shop("market", arguments="count int, item string"),
            '(1, "tea")',
            "example.org/market.(*Shop).Order takes other",
        ),
        (shop("market").replace("Price price", "Cost price").replace("s.Price", "s.Cost"), '("tea")', "no function"),
    ],
)
def test_a_fork_that_differs_is_not_traced_and_said(tmp_path: Path, market: str, call: str, why: str) -> None:
    files = _fork() | {"market/market.go": market.replace("example.org/lib/price", "example.org/market/cost")}
    text = main('shop "example.org/market"').replace('("tea")', call)
    _, plugin = planned(gopath(tmp_path, files | {"app/main.go": text}))
    assert not plugin.enabled
    assert plugin.reason.startswith(why)
    assert plugin.unseen == ("orders of example.org/market are not seen",)


def test_a_fork_is_not_written_into(tmp_path: Path) -> None:
    files = _fork() | {"app/main.go": main('shop "example.org/market"')}
    write = Probe("shop_write", (_ORDER,), propagates=True, optional=True)
    writing = replace(_SHOPPING, probes=(*_SHOPPING.probes, write))
    plan = make_plan(gopath(tmp_path, files), (writing,), settings=PlanSettings(propagate="write"))
    seen, written = plan.plugins[0].probes
    assert seen.sites
    assert not written.sites
    assert "is a fork" in written.reason


def test_what_the_standard_library_has_vendored_is_its_own() -> None:
    """Go's own net/http has golang.org/x/net's hpack below ``vendor/``: no program's copy of it."""
    facts = GoFacts.open(str(build(PROGRAMS / "ping")))
    hpack = "golang.org/x/net/http2/hpack"
    assert facts.has_package(f"vendor/{hpack}")
    assert facts.copies(hpack) == ()


@pytest.mark.parametrize(
    ("path", "name"),
    [("gopkg.in/yaml.v3", "gopkg.in/yaml%2ev3"), ("net/http", "net/http"), ("a.b/c", "a.b/c"), ("a/b%c", "a/b%25c")],
)
def test_paths_in_the_names_of_functions(path: str, name: str) -> None:
    assert escaped(path) == name
    assert unescaped(name) == path
