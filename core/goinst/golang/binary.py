"""A Go binary to ask questions: functions, types, itabs, versions. Reads only what a question needs."""

from __future__ import annotations

from functools import cached_property
from typing import Literal

from goinst.binary.elf import Image
from goinst.binary.model import BinaryInfo, Function
from goinst.golang.buildinfo import BuildInfo, read_build_info, release
from goinst.golang.convention import convention
from goinst.golang.debug.information import DebugInfo
from goinst.golang.tables.files import SourceFiles
from goinst.golang.tables.functions import FunctionTable
from goinst.golang.tables.inlining import InlineTrees
from goinst.golang.tables.lines import Lines
from goinst.golang.tables.moduledata import Module, find_module
from goinst.golang.types.descriptors import GoType, TypeTable
from goinst.golang.vintage import dated

__all__ = ["GoBinary"]


class GoBinary:
    """A Go 1.16 to 1.27 program for amd64 or arm64, stripped or not. Only BinaryError comes out of it.

    Addresses are as linked. ``image`` is the file's memory, ``module`` the place of the runtime's tables.
    """

    def __init__(self, image: Image, module: Module, build: BuildInfo) -> None:
        self.image = image
        self.module = module
        self._build = build

    @classmethod
    def open(cls, path: str) -> GoBinary:
        """Find build information and moduledata; BinaryError when ``path`` is no supported Go program."""
        image = Image.open(path)
        build = read_build_info(image) or BuildInfo("")
        version = release(build.go_version)
        module = find_module(image, version)
        return cls(image, module if version is not None else dated(image, module), build)

    @cached_property
    def info(self) -> BinaryInfo:
        """What the binary says of itself; without a release in its build information, by its tables'
        shape.
        """
        image, build = self.image, self._build
        version = self.module.version
        abi, goroutine = convention(self.functions, image, version)
        return BinaryInfo(
            path=image.path,
            build_id=image.build_id,
            arch=image.arch,
            go_version=build.go_version,
            version=version,
            abi=abi,
            goroutine=goroutine,
            library=self._library(),
            main_package=build.main_package,
            main_module=build.main_module,
            modules=dict(build.modules),
            settings=dict(build.settings),
            pie=image.pie,
            has_symtab=image.has_symtab,
            has_dwarf=image.has_dwarf,
            size=image.size,
        )

    def _library(self) -> Literal["", "c-shared", "plugin", "shared"]:
        match self._build.settings.get("-buildmode", ""):
            case "c-shared" | "plugin" | "shared" as mode:
                return mode
            case "":
                return "" if self.image.executable else "c-shared"
        return ""

    # Functions

    @cached_property
    def functions(self) -> FunctionTable:
        """The function table."""
        return FunctionTable(self.image, self.module)

    def function(self, name: str) -> Function | None:
        """Return the function called ``name``; None when it has no body of its own.

        Of the bodies of a generic function, which all have the same name in Go 1.18 to 1.20, the one that DWARF calls
        so.
        """
        found = self.functions.function(name)
        if found is None and "[" in name and "[...]" not in name:
            body = self.containing(self.debug.address(name))
            return None if body is None else Function(name, body.entry, body.end)
        return found

    def matching(self, regex: str) -> tuple[Function, ...]:
        """Return the functions whose name ``regex`` is found in, by address."""
        return self.functions.matching(regex)

    def containing(self, va: int) -> Function | None:
        """Return the function that the address ``va`` is in."""
        return self.functions.containing(va)

    def inlined_callers(self, name: str) -> tuple[str, ...]:
        """Return the names of the functions that hold an inlined body of ``name``."""
        return self.inlines.callers(name)

    @cached_property
    def lines(self) -> Lines:
        """Source lines."""
        return Lines(self.functions, self.inlines, SourceFiles(self.image, self.module, self.functions))

    @cached_property
    def inlines(self) -> InlineTrees:
        """What is inlined where."""
        return InlineTrees(self.image, self.module, self.functions)

    # Types

    @cached_property
    def types(self) -> TypeTable:
        """The type descriptors."""
        swiss = "noswissmap" not in f"{self._build.go_version} {self._build.settings.get('GOEXPERIMENT', '')}"
        return TypeTable(self.image, self.module, swiss_maps=swiss)

    def type(self, name: str) -> GoType | None:
        """Return a type by full name, such as ``net/http.Request``, ``*net/http.response``, ``[]string``.

        From type descriptors; where there is none of it, from DWARF (address and hash are 0 then).
        """
        return self.types.find(name) or self.debug.type(name)

    def type_at(self, address: int) -> GoType:
        """Return the type whose descriptor is at ``address``, such as a GoField's ``type_address``."""
        return self.types.at(address)

    def itab(self, type_name: str, iface_name: str) -> int | None:
        """Return the address of the static itab; one built at run time is not in the file."""
        type_, interface = self.types.find(type_name), self.types.find(iface_name)
        return None if type_ is None or interface is None else self.types.itab(type_, interface)

    @cached_property
    def debug(self) -> DebugInfo:
        """DWARF; finds nothing when the binary has none."""
        return DebugInfo(self.image)
