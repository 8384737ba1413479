"""What DWARF adds to a Go program's own tables: names and places of variables."""
