"""DWARF, as far as goinst reads it."""
