"""Which processes."""
