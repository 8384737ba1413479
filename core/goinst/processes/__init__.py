"""Which processes."""

from __future__ import annotations

from goinst.processes.discover import Selector
from goinst.processes.library import LibrarySelector, find_library
from goinst.processes.mapped import MappedFile, mapped_files
from goinst.processes.process import Process

__all__ = ["LibrarySelector", "MappedFile", "Process", "Selector", "find_library", "mapped_files"]
