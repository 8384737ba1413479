"""All that the rest of goinst asks a native program or a shared library: what golang.facts answers for Go ones."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from goinst.errors import BinaryError
from goinst.golang.cache import Cache
from goinst.golang.facts import Facts
from goinst.golang.model import Argument, Fact, Location
from goinst.native.binary import NativeBinary

__all__ = ["NativeFacts", "open_facts"]


class NativeFacts(Facts):
    """Questions about an ELF file that is looked at as a native one; ``info.abi`` is ``c``.

    Functions are found by what native.binary.NativeBinary.function takes. There are no runtime types: ``field`` and
    ``type_hash`` know none.
    """

    kind = "native"

    def why_not(self, symbol: str) -> str:
        """Say why ``function`` does not find one, in one line; nothing when it does."""
        return self._ask(f"why not {symbol}", lambda binary: binary.why_not(symbol), str)

    def is_go(self) -> bool:
        """Say whether it is a Go program, which Facts knows more of."""

        def find(binary: NativeBinary) -> Any:
            from goinst.golang.buildinfo import read_build_info
            from goinst.golang.moduledata import find_module

            if read_build_info(binary.image) is not None:
                return True
            try:
                find_module(binary.image, None)
            except BinaryError:
                return False
            return True

        return self._ask("is go", find, bool)

    def field(self, type_name: str, path: str) -> Fact | None:
        """Return None: nothing in a native program describes types to itself."""
        del type_name, path
        return None

    def type_hash(self, type_name: str) -> Fact | None:
        """Return None, as ``field``."""
        del type_name
        return None

    def arguments(self, signature: str) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
        """Return where parameters (at entry) and result (at RET) are by the C ABI; see native.abi.locate."""

        def find(binary: NativeBinary) -> Any:
            from goinst.native.abi import locate

            return [[asdict(argument) for argument in side] for side in locate(signature, arch=binary.image.arch)]

        def make(answer: Any) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
            parameters, results = (tuple(_argument(each) for each in side) for side in answer)
            return parameters, results

        return self._ask(f"arguments {signature}", find, make)

    def _open(self) -> NativeBinary:
        return NativeBinary.open(self._path)


def open_facts(path: str, *, cache: Cache | None = None, native: bool = False) -> Facts:
    """Open a file as what it is: a Go program, else a native one; as a native one in any case when ``native``.

    BinaryError, one line, when it is no ELF file for amd64 or arm64.
    """
    found = NativeFacts.open(path, cache=cache)
    if native:
        return found
    facts = Facts.open(path, cache=cache)
    return facts if facts.known or found.is_go() else found


def _argument(data: dict[str, Any]) -> Argument:
    words = {suffix: Location(**where) for suffix, where in data["words"].items()}
    return Argument(data["name"], data["type"], words, data["source"])
