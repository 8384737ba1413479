"""The text of a SPEC: tokens, syntax, parser."""
