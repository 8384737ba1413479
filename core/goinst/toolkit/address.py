"""Addresses as Go has them in memory or as text, and as attributes want them."""

from __future__ import annotations

from functools import lru_cache
from ipaddress import ip_address

__all__ = ["host_port", "ip_text"]


@lru_cache(1024)
def ip_text(data: bytes) -> str:
    """A net.IP, 4 or 16 bytes: ``10.0.0.1`` (also where Go keeps it in 16 bytes), ``2001:db8::1``; empty for others."""
    if len(data) not in (4, 16):
        return ""
    address = ip_address(data)
    return str(getattr(address, "ipv4_mapped", None) or address)


@lru_cache(1024)
def host_port(address: bytes | str) -> tuple[str, int | None]:
    """Host and port of ``[::1]:80``, ``10.0.0.1:80``, ``example.com``: without brackets; None where there is no port.

    What is no host with a port, such as the path of a Unix socket, is a host as it is.
    """
    text = address if isinstance(address, str) else address.decode("utf-8", "replace")
    host, colon, port = text.rpartition(":")
    if colon and (":" not in host or (host[:1], host[-1:]) == ("[", "]")):
        if not port:
            return host.strip("[]"), None
        if port.isascii() and port.isdigit() and len(port) <= 5:
            return host.strip("[]"), int(port)
    return (text[1:-1] if (text[:1], text[-1:]) == ("[", "]") else text), None
