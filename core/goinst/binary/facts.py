"""All that the rest of goinst asks a binary, whatever it was built from."""

from __future__ import annotations

from abc import ABC, abstractmethod

from goinst.binary.model import (
    Argument,
    BinaryInfo,
    Fact,
    Function,
    InlinedSite,
    LineSite,
    Parameter,
    Place,
    Shape,
    Site,
    UsdtProbe,
    Variable,
)

__all__ = ["Facts"]


class Facts(ABC):
    """Questions about one binary: golang.facts.GoFacts answers them of Go programs, native.facts.NativeFacts of others.

    What only some binaries have is not abstract: the answer here is that there is none. BinaryError (one line) comes
    from the first question that has to look into a file that is broken.
    """

    @property
    @abstractmethod
    def info(self) -> BinaryInfo:
        """What the binary says of itself, under the path it was opened by."""

    @property
    @abstractmethod
    def known(self) -> bool:
        """Whether answers were in the cache: then most likely all are that a plan needs."""

    @abstractmethod
    def save(self) -> None:
        """Keep new answers, and let go of the binary and its memory."""

    @abstractmethod
    def mentions(self, pattern: str) -> bool:
        """Whether the regular expression is found anywhere in the file."""

    # Functions

    @abstractmethod
    def function(self, symbol: str) -> Function | None:
        """Return the function with this name, if it has a body of its own."""

    @abstractmethod
    def matching(self, pattern: str) -> tuple[Function, ...]:
        """Return the functions whose name the regular expression is found in."""

    def why_not(self, symbol: str) -> str:
        """Say why ``function`` does not find one, where more is known than that there is none."""
        del symbol
        return ""

    def bodies(self, symbol: str) -> tuple[str, ...]:
        """Return the names of the bodies of a generic function or method: of ``main.Map``, ``main.Map[go.shape.int]``.

        ``symbol`` is written without type arguments, or with ``[...]``. Each name is one that all others take.
        """
        del symbol
        return ()

    def wrapped(self, symbol: str) -> str:
        """Return the function that ``symbol``, made by the compiler, only leads to; empty for code that was written.

        So are method values (``main.(*T).M-fm``), promoted methods, and methods that interfaces need.
        """
        del symbol
        return ""

    def hint(self, symbol: str) -> str:
        """Say what there is instead of a function that is not in the binary: generic, promoted, of an interface."""
        del symbol
        return ""

    def inlined(self, symbol: str) -> tuple[str, ...]:
        """Return the functions that hold an inlined body of ``symbol``: a probe on it does not see calls there."""
        del symbol
        return ()

    def workers(self) -> dict[int, int]:
        """Return marks of functions that goroutines start with, by address: 0 when it takes work from others, again and
        again; else a mask of the words of its closure that may be the function that it calls."""
        return {}

    def usdt(self) -> tuple[UsdtProbe, ...]:
        """Return the USDT probes of the file, by provider and name."""
        return ()

    def marked(self, symbol: str) -> tuple[Variable, ...] | None:
        """Return the arguments of a USDT probe; None when ``symbol`` is a function."""
        del symbol
        return None

    # Packages

    def ending(self, tail: str) -> tuple[str, ...]:
        """Return the names of functions, those that are only inlined too, that end with ``tail``: with the whole of a
        package's path in it, or from a dot or a slash on."""
        del tail
        return ()

    def has_package(self, path: str) -> bool:
        """Say whether functions or types of the package at ``path`` are in the binary."""
        del path
        return False

    def copies(self, path: str) -> tuple[str, ...]:
        """Return the paths of copies of a package below others: in vendor folders, by Bazel's import maps."""
        del path
        return ()

    def forks(
        self, path: str, functions: tuple[str, ...], fields: tuple[tuple[str, str, str], ...]
    ) -> tuple[tuple[str, dict[str, str]], ...]:
        """Return packages that are ``path`` under another name, as golang.packages.forks proves it: each one's path,
        and which packages those that its types are made of are there."""
        del path, functions, fields
        return ()

    def called(self, symbol: str) -> str:
        """Return the name that a function has in this binary: the same, but where packages have other paths."""
        return symbol

    # Types

    def field(self, type_name: str, path: str) -> Fact | None:
        """Return the byte offset of a field from the start of ``type_name``, and the field's size.

        ``path`` may go through structs by value; names promoted from embedded structs are found as in Go.
        """
        del type_name, path
        return None

    def type_hash(self, type_name: str) -> Fact | None:
        """Return runtime._type.hash of a type (``*net/http.response``); None when the program does not have it."""
        del type_name
        return None

    def type_names(self) -> dict[int, str]:
        """Return the names of all types by runtime hash."""
        return {}

    @abstractmethod
    def shape(self, reference: str) -> Shape | None:
        """Return one level of a type: by full name, or by what another shape says its parts are."""

    @abstractmethod
    def full_name(self, written: str) -> str:
        """Return a type as people write it, ``*http.Request``, with its full package path. BinaryError when the
        binary has none of that name, or several."""

    # Arguments

    @abstractmethod
    def arguments(self, signature: str) -> tuple[tuple[Argument, ...], tuple[Argument, ...]]:
        """Return where parameters (at entry) and results (at RET) are. BinaryError names a type that is not there."""

    @abstractmethod
    def parameters(self, symbol: str) -> tuple[Parameter, ...] | None:
        """Return a function's parameters, the receiver first, and its results, as debugging information names them.

        None when there is none for it.
        """

    def takes(self, symbol: str, signature: str) -> bool:
        """Say whether nothing speaks against a function's having these parameters and results, or those and more."""
        del symbol, signature
        return True

    @abstractmethod
    def variables(self, symbol: str, address: int) -> tuple[Variable, ...]:
        """Return the parameters, results and variables of ``symbol`` that can be read at an instruction, each once."""

    # Instructions

    @abstractmethod
    def sites(self, symbol: str, place: Place, callee: str = "") -> tuple[Site, ...]:
        """Return instructions to probe: one for ``entry``, each RET for ``return``, each call of ``callee``
        for ``call``, also where the function is inlined; none when there is no such function."""

    def jumps_out(self, symbol: str) -> tuple[str, ...]:
        """Return the functions that ``symbol`` jumps to at its end: those calls pass none of its RETs."""
        del symbol
        return ()

    def inlined_sites(self, symbol: str) -> tuple[InlinedSite, ...]:
        """Return where each inlined body of ``symbol`` starts: what a probe on the function itself does not see."""
        del symbol
        return ()

    # Lines

    def lines(self, file: str, line: int) -> tuple[LineSite, ...]:
        """Return where the code of a source line starts: in each function one site for its own code, and one for each
        body that is inlined into it. None when the line has no code.

        ``file`` is a path or the end of one (``main.go``, ``net/http/server.go``): of all files that it can be.
        """
        del file, line
        return ()

    def lines_near(self, file: str, line: int) -> tuple[int, ...]:
        """Return the lines with code that are nearest to one that has none: up to three before it, three behind it."""
        del file, line
        return ()

    def source_files(self, file: str) -> tuple[str, ...]:
        """Return the paths of the source files that end with ``file``, as whole parts."""
        del file
        return ()

    def source_line(self, address: int) -> tuple[str, int] | None:
        """Return the file and line of the instruction at ``address``; None when it is in no function."""
        found = self.symbolise(address)
        return (found[0][1], found[0][2]) if found else None

    @abstractmethod
    def symbolise(self, address: int) -> tuple[tuple[str, str, int], ...]:
        """Return (function, file, line) of an instruction: the innermost inlined body first, the function last.

        Nothing when it is in no function. Of a return address, subtract 1: it is behind the call.
        """
