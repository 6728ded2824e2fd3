"""Tries of the virus scanner on the host itself: it answers, it finds, and Postfix can talk to its milter."""

from __future__ import annotations

import struct
from typing import Any

from cjsm_connect.remote import common
from cjsm_connect.remote import milter as milter_protocol

SECONDS = 10
# the test file of EICAR (https://www.eicar.org), in two parts so that no scanner takes this file for it
EICAR = rb"X5O!P%@AP[4\PZX54(P^)7CC)7}" + rb"$EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"


def clamd(arguments: dict[str, Any]) -> None:
    """clamd answers, and finds the EICAR test file (clamd(8), PING and INSTREAM). Arguments: socket."""
    expect(asked(arguments["socket"], b"zPING\0"), b"PONG")
    stream = struct.pack("!I", len(EICAR)) + EICAR + struct.pack("!I", 0)
    found = asked(arguments["socket"], b"zINSTREAM\0" + stream)
    if not found.rstrip(b"\0\n").endswith(b"FOUND"):
        raise common.Failed(f"clamd says {found!r} of the EICAR test file, expected that it is found")


def milter(arguments: dict[str, Any]) -> None:
    """The milter agrees on a session (SMFIC_OPTNEG); without it all mail waits. Arguments: socket (or inet:...)."""
    answer = asked(arguments["socket"], milter_protocol.opening())
    if len(answer) < 17 or answer[4:5] != b"O":
        raise common.Failed(f"the milter answered {answer!r} to the beginning of a session")


def asked(address: str, question: bytes) -> bytes:
    """What a program answers first on its socket."""
    try:
        with milter_protocol.connected(address, SECONDS) as connection:
            connection.sendall(question)
            return connection.recv(512)
    except OSError as error:
        raise common.Failed(f"{address}: {error}") from error


def expect(reply: bytes, wanted: bytes) -> None:
    """A reply begins as wanted."""
    if not reply.startswith(wanted):
        raise common.Failed(f"answered {reply!r}, expected {wanted.decode()}")
