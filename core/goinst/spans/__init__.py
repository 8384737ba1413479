"""Spans: what decoders fill in and exporters write out."""
