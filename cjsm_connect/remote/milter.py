"""A mail server's side of the milter protocol, on the host itself: what does the scanner say to this message?

Nothing is delivered by it: a milter only ever answers.
https://github.com/emersion/go-milter/blob/master/milter-protocol.txt; Sendmail, include/libmilter/mfdef.h
"""

from __future__ import annotations

import socket
import struct
import time
from typing import Any

ACTIONS, STEPS = 0x1FF, 0x1FFFFF  # everything a milter may do, and every step it may leave out or not answer
CHUNK = 65535  # of a body; mfdef.h, MILTER_CHUNK_SIZE
LARGEST = 1 << 20  # of an answer
# step -> (the milter does not want it, the milter does not answer it)
UNASKED = {
    b"C": (0x1, 0x1000),
    b"H": (0x2, 0x2000),
    b"M": (0x4, 0x4000),
    b"R": (0x8, 0x8000),
    b"T": (0x200, 0x10000),
    b"L": (0x20, 0x80),
    b"N": (0x40, 0x40000),
    b"B": (0x10, 0x80000),
}
ALTERATIONS = b"phm+-2bieql"  # of the message, and signs of life
FINAL = {b"a": "accepted", b"r": "rejected", b"t": "deferred", b"d": "discarded", b"f": "deferred", b"4": "deferred"}


def connected(address: str, seconds: float) -> socket.socket:
    """A connection to "unix:/PATH" (or the path alone), or to "inet:ADDRESS:PORT"."""
    if address.startswith("inet:"):
        host, _, port = address[len("inet:") :].rpartition(":")
        return socket.create_connection((host.strip("[]"), int(port)), timeout=seconds)
    connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    connection.settimeout(seconds)
    try:
        connection.connect(address[len("unix:") :] if address.startswith("unix:") else address)
    except OSError:
        connection.close()
        raise
    return connection


def opening() -> bytes:
    """The first packet of a session: protocol version 6, and all that is offered (SMFIC_OPTNEG)."""
    return packet(b"O" + struct.pack("!III", 6, ACTIONS, STEPS))


def packet(content: bytes) -> bytes:
    """A packet: its length, then a letter for the command, and its data."""
    return struct.pack("!I", len(content)) + content


def asked(address: str, message: bytes, envelope: dict[str, Any], seconds: float) -> dict[str, Any]:
    """What a milter says to one message: {"word": ..., "text": ..., "held": was it put in quarantine}.

    `word` is accepted, rejected (5yz), deferred (4yz), discarded, silent (no answer in time) or away; `text` says why.
    `envelope` has client (an IP address), sender, recipient and user ("" unless it logged in).
    """
    try:
        with Session(address, seconds) as session:
            return session.message(message, envelope)
    except socket.timeout:
        return {"word": "silent", "text": "no answer from the milter within %d seconds" % seconds, "held": False}
    except (OSError, ValueError) as error:
        return {"word": "away", "text": "%s: %s" % (address, error), "held": False}


