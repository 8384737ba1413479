"""Built-in plugins, with no privilege that a stranger's lacks."""
