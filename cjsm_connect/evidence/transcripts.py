"""What was said on the wire, in each direction, as text: SMTP up to STARTTLS, the handshake, and SMTP after it. Pure.

The conversations are those of the checks; none is held for the evidence alone.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from cryptography import x509

from cjsm_connect.organisation import Organisation

from .certificates import BROKEN
from .statement import timestamp

DIRECTIONS = {
    "inbound": "the hub (where it can be looked from) to the relay",
    "outbound": "the relay to the hub",
    "inner": "between relay and mail server, both ways",
    "public": "the internet to the mail server and the relay",
}
CONVERSATIONS = ("smtp", "smuggle")
WORDS = {True: "yes", False: "NO", None: "not asked"}

Outcome = Mapping[str, Any]


def transcripts(observation: Mapping[str, Any], organisation: Organisation) -> dict[str, str]:
    """{file name: text} with one file for each direction; one in which nothing was tried says so."""
    tries = observation.get("tries", {})
    texts = {}
    for direction, title in DIRECTIONS.items():
        chosen = [name for name in sorted(tries) if direction_of(tries[name], organisation) == direction]
        told = "\n".join(_told(name, tries[name]) for name in chosen)
        texts[f"transcripts/{direction}.txt"] = f"{direction}: {title}\n\n" + (told or "nothing was tried\n")
    return texts


def direction_of(outcome: Outcome, organisation: Organisation) -> str:
    """Which of DIRECTIONS a conversation had; "" for what is none."""
    if outcome.get("kind") not in CONVERSATIONS:
        return ""
    managed = {host.name for host in organisation.hosts}
    if outcome.get("to", [""])[0] in {str(address) for address in organisation.hub.addresses}:
        return "outbound"
    if outcome.get("at") == "hub":
        return "inbound"
    return "inner" if outcome.get("at") in managed else "public"


def _told(name: str, outcome: Outcome) -> str:
    address, port = outcome.get("to", ["?", "?"])
    head = f"##### {name}\nfrom {outcome.get('at', '?')} to {address} port {port}"
    return "\n".join([head, *_lines(outcome)]) + "\n"


def _lines(outcome: Outcome) -> Iterator[str]:
    for key in ("not_tried", "error"):
        if outcome.get(key):
            yield f"({key.replace('_', ' ')}: {outcome[key]})"
    if "connection" in outcome:
        yield f"(connection: {outcome['connection']}; took {outcome.get('seconds', '?')} seconds)"
    yield from _dialogue(outcome)
    if outcome.get("could_not_tell"):
        yield f"(could not tell: {outcome['could_not_tell']})"


def _dialogue(outcome: Outcome) -> Iterator[str]:
    replies, shaken = outcome.get("replies") or [], False
    if outcome.get("tls") and not any(reply["command"] == "STARTTLS" for reply in replies):
        yield from _handshake(outcome["tls"])  # TLS from the first byte
        shaken = True
    for reply in replies:
        if reply["command"] not in ("connect", "message"):
            yield f"--> {reply['command']}"
        yield f"<-- {reply['code']} {reply['text']}"
        if reply["command"] == "STARTTLS" and outcome.get("tls") and not shaken:
            yield from _handshake(outcome["tls"])


def _handshake(tls: Mapping[str, Any]) -> Iterator[str]:
    if tls.get("error"):
        yield f"=== TLS: {tls['error']}"
    if tls.get("version"):
        yield f"=== TLS: {tls['version']}, {tls.get('cipher')}"
    yield f"=== certificate of our own offered: {WORDS[bool(tls.get('own_certificate'))]}"
    for place, pem in enumerate(_blocks(tls)):
        yield f"=== presented {place}: {_certificate(pem)}"
    yield f"=== chain verified: {WORDS[tls.get('chain_verified')]}; name matches: {WORDS[tls.get('name_matches')]}"


def _blocks(tls: Mapping[str, Any]) -> list[str]:
    text = tls.get("peer_certificate_pem", "") + tls.get("peer_issuers_pem", "")
    mark = "-----BEGIN CERTIFICATE-----"
    return [mark + rest for rest in text.split(mark)[1:]]


def _certificate(pem: str) -> str:
    try:
        found = x509.load_pem_x509_certificate(pem.encode())
        return (
            f"{found.subject.rfc4514_string()}, issued by {found.issuer.rfc4514_string()}, "
            f"until {timestamp(found.not_valid_after_utc)}"
        )
    except BROKEN as error:
        return f"a certificate that cannot be read: {error}"