class Session:
    """One connection to a milter, for one message. What it says is taken for hostile: bounded in size and time."""

    def __init__(self, address: str, seconds: float) -> None:
        self.ends = time.monotonic() + seconds
        self.connection = connected(address, seconds)
        self.unwanted = self.unanswered = 0
        self.held = False

    def __enter__(self) -> Session:
        try:
            self._send(opening())
            answer = self._read()
            if answer[:1] != b"O" or len(answer) < 13:
                raise ValueError("it does not speak the milter protocol: %r" % answer[:60])
        except BaseException:
            self.connection.close()
            raise
        self.unwanted = self.unanswered = struct.unpack("!III", answer[1:13])[2]
        return self

    def __exit__(self, *_: object) -> None:
        self.connection.close()

    def message(self, message: bytes, envelope: dict[str, Any]) -> dict[str, Any]:
        """The whole of a mail session up to the milter's last word."""
        for letter, data in steps(message, envelope):
            said = self._step(letter, data)
            if said is not None:
                return said
        return self._last()

    def _step(self, letter: bytes, data: bytes) -> dict[str, Any] | None:
        """One step; the milter's word if that was its last."""
        if letter == b"D":
            self._send(packet(letter + data))
            return None
        unwanted, unanswered = UNASKED[letter]
        if self.unwanted & unwanted:
            return None
        self._send(packet(letter + data))
        return None if self.unanswered & unanswered else self._word()

    def _last(self) -> dict[str, Any]:
        self._send(packet(b"E"))
        return self._word(last=True) or {"word": "accepted", "text": "", "held": self.held}

    def _word(self, last: bool = False) -> dict[str, Any] | None:
        """The answer to a step; changes of the message and signs of life (SMFIR_PROGRESS) come before the last one."""
        while True:
            answer = self._read()
            letter, rest = answer[:1], answer[1:]
            self.held = self.held or letter == b"q"
            if letter in FINAL or letter == b"y":
                text = rest.rstrip(b"\0").decode("ascii", "replace")[:200]
                word = FINAL.get(letter) or ("rejected" if text.startswith("5") else "deferred")
                return {"word": word, "text": text, "held": self.held}
            if letter == b"s":  # it has seen enough of the body
                self.unwanted |= UNASKED[b"B"][0]
            if letter in b"cs":
                return None
            if letter not in (ALTERATIONS if last else b"p"):
                raise ValueError("an answer that does not belong here: %r" % answer[:60])

    def _send(self, data: bytes) -> None:
        self._patience()
        self.connection.sendall(data)

    def _read(self) -> bytes:
        (size,) = struct.unpack("!I", self._exactly(4))
        if not 1 <= size <= LARGEST:
            raise ValueError("an answer of %d bytes" % size)
        return self._exactly(size)

    def _exactly(self, size: int) -> bytes:
        data = b""
        while len(data) < size:
            self._patience()
            more = self.connection.recv(size - len(data))
            if not more:
                raise ValueError("it hung up")
            data += more
        return data

    def _patience(self) -> None:
        left = self.ends - time.monotonic()
        if left <= 0:
            raise socket.timeout
        self.connection.settimeout(left)


def steps(message: bytes, envelope: dict[str, Any]) -> list[tuple[bytes, bytes]]:
    """The commands of one session with their data, in the order of SMTP; macros (b"D") go before what they are for."""
    client, user = str(envelope["client"]), str(envelope.get("user", ""))
    head, _, body = message.partition(b"\r\n\r\n")
    family = b"6" if ":" in client else b"4"
    found = [
        (b"D", words(b"C", "j", "localhost", "{daemon_name}", "cjsm-check")),
        (b"C", words(b"", "[%s]" % client) + family + struct.pack("!H", 40000) + words(b"", client)),
        (b"H", words(b"", "[%s]" % client)),
        (b"D", words(b"M", "i", "CJSMCHECK", *(("{auth_authen}", user) if user else ()))),
        (b"M", words(b"", "<%s>" % envelope["sender"])),
        (b"R", words(b"", "<%s>" % envelope["recipient"])),
        (b"T", b""),
    ]
    for line in unfolded(head):
        name, _, value = line.partition(":")
        found.append((b"L", words(b"", name, value.strip())))
    found.append((b"N", b""))
    return found + [(b"B", body[at : at + CHUNK]) for at in range(0, len(body), CHUNK)]


def unfolded(head: bytes) -> list[str]:
    """The fields of a header, one a line."""
    return head.decode("ascii", "replace").replace("\r\n ", " ").replace("\r\n\t", " ").split("\r\n")


def words(letter: bytes, *texts: str) -> bytes:
    """Texts as the protocol wants them: each ends with a zero byte."""
    return letter + b"".join(text.encode() + b"\0" for text in texts)
