"""From where administrators are connected to this host: our own SSH session, and everybody else's. Reads only."""

from __future__ import annotations

import os
import struct
from typing import Any

from cjsm_connect.remote import common

ESTABLISHED = "01"  # proc_net_tcp(5)
DEEPEST = 64  # processes between us and sshd; there are five or so


def observe() -> dict[str, Any]:
    """`from` and `port`: where our session comes from and which port it reaches, as this host sees both ("" and 0 if
    this does not run over SSH); `others`: the addresses of all other sessions on that port."""
    client, client_port, _, port = own_connection()
    others = {address for address, at in peers(port) if (address, at) != (client, client_port)}
    return {"from": client, "port": port, "others": sorted(others)}


def own_connection() -> tuple[str, int, str, int]:
    """SSH_CONNECTION (ssh(1)) of the nearest process above us that has it: sudo takes it from its child, not from
    itself."""
    pid = os.getpid()
    for _ in range(DEEPEST):
        for entry in common.read("/proc/%d/environ" % pid).split("\0"):
            words = entry.partition("=")[2].split()
            if entry.startswith("SSH_CONNECTION=") and len(words) == 4:
                return plain(words[0]), int(words[1]), plain(words[2]), int(words[3])
        pid = parent(pid)
        if pid < 1:
            break
    return "", 0, "", 0


def parent(pid: int) -> int:
    """The parent of a process; 0 when there is none to see. The name before it may hold anything (proc(5), stat)."""
    fields = common.read("/proc/%d/stat" % pid).rpartition(")")[2].split()
    return int(fields[1]) if len(fields) > 1 else 0


def peers(port: int) -> list[tuple[str, int]]:
    """The other ends of all established TCP connections to a local port."""
    found = []
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        for line in common.read(table).splitlines()[1:]:
            _, local, remote, state = line.split()[:4]
            if state == ESTABLISHED and port and endpoint(local)[1] == port:
                found.append(endpoint(remote))
    return found


def endpoint(text: str) -> tuple[str, int]:
    """Address and port from the kernel's hexadecimal, 32-bit words in the machine's own order (proc_net_tcp(5))."""
    address, _, port = text.partition(":")
    words = struct.unpack(">%dI" % (len(address) // 8), bytes.fromhex(address))
    packed = struct.pack("=%dI" % len(words), *words)
    return plain(dotted(packed) if len(packed) == 4 else colons(packed)), int(port, 16)


def dotted(packed: bytes) -> str:
    """An IPv4 address in its usual form."""
    return ".".join(str(byte) for byte in packed)


def colons(packed: bytes) -> str:
    """An IPv6 address in its usual form (RFC 5952)."""
    import socket  # a tenth of the whole snapshot, and hardly ever needed

    return socket.inet_ntop(socket.AF_INET6, packed)


def plain(address: str) -> str:
    """An address without its interface, and an IPv4 address as such also where IPv6 carries it (RFC 4291, 2.5.5.2)."""
    text = address.partition("%")[0]
    return text[len("::ffff:") :] if text.startswith("::ffff:") and "." in text else text
