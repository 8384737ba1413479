"""Spans to where the user wants them."""
