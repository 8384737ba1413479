"""What plugins share: addresses."""

from __future__ import annotations

import pytest

from goinst import host_port, ip_text


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (bytes([10, 0, 0, 1]), "10.0.0.1"),
        (bytes(10) + b"\xff\xff" + bytes([10, 0, 0, 1]), "10.0.0.1"),
        (bytes.fromhex("20010db8" + "0" * 23 + "1"), "2001:db8::1"),
        (bytes(16), "::"),
        (b"", ""),
        (b"12345", ""),
    ],
)
def test_ip_addresses(data: bytes, text: str) -> None:
    assert ip_text(data) == text


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("10.0.0.1:80", ("10.0.0.1", 80)),
        ("[::1]:8080", ("::1", 8080)),
        ("[fe80::1%eth0]:1", ("fe80::1%eth0", 1)),
        ("::1", ("::1", None)),
        ("[::1]", ("::1", None)),
        ("example.com", ("example.com", None)),
        ("example.com:", ("example.com", None)),
        ("example.com:http", ("example.com:http", None)),
        ("example.com:123456", ("example.com:123456", None)),
        ("/run/app.sock", ("/run/app.sock", None)),
        ("@", ("@", None)),
        ("", ("", None)),
        (b"10.0.0.1:80", ("10.0.0.1", 80)),
        (b"\xff:80", ("\ufffd", 80)),
    ],
)
def test_hosts_and_ports(text: bytes | str, found: tuple[str, int | None]) -> None:
    assert host_port(text) == found
