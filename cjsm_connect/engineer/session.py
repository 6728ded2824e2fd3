"""One session with a stranger's mail server: how to ask, greeting, EHLO, STARTTLS, and what each of them answered."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from cjsm_connect.engineer.line import Line, Reply, Trouble, opened
from cjsm_connect.engineer.targets import Target
from cjsm_connect.printable import shown
from cjsm_connect.remote import handshake


@dataclass(frozen=True, slots=True)
class Manner:
    """How to ask. `certificate`, `key`, `authorities` are paths of PEM files; `bind` is the address to come from.

    `ciphers`: which suites to ask for. `wrong`: the path of a certificate that nobody can trust, which permits the
    active tests where somebody has authorised them. `pause`: seconds from the beginning of one session to that of the
    next with the same target.
    """

    helo: str
    certificate: str | None = None
    authorities: str | None = None
    bind: str | None = None
    versions: bool = True
    unoffered: Mapping[str, str] | None = None  # TLS versions that this machine cannot offer, and why
    key: str | None = None
    ciphers: Suites | None = None
    wrong: str | None = None
    pause: float = 0.0


@dataclass(frozen=True, slots=True)
class Suites:
    """TLS 1.2 suites by their number (RFC 5246, A.5) that this machine can speak, and those it cannot, with why."""

    offered: Mapping[int, str]
    unoffered: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Shaken:
    """What came of one handshake: the messages and the cipher suite's number (0: none) that came, and what stood in
    the way."""

    heard: frozenset[int]
    suite: int
    trouble: Trouble | None


def only(version: str, ciphers: str = handshake.EVERY_CIPHER) -> dict[str, Any]:
    """A client that offers one TLS version, at the security level that allows the most."""
    return {"minimum": version, "maximum": version, "ciphers": ciphers}


def expected(reply: Reply, code: int, what: str) -> dict[str, Any]:
    """The reply as plain data.

    Raises:
        Trouble: it has another code.
    """
    if reply.code != code:
        kind = "busy" if reply.code == 421 and not _policy(reply) else "turned_away"
        raise Trouble(kind, f"expected {code} to {what}, found {reply.code} {reply.text}")
    return {"code": reply.code, "text": reply.text}


def _policy(reply: Reply) -> bool:
    """421 4.7.x, security (RFC 3463): Postfix's word to a client whose certificate it does not know. Not its word to
    one that came too often."""
    return reply.text.startswith("4.7.") and "too many" not in reply.text.lower()


def capabilities(told: Reply) -> dict[str, Any]:
    """What EHLO lists; RFC 1869. `size` is in bytes, None when it is not said (RFC 1870)."""
    words = [line.upper().split() for line in told.lines[1:] if line.strip()]
    names = {row[0]: row[1:] for row in words}
    size = names.get("SIZE", [])
    return {
        "starttls": "offered" if "STARTTLS" in names else "not offered",
        "size": int(size[0]) if size and size[0].isdecimal() and len(size[0]) < 20 else None,
        "extensions": [shown(name, 40) for name in names],
    }


def context(manner: Manner, options: Mapping[str, Any]) -> ssl.SSLContext:
    """TLS as a client with our certificate, unless `options` name another."""
    return handshake.context({"certificate": manner.certificate, "key": manner.key, **options})


def server_name(target: Target) -> str | None:
    """What SNI carries (RFC 6066): a name, never an address."""
    return None if target.is_address else target.host


_begun: ContextVar[float] = ContextVar("begun")  # of the target whose task this is: nothing grows with their number


async def connected(target: Target, address: str, manner: Manner) -> Line:
    """A connection for a session, no sooner than `pause` after the one before it of this task.

    Raises:
        Trouble: refused, no answer, or no way there.
    """
    clock = asyncio.get_running_loop().time
    if (before := _begun.get(None)) is not None:
        await asyncio.sleep(max(0.0, before + manner.pause - clock()))
    _begun.set(clock())
    return await opened(address, target.port, manner.bind)


async def secured(line: Line, target: Target, manner: Manner, options: Mapping[str, Any]) -> None:
    """From the greeting to TLS.

    Raises:
        Trouble: it did not come to that.
    """
    expected(await line.reply(), 220, "greeting")
    expected(await line.command(f"EHLO {manner.helo}"), 250, "EHLO")
    expected(await line.command("STARTTLS"), 220, "STARTTLS")
    await line.handshake(context(manner, options), server_name(target))


async def shaken(target: Target, address: str, manner: Manner, options: Mapping[str, Any]) -> Shaken:
    """Only the handshake, in a session of its own."""
    try:
        line = await connected(target, address, manner)
    except Trouble as trouble:
        return Shaken(frozenset(), 0, trouble)
    stood: Trouble | None = None
    try:
        await secured(line, target, manner, options)
    except Trouble as trouble:
        stood = trouble.with_traceback(None)  # it would hold this frame, and the frame it: megabytes of TLS, until a gc
    finally:
        line.close()
    return Shaken(frozenset(line.heard), line.suite, stood)
