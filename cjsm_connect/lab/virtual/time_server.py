"""A time server for the guest: NTP (RFC 5905, section 7.3) from this machine's clock, which it only reads."""

from __future__ import annotations

import contextlib
import socket
import struct
import threading
import time
from types import TracebackType

EPOCH = 2_208_988_800  # seconds from 1900, where NTP counts from, to 1970
PACKET = struct.Struct("!BBbb2I4s4Q")
SERVER, STRATUM = 4, 2
VERSION_BITS = 0b00111000


class TimeServer:
    """Answers on a UDP port of loopback while it is entered. `port` is known then."""

    def __init__(self) -> None:
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._socket.bind(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)

    def __enter__(self) -> TimeServer:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # wakes the thread
        self._socket.close()
        self._thread.join()

    def _serve(self) -> None:
        while True:
            try:
                question, client = self._socket.recvfrom(1024)
                arrived = _now()
                if len(question) >= PACKET.size:
                    self._socket.sendto(answer(question, arrived), client)
            except OSError:
                return


def answer(question: bytes, arrived: int) -> bytes:
    """The answer to a client's packet that arrived then (NTP timestamp: 32 bits of seconds, 32 of their fraction)."""
    first, _, poll, _, _, _, _, _, _, _, sent = PACKET.unpack(question[: PACKET.size])
    now = _now()
    return PACKET.pack(first & VERSION_BITS | SERVER, STRATUM, poll, -20, 0, 1, bytes(4), now, sent, arrived, now)


def _now() -> int:
    nanoseconds = time.time_ns()
    seconds, rest = divmod(nanoseconds, 10**9)
    return (seconds + EPOCH) % 2**32 << 32 | (rest << 32) // 10**9
