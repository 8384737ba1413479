"""Who listens on a TCP port."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable

__all__ = ["listeners", "listening_sockets"]

_LISTEN = b"0A"  # TCP_LISTEN, include/net/tcp_states.h


def listening_sockets(ports: Collection[int], tables: str = "/proc/net") -> dict[int, int]:
    """Socket inode -> port of the TCP sockets (IPv4 and IPv6) that listen on one of ``ports``.

    ``tables`` is the folder of one network namespace: /proc/net, or /proc/PID/net of a process in another
    one.
    """
    found: dict[int, int] = {}
    for name in ("tcp", "tcp6"):
        try:
            with open(f"{tables}/{name}", "rb") as file:  # noqa: PTH123
                lines = file.read().splitlines()[1:]
        except OSError:  # no IPv6, or the process has ended
            continue
        for line in lines:
            # sl local_address rem_address st tx:rx tr:when retrnsmt uid timeout inode …
            fields = line.split(None, 10)
            if len(fields) < 10 or fields[3] != _LISTEN:
                continue
            try:
                port, inode = int(fields[1].rpartition(b":")[2], 16), int(fields[9])
            except ValueError:
                continue
            if port in ports and inode:
                found[inode] = port
    return found


def listeners(ports: Collection[int], pids: Iterable[int]) -> tuple[dict[int, set[int]], set[int]]:
    """Process -> the ports it listens on, and the ports somebody listens on whom we may not see.

    Looked for first in goinst's own network namespace; a port nobody listens on there is then looked for in
    the others (containers).
    """
    pids = list(pids)
    sockets = listening_sockets(ports)
    missing = set(ports) - set(sockets.values())
    if missing:
        for namespace in _other_namespaces(pids):
            sockets.update(listening_sockets(missing, f"/proc/{namespace}/net"))
    owners = _owners(sockets, pids) if sockets else {}
    hidden = set(sockets.values()) - {port for taken in owners.values() for port in taken}
    return owners, hidden


def _other_namespaces(pids: list[int]) -> list[int]:
    """A process in each network namespace but our own."""
    members: dict[str, int] = {}
    for pid in pids:
        try:
            members.setdefault(os.readlink(f"/proc/{pid}/ns/net"), pid)  # noqa: PTH115
        except OSError:
            continue
    try:
        members.pop(os.readlink("/proc/self/ns/net"), None)  # noqa: PTH115
    except OSError:
        return []
    return list(members.values())


def _owners(sockets: dict[int, int], pids: list[int]) -> dict[int, set[int]]:
    wanted = {f"socket:[{inode}]": port for inode, port in sockets.items()}
    owners: dict[int, set[int]] = {}
    for pid in pids:
        folder = f"/proc/{pid}/fd"
        try:
            names = os.listdir(folder)  # noqa: PTH208
        except OSError:
            continue
        for name in names:
            try:
                port = wanted.get(os.readlink(f"{folder}/{name}"))  # noqa: PTH115
            except OSError:
                continue
            if port is not None:
                owners.setdefault(pid, set()).add(port)
    return owners
