"""What a stranger's mail server shows to who only says EHLO, STARTTLS and QUIT; as plain data, each fact apart.

Nothing here sends MAIL: no address is tried, and no message can be delivered. `active` does, where it was authorised.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.x509.oid import ExtensionOID

from cjsm_connect.engineer import active, ciphers
from cjsm_connect.engineer.line import CERTIFICATE_REQUEST, SERVER_HELLO, Line, Trouble
from cjsm_connect.engineer.session import Manner, capabilities, connected, context, expected, only, server_name, shaken
from cjsm_connect.engineer.targets import Target
from cjsm_connect.evidence.statement import timestamp
from cjsm_connect.organisation import addresses
from cjsm_connect.printable import shown
from cjsm_connect.remote import handshake

SCHEMA = 1
NAME_SECONDS = 10.0
MOST_CERTIFICATES = 10


def unoffered() -> dict[str, str]:
    """The positive control: versions that a client here cannot speak even with a server that speaks everything."""
    found = {version: handshake.cannot_offer(only(version)) for version in handshake.VERSIONS}
    return {version: why for version, why in found.items() if why}


async def probe(target: Target, manner: Manner) -> dict[str, Any]:
    """Everything about one target. Never raises for what it says or does."""
    started = datetime.now(UTC)
    clock = time.monotonic()
    facts: dict[str, Any] = {"schema": SCHEMA, "target": str(target), "started": timestamp(started)}
    try:
        facts["addresses"] = await _addresses(target)
        facts["address"] = _reachable(target, facts["addresses"])
        facts["ptr"] = await _ptr(facts["address"], target.port)
        facts["session"] = await _session(target, facts["address"], manner)
        facts["outcome"] = facts["session"]["outcome"]
        facts["source"] = facts["session"].pop("source", manner.bind or "")
        if manner.versions and facts["session"]["starttls"] == "offered":
            facts["versions"] = await _versions(target, facts["address"], manner)
        if manner.ciphers and facts["session"]["starttls"] == "offered":
            facts["ciphers"] = await ciphers.asked(target, facts["address"], manner, manner.ciphers)
        if manner.wrong:
            facts["active"] = await active.tried(target, facts["address"], manner, facts["session"])
    except Trouble as trouble:
        facts |= {"outcome": trouble.kind, "said": str(trouble)}
    facts["seconds"] = round(time.monotonic() - clock, 2)
    return facts


async def _addresses(target: Target) -> list[str]:
    """All addresses of the name, in the order in which they should be tried (RFC 6724)."""
    try:
        async with asyncio.timeout(NAME_SECONDS):
            rows = await asyncio.get_running_loop().getaddrinfo(target.host, target.port, type=socket.SOCK_STREAM)
    except TimeoutError:
        raise Trouble("no_name", f"no answer to the name {target.host} within {NAME_SECONDS:.0f} s") from None
    except OSError as error:
        raise Trouble("no_name", f"the name {target.host} has no address: {error.strerror or error}") from None
    return list(dict.fromkeys(str(row[4][0]) for row in rows))


def _reachable(target: Target, found: list[str]) -> str:
    """The first address that the name may send us to. An inner one is asked only where the target names it: who answers
    for a name could point it at anything of ours.

    Raises:
        Trouble: there is none.
    """
    if target.is_address:
        return found[0]
    kinds = {address: addresses.inner(address) for address in found}
    if public := next((address for address, kind in kinds.items() if not kind), None):
        return public
    first, kind = next(iter(kinds.items()))
    raise Trouble("inner_address", f"the name leads to {first}, {kind}; to ask there, name the address itself")


async def _ptr(address: str, port: int) -> str:
    """The name of the address; "" when it has none or nobody tells."""
    try:
        async with asyncio.timeout(NAME_SECONDS):
            name, _ = await asyncio.get_running_loop().getnameinfo((address, port), socket.NI_NAMEREQD)
    except (TimeoutError, OSError):
        return ""
    return shown(name)


async def _session(target: Target, address: str, manner: Manner) -> dict[str, Any]:
    """The one full conversation: greeting, EHLO, STARTTLS, EHLO, QUIT."""
    facts: dict[str, Any] = {"outcome": "answered", "stage": "connect", "starttls": "not known", "said": ""}
    try:
        line = await connected(target, address, manner)
    except Trouble as trouble:
        return facts | {"outcome": trouble.kind, "said": str(trouble), "client_certificate": "not known"}
    facts |= {"source": line.connection.getsockname()[0], "certificate_shown": bool(manner.certificate)}
    try:
        await _conversed(line, target, manner, facts)
        await line.command("QUIT")
    except Trouble as trouble:
        if facts["stage"] != "quit":  # how it ends after all answers is nobody's business
            facts |= {"outcome": trouble.kind, "said": str(trouble)}
    finally:
        facts["client_certificate"] = _certificate_wanted(line, facts)
        line.close()
    return facts


async def _conversed(line: Line, target: Target, manner: Manner, facts: dict[str, Any]) -> None:
    facts["stage"] = "greeting"
    facts["greeting"] = expected(await line.reply(), 220, "greeting")
    facts["stage"] = "ehlo"
    told = await line.command(f"EHLO {manner.helo}")
    facts["ehlo"] = expected(told, 250, "EHLO")
    facts |= capabilities(told)
    if facts["starttls"] != "offered":
        facts["stage"] = "quit"
        return
    facts["stage"] = "starttls"
    expected(await line.command("STARTTLS"), 220, "STARTTLS")
    facts["stage"] = "tls"
    try:
        await line.handshake(context(manner, {}), server_name(target))
    finally:
        facts["tls"] = _tls(line, target)
    facts["stage"] = "ehlo over TLS"  # with TLS 1.3 a client certificate is refused only here (RFC 8446, 4.6.2)
    told = await line.command(f"EHLO {manner.helo}")
    facts["ehlo"] = expected(told, 250, "EHLO over TLS")
    facts |= capabilities(told) | {"starttls": "offered"}
    facts["stage"] = "quit"
    if manner.authorities:
        facts["chain"] = await _chain(target, line, manner)


def _certificate_wanted(line: Line, facts: Mapping[str, Any]) -> str:
    """asked: the server requested one in the handshake. Whether it insists, only the session after it shows."""
    if "tls" not in facts:
        return "not known"
    return "asked" if CERTIFICATE_REQUEST in line.heard else "not asked" if line.tls else "not known"


def _tls(line: Line, target: Target) -> dict[str, Any]:
    if line.tls is None:
        return {"version": None, "cipher": None, "certificates": []}
    chain = [_certificate(one) for one in _chain_of(line.tls)[:MOST_CERTIFICATES]]
    names = chain[0].get("names", []) if chain else []
    return {
        "version": line.tls.version(),
        "cipher": (line.tls.cipher() or ("",))[0],
        "certificates": chain,
        "name_matches": None if target.is_address or not chain else carries(names, target.host),
    }


def _chain_of(wrapped: ssl.SSLObject) -> list[bytes]:
    """The certificates that the server sent, in DER. Python 3.13 has a public name for it."""
    public = getattr(wrapped, "get_unverified_chain", None)
    if public:
        return list(public())
    inner = wrapped._sslobj.get_unverified_chain() or []  # type: ignore[attr-defined]
    return [ssl.PEM_cert_to_DER_cert(one.public_bytes()) for one in inner]


def _certificate(der: bytes) -> dict[str, Any]:
    try:
        found = x509.load_der_x509_certificate(der)
        return {
            "subject": shown(found.subject.rfc4514_string(), 300),
            "issuer": shown(found.issuer.rfc4514_string(), 300),
            "names": [shown(name, 253) for name in _names(found)[:100]],
            "not_before": timestamp(found.not_valid_before_utc),
            "not_after": timestamp(found.not_valid_after_utc),
            "pem": found.public_bytes(serialization.Encoding.PEM).decode(),
        }
    except (ValueError, TypeError, x509.InvalidVersion) as error:
        return {"problem": f"not a certificate that can be read: {shown(error)}"}


def _names(found: x509.Certificate) -> list[str]:
    try:
        names = found.extensions.get_extension_for_oid(ExtensionOID.SUBJECT_ALTERNATIVE_NAME).value
    except x509.ExtensionNotFound:
        return []
    assert isinstance(names, x509.SubjectAlternativeName)
    return names.get_values_for_type(x509.DNSName)


def carries(names: list[str], wanted: str) -> bool:
    """Is this host one of a certificate's names? A star stands for one whole label on the left (RFC 6125, 6.4.3)."""
    host = wanted.lower().rstrip(".")
    above = host.partition(".")[2]
    return any(name.lower() == host or (above and name.lower() == f"*.{above}") for name in names)


async def _chain(target: Target, line: Line, manner: Manner) -> dict[str, Any]:
    """A second handshake that verifies: {"verified": true | false | None for "could not tell", "said": why}."""
    address = line.connection.getpeername()[0]
    trouble = (await shaken(target, address, manner, {"authorities_file": manner.authorities})).trouble
    if trouble is None:
        return {"verified": True, "said": ""}
    return {"verified": False if trouble.kind == "tls_distrusted" else None, "said": str(trouble)}


async def _versions(target: Target, address: str, manner: Manner) -> dict[str, str]:
    """Of each TLS version: accepted, refused, or why it could not be told; one session after the other."""
    controls = manner.unoffered or {}
    return {
        version: f"not tested: {controls[version]}"
        if version in controls
        else await _speaks(target, address, manner, version)
        for version in handshake.VERSIONS
    }


async def _speaks(target: Target, address: str, manner: Manner, version: str) -> str:
    """A ServerHello accepts the version, whatever becomes of a client without the right certificate."""
    found = await shaken(target, address, manner, only(version))
    if found.trouble is None or SERVER_HELLO in found.heard:
        return "accepted"
    return "refused" if found.trouble.kind == "tls_refused" else f"not tested: {found.trouble}"
