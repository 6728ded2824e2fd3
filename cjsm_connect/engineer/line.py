"""One SMTP connection for asyncio, made for strangers: every reply, and the handshake, has an end in time and in bytes.

asyncio's own streams keep reading into a buffer while TLS begins; here nothing is read that was not asked for, so that
text which a server sends between STARTTLS and TLS is seen for what it is (CVE-2011-0411).
"""

from __future__ import annotations

import asyncio
import errno
import re
import socket
import ssl
from dataclasses import dataclass, field
from typing import Any

from cjsm_connect.printable import shown
from cjsm_connect.remote import common

CONNECT_SECONDS = 10.0
REPLY_SECONDS = 20.0  # the whole reply, however slowly it drips; RFC 5321, 4.5.3.2 asks clients for five minutes
HANDSHAKE_SECONDS = 15.0
LONGEST_LINE = 2048  # bytes; RFC 5321, 4.5.3.1.5 asks for 512
MOST_LINES = 100
HANDSHAKE_BYTES = 128 * 1024  # OpenSSL itself takes 100 KiB of certificates
HANDSHAKE = 22  # RFC 8446, 5.1
TOO_LONG = ("EXCESSIVE_MESSAGE_SIZE", "LENGTH_TOO_LONG")  # OpenSSL's own limits of a message
SERVER_HELLO, CERTIFICATE_REQUEST = 2, 13  # RFC 8446, section 4
REPLY = re.compile(r"[2-5][0-9][0-9]( |-|$)")


class Trouble(Exception):
    """Why a question has no answer. `kind` is one word for programs, the text is for people."""

    def __init__(self, kind: str, text: str) -> None:
        super().__init__(text)
        self.kind = kind


@dataclass(frozen=True, slots=True)
class Reply:
    """A reply (RFC 5321, 4.2): its code and its lines without it."""

    code: int
    lines: tuple[str, ...]

    @property
    def text(self) -> str:
        """One line that is safe for a terminal."""
        return shown(" / ".join(self.lines), 300)


