"""Tries on the host itself after activation: each fails with what was seen."""

from __future__ import annotations

import socket
import time
from typing import Any

from cjsm_connect.remote import common

PATIENCE = 20  # seconds that a service may need after its start before a try counts as failed


def all_well(tries: list[dict[str, Any]]) -> None:
    """Run every try, each until it succeeds or its patience is over.

    Raises:
        Failed: the first that did not succeed, with what was seen.
    """
    for item in tries:
        patiently(item)


def patiently(item: dict[str, Any]) -> None:
    """One try, repeated for up to PATIENCE seconds."""
    last = time.monotonic() + PATIENCE
    while True:
        try:
            PROBES[item["probe"]](dict(item["arguments"]))
        except (common.Failed, OSError) as error:
            if time.monotonic() > last:
                raise common.Failed(f"{item['name']}: {error}") from error
            time.sleep(0.3)
        else:
            return


def smtp_banner(arguments: dict[str, Any]) -> None:
    """A listener greets with 220 (RFC 5321 3.1). Arguments: address, port."""
    with socket.create_connection((arguments["address"], arguments["port"]), timeout=5) as connection:
        expect(connection.recv(512), b"220")
        connection.sendall(b"QUIT\r\n")


def smtp_starttls(arguments: dict[str, Any]) -> None:
    """A listener offers STARTTLS (RFC 3207). Arguments: address, port."""
    with socket.create_connection((arguments["address"], arguments["port"]), timeout=5) as connection:
        expect(connection.recv(512), b"220")
        connection.sendall(b"EHLO localhost\r\n")
        reply = connection.recv(4096)
        expect(reply, b"250")
        if b"STARTTLS" not in reply.upper():
            raise common.Failed(f"port {arguments['port']} does not offer STARTTLS")
        connection.sendall(b"QUIT\r\n")


def tcp(arguments: dict[str, Any]) -> None:
    """A port accepts connections. Arguments: address, port."""
    socket.create_connection((arguments["address"], arguments["port"]), timeout=5).close()


def clamd_answers(arguments: dict[str, Any]) -> None:
    """clamd answers PONG on its socket (clamd(8)). Arguments: socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as connection:
        connection.settimeout(10)
        connection.connect(arguments["socket"])
        connection.sendall(b"zPING\0")
        expect(connection.recv(64), b"PONG")


def unit_active(arguments: dict[str, Any]) -> None:
    """A unit is active. Arguments: unit."""
    code, out, _ = common.attempt(["systemctl", "is-active", arguments["unit"]])
    if code:
        raise common.Failed(f"{arguments['unit']} is {out.strip()}, expected active")


def command(arguments: dict[str, Any]) -> None:
    """A program ends with 0. Arguments: argv."""
    common.run(list(arguments["argv"]), seconds=60)


def expect(reply: bytes, wanted: bytes) -> None:
    """A reply begins as wanted."""
    if not reply.startswith(wanted):
        raise common.Failed(f"answered {reply[:80]!r}, expected {wanted.decode()}")


PROBES = {
    "smtp_banner": smtp_banner,
    "smtp_starttls": smtp_starttls,
    "tcp": tcp,
    "clamd_answers": clamd_answers,
    "unit_active": unit_active,
    "command": command,
}
