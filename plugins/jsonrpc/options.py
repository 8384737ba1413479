"""What is kept of a message, whatever carried it: options that two plugins share."""

from __future__ import annotations

from goinst import Option

__all__ = ["MESSAGE_OPTIONS"]

MESSAGE_OPTIONS = (
    Option("error_messages", True, "keep the texts of errors"),
    Option("param_names", False, "keep the names of a call's parameters, or how many it has"),
    Option("param_values", False, "keep a call's parameters; their values only with --no-redact"),
)