@dataclass(slots=True)
class Line:
    """An open connection. `tls` is set once the handshake is done; `heard` are the handshake messages that came.

    `suite` is the number of the cipher suite that the server chose, 0 before it has.
    """

    connection: socket.socket
    tls: ssl.SSLObject | None = None
    heard: set[int] = field(default_factory=set)
    suite: int = 0
    _unread: bytes = b""
    _came: int = 0  # bytes of the present reply
    _from: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)
    _to: ssl.MemoryBIO = field(default_factory=ssl.MemoryBIO)

    async def reply(self, seconds: float = REPLY_SECONDS) -> Reply:
        """The next reply.

        Raises:
            Trouble: none came, not in time, too long, or it was not SMTP.
        """
        try:
            async with asyncio.timeout(seconds):
                return await self._reply()
        except TimeoutError:
            kind = "too_slow" if self._came else "silent"
            raise Trouble(kind, f"no whole reply within {seconds:.0f} s") from None

    async def _reply(self) -> Reply:
        lines: list[str] = []
        self._came = 0
        while not lines or lines[-1][3:4] == "-":
            if len(lines) == MOST_LINES:
                raise Trouble("too_many_lines", f"a reply of more than {MOST_LINES} lines")
            lines.append(await self._one_line())
        return Reply(int(lines[0][:3]), tuple(line[4:] for line in lines))

    async def _one_line(self) -> str:
        while b"\n" not in self._unread:
            if len(self._unread) > LONGEST_LINE:
                raise Trouble("line_too_long", f"a reply line of more than {LONGEST_LINE} bytes")
            data = await self._plain()
            if not data:
                raise Trouble("closed", "the other side closed the connection")
            self._came += len(data)
            self._unread += data
        raw, _, self._unread = self._unread.partition(b"\n")
        text = raw.decode("utf-8", "replace").rstrip("\r")
        if not REPLY.match(text):
            raise Trouble("not_smtp", f"this is not an SMTP reply: {shown(text)}")
        return text

    async def command(self, text: str) -> Reply:
        """Send one command and read its reply.

        Raises:
            Trouble: it is more than one command, and nothing of it was sent; or as `reply`.
        """
        try:
            line = common.command_line(text)
        except common.Unsayable as error:
            raise Trouble("unsayable", str(error)) from None
        await self._send(line)
        return await self.reply()

    async def handshake(self, context: ssl.SSLContext, name: str | None) -> None:
        """TLS from here on.

        Raises:
            Trouble: text had come before it, or no handshake came about.
        """
        if self._unread:
            raise Trouble("injected", f"text between STARTTLS and TLS: {shown(self._unread)}")
        context._msg_callback = self._message  # type: ignore[attr-defined]  # CPython's only way to see the request
        wrapped = context.wrap_bio(self._from, self._to, server_hostname=name)
        try:
            async with asyncio.timeout(HANDSHAKE_SECONDS):
                await self._shake(wrapped)
        except TimeoutError:
            raise Trouble("tls_silent", f"no handshake within {HANDSHAKE_SECONDS:.0f} s") from None
        finally:
            context._msg_callback = None  # type: ignore[attr-defined]
        self.tls = wrapped

    async def _shake(self, wrapped: ssl.SSLObject) -> None:
        came = 0
        while True:
            try:
                wrapped.do_handshake()
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLCertVerificationError as error:
                await self._flush()
                raise Trouble("tls_distrusted", f"its chain does not verify: {error.verify_message}") from error
            except ssl.SSLError as error:
                await self._flush()
                kind = "tls_too_long" if error.reason in TOO_LONG else "tls_refused"
                raise Trouble(kind, f"no handshake: {reason(error)}") from error
            else:
                await self._flush()
                return
            data = await self._raw()
            came += len(data)
            if not data:
                raise Trouble("tls_refused", "the other side broke off the handshake")
            if came > HANDSHAKE_BYTES:
                raise Trouble("tls_too_long", f"a handshake of more than {HANDSHAKE_BYTES // 1024} KiB")
            self._from.write(data)

    def _message(self, _line: Any, direction: str, _version: Any, content: Any, kind: Any, data: bytes) -> None:
        if direction == "read" and int(content) == HANDSHAKE:  # an alert has kinds of its own
            self.heard.add(int(kind))
            if int(kind) == SERVER_HELLO:
                self.suite = chosen(data)

    async def _plain(self) -> bytes:
        """What came next, decrypted if there is TLS; empty at the end of the connection."""
        if self.tls is None:
            return await self._raw()
        while True:
            try:
                return self.tls.read(4096)
            except ssl.SSLWantReadError:
                await self._flush()
            except ssl.SSLZeroReturnError:
                return b""
            except ssl.SSLError as error:
                raise Trouble("tls_refused", f"TLS was ended: {reason(error)}") from error
            data = await self._raw()
            if not data:
                return b""
            self._from.write(data)

    async def _raw(self) -> bytes:
        try:
            return await asyncio.get_running_loop().sock_recv(self.connection, 4096)
        except OSError:
            return b""

    async def _send(self, data: bytes) -> None:
        if self.tls is not None:
            try:
                self.tls.write(data)
            except ssl.SSLError as error:
                raise Trouble("closed", f"TLS was ended: {reason(error)}") from error
            await self._flush()
            return
        await self._sent(data)

    async def _flush(self) -> None:
        if data := self._to.read():
            await self._sent(data)

    async def _sent(self, data: bytes) -> None:
        """A side that does not read is silent; one that has gone may have said why, which the next read tells."""
        try:
            async with asyncio.timeout(REPLY_SECONDS):
                await asyncio.get_running_loop().sock_sendall(self.connection, data)
        except TimeoutError:
            raise Trouble("silent", f"nothing was read within {REPLY_SECONDS:.0f} s") from None
        except OSError:
            return

    def close(self) -> None:
        """End the connection."""
        self.connection.close()


async def opened(address: str, port: int, source: str | None = None) -> Line:
    """A TCP connection to an address.

    Raises:
        Trouble: refused, no answer, or no way there.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    connection = socket.socket(family, socket.SOCK_STREAM)
    connection.setblocking(False)
    try:
        if source:
            connection.bind((source, 0))
        async with asyncio.timeout(CONNECT_SECONDS):
            await asyncio.get_running_loop().sock_connect(connection, (address, port))
    except BaseException as error:
        connection.close()
        if isinstance(error, TimeoutError) or getattr(error, "errno", None) == errno.ETIMEDOUT:
            raise Trouble("no_answer", f"no answer within {CONNECT_SECONDS:.0f} s") from None
        if isinstance(error, ConnectionRefusedError):
            raise Trouble("refused", "the connection was refused") from None
        if isinstance(error, OSError):
            raise Trouble("unreachable", f"no way there: {error.strerror or error}") from None
        raise
    return Line(connection)


def reason(error: ssl.SSLError) -> str:
    """OpenSSL's own words, in small letters."""
    return (getattr(error, "reason", None) or str(error)).lower().replace("_", " ")


def chosen(hello: bytes) -> int:
    """The cipher suite of a ServerHello: after header, version and random comes the session id, then the suite (RFC
    5246, 7.4.1.3; RFC 8446, 4.1.3). 0 when it is cut short."""
    start = 39 + hello[38] if len(hello) > 38 else 0
    return int.from_bytes(hello[start : start + 2], "big") if start and len(hello) >= start + 2 else 0
