"""Which processes."""

from __future__ import annotations

from goinst.target.discover import Selector
from goinst.target.library import LibrarySelector, find_library
from goinst.target.mapped import MappedFile, mapped_files
from goinst.target.process import Process

__all__ = ["LibrarySelector", "MappedFile", "Process", "Selector", "find_library", "mapped_files"]
