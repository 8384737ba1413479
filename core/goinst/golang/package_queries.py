"""Which packages a binary has, and by what names: the part of Facts that is about them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from goinst.binary.codec import names_from
from goinst.binary.queries import Answers

if TYPE_CHECKING:
    from goinst.golang.binary import GoBinary

__all__ = ["PackageAnswers"]


class PackageAnswers(Answers):
    """Questions about packages and about functions by parts of their names."""

    def ending(self, tail: str) -> tuple[str, ...]:
        """Return the names of functions, those that are only inlined too, that end with ``tail``: with the whole of a
        package's path in it, or from a dot or a slash on."""

        def find(binary: GoBinary) -> Any:
            names = {*binary.functions.spelled(f"{tail}\0".encode())}
            if not tail.startswith((".", "/")):
                names = {name for name in names if f"/{name}".endswith(f"/{tail}")}
            return sorted(names)

        return self._ask(f"ending {tail}", find, names_from)

    def has_package(self, path: str) -> bool:
        """Say whether functions or types of the package at ``path`` are in the binary."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.packages import has_package

            return has_package(binary, path)

        return self._ask(f"package {path}", find, bool)

    def copies(self, path: str) -> tuple[str, ...]:
        """Return the paths of copies of a package below others: in vendor folders, by Bazel's import maps."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.packages import copies

            return list(copies(binary, path))

        return self._ask(f"copies {path}", find, names_from)

    def forks(
        self, path: str, functions: tuple[str, ...], fields: tuple[tuple[str, str, str], ...]
    ) -> tuple[tuple[str, dict[str, str]], ...]:
        """Return packages that are ``path`` under another name, as golang.packages.forks proves it: each one's path,
        and which packages those that its types are made of are there."""

        def find(binary: GoBinary) -> Any:
            from goinst.golang.packages import forks

            return [[other, uses] for other, uses in forks(binary, path, functions, fields)]

        return self._ask(
            f"forks {path} {functions} {fields}", find, lambda answer: tuple((str(p), dict(uses)) for p, uses in answer)
        )

    def called(self, symbol: str) -> str:
        """Return the name that a function has in this binary: the same, but where packages have other paths."""
        return symbol
