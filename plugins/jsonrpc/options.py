"""What two plugins share: how a program of JSON-RPC is known, and what is kept of a message."""

from __future__ import annotations

from goinst import Option

__all__ = ["MENTIONS", "MESSAGE_OPTIONS"]

MENTIONS = r"jsonrpc(?![/.:])(?<!/jsonrpc)"
"""What a program of JSON-RPC 2.0 has in its file, and the path and the errors of net/rpc/jsonrpc are not."""

MESSAGE_OPTIONS = (
    Option("error_messages", True, "keep the texts of errors"),
    Option("param_names", False, "keep the names of a call's parameters, or how many it has"),
    Option("param_values", False, "keep a call's parameters; their values only with --no-redact"),
)
