"""Shared BPF C headers."""
