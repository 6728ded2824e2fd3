"""The look from outside beside a bundle's claims: what agrees, what contradicts, and what cannot be compared. Pure.

A contradiction is said only of what both sides are sure of. What a translated address, or a certificate renewed since,
would explain is not comparable, and says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any

from cryptography import x509

from cjsm_connect.engineer.claims import Claims, Endpoint
from cjsm_connect.engineer.targets import Target
from cjsm_connect.evidence import certificates
from cjsm_connect.organisation import addresses
from cjsm_connect.printable import shown

Row = dict[str, str]
AGREES, CONTRADICTS, UNCOMPARABLE = "agrees", "contradiction", "not comparable"
AS_DESIGNED = "not_tested: blocked as designed"
REFUSED_AS_DESIGNED = "not_tested: refused without a certificate, as designed"
REFUSALS = ("tls_refused", "closed", "turned_away", "busy")
TRANSLATED = tuple(
    map(addresses.network, ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10", "fc00::/7"))
)
OLD = ("TLSv1", "TLSv1.1")
# what was claimed to be refused, by the check that says so, for the listener for the hub and for port 25
REFUSED_BY_RELAY = {
    "relay": "connection.relay-refuses-foreign-recipients",
    "clear_text": "connection.relay-refuses-clear-text",
    "unknown_recipient": "connection.relay-refuses-unknown-recipient",
    "wrong_certificate": "connection.relay-refuses-other-member",
}
REFUSED_IN_PUBLIC = {"relay": "connection.public-not-open-relay"}


def row(what: str, claimed: object, seen: object, verdict: str, why: str = "") -> Row:
    """One comparison, safe for a terminal."""
    said = {"claimed": claimed, "seen": seen, "why": why}
    return {"what": what, "verdict": verdict, **{name: shown(text, 300) for name, text in said.items()}}


def compared(claims: Claims, target: Target, facts: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """{"bundle", "rows"}; and "result" when nothing could be tested because we are kept out, as claimed."""
    endpoint = claims.endpoint(target)
    if endpoint is None:
        rows = [row("target", "", str(target), UNCOMPARABLE, "the bundle knows no such host and port")]
        return {"bundle": claims.bundle, "rows": rows}
    if facts["outcome"] == "no_answer":
        return _unanswered(claims, endpoint, facts, now)
    found = {"bundle": claims.bundle, "rows": list(_rows(claims, endpoint, facts, now))}
    return found | {"result": REFUSED_AS_DESIGNED} if _refused_as_designed(endpoint, facts) else found


def _refused_as_designed(endpoint: Endpoint, facts: Mapping[str, Any]) -> bool:
    """A listener that demands a certificate, and who has none."""
    session = facts.get("session") or {}
    demands = endpoint.hub_only and session.get("client_certificate") == "asked"
    return demands and facts["outcome"] in REFUSALS and not session.get("certificate_shown")


def expected_blocked(facts: Mapping[str, Any]) -> dict[str, Any]:
    """As `compared`, with nothing to compare but that nobody should answer us (--expect-blocked)."""
    if facts["outcome"] == "no_answer":
        return {"bundle": "", "rows": [row("reachable", "no", "no answer", AGREES)], "result": AS_DESIGNED}
    known = facts["outcome"] != "no_name"
    verdict = CONTRADICTS if known else UNCOMPARABLE
    return {"bundle": "", "rows": [row("reachable", "no", facts["outcome"].replace("_", " "), verdict)]}


def _unanswered(claims: Claims, endpoint: Endpoint, facts: Mapping[str, Any], now: datetime) -> dict[str, Any]:
    """Nobody answers. Where only the hub is let in that is the design, unless the claims let us in."""
    source = facts.get("source", "")
    if not endpoint.hub_only:
        rows = [row("reachable", "anybody", "no answer", CONTRADICTS, "the bundle says that it takes internet mail")]
    elif _lets_in(claims, source, now):
        rows = [row("reachable", f"{source} is let in", "no answer", CONTRADICTS, "or something on the way drops it")]
    else:
        blocked = [row("reachable", "the hub only", "no answer", AGREES, f"we come from {source or 'elsewhere'}")]
        return {"bundle": claims.bundle, "rows": blocked, "result": AS_DESIGNED}
    return {"bundle": claims.bundle, "rows": rows}


def _lets_in(claims: Claims, source: str, now: datetime) -> bool:
    return any(source in one.addresses and one.start <= now < one.expiry for one in claims.admitted)


def _rows(claims: Claims, endpoint: Endpoint, facts: Mapping[str, Any], now: datetime) -> Iterator[Row]:
    session = facts.get("session") or {}
    yield from _admission(claims, endpoint, facts, now)
    yield _address(endpoint, facts)
    if session.get("greeting"):
        yield _greeting(endpoint, session)
        yield from _features(endpoint, session)
    shown_to_us = (session.get("tls") or {}).get("certificates") or []
    if shown_to_us and "pem" in shown_to_us[0]:
        yield from _certificate(claims, endpoint, shown_to_us[0])
    yield from _client_certificate(endpoint, session)
    yield from _versions(endpoint, facts.get("versions", {}))
    yield from _unprotected(endpoint, facts.get("ciphers", {}))
    yield from _active(endpoint, facts.get("active", {}).get("tests", {}))


def _admission(claims: Claims, endpoint: Endpoint, facts: Mapping[str, Any], now: datetime) -> Iterator[Row]:
    source = facts.get("source", "")
    reached = (facts.get("session") or {}).get("stage", "connect") != "connect"
    if not endpoint.hub_only or not reached or "connection.only-the-hub-connects" not in endpoint.passed:
        return
    seen = f"{facts['outcome']} to {source}"
    if _lets_in(claims, source, now):
        yield row("who may connect", f"{source} may", seen, AGREES)
    elif _translated(source) and not _translated(facts["address"]):
        yield row("who may connect", "the hub only", seen, UNCOMPARABLE, "our address is translated on the way")
    else:
        yield row("who may connect", "the hub only", seen, CONTRADICTS, "we are not the hub, and it answers us")


def _translated(address: str) -> bool:
    found = addresses.address(address)
    return any(found in network for network in TRANSLATED if network.version == found.version)


def _address(endpoint: Endpoint, facts: Mapping[str, Any]) -> Row:
    claimed, seen = ", ".join(endpoint.addresses), facts.get("address", "")
    if seen in endpoint.addresses:
        return row("address", claimed, seen, AGREES)
    return row("address", claimed, seen, UNCOMPARABLE, "the host's own address may be translated on the way")


def _greeting(endpoint: Endpoint, session: Mapping[str, Any]) -> Row:
    """The host name, with which a greeting begins (RFC 5321, 4.2)."""
    claimed = endpoint.look.host_name or endpoint.fqdn
    seen = session["greeting"]["text"].split(" ")[0]
    return row("host name in greeting", claimed, seen, AGREES if claimed.lower() == seen.lower() else CONTRADICTS)


def _features(endpoint: Endpoint, session: Mapping[str, Any]) -> Iterator[Row]:
    if session["starttls"] == "not known":
        return
    if endpoint.hub_only or endpoint.look.starttls:
        offered = session["starttls"] == "offered"
        yield row("STARTTLS", "offered", session["starttls"], AGREES if offered else CONTRADICTS)
    claimed = endpoint.size if endpoint.look.size is None else endpoint.look.size
    if session.get("size") is not None and claimed is not None:
        yield row("size", claimed, session["size"], AGREES if claimed == session["size"] else CONTRADICTS)
    if endpoint.look.log_in is False:
        offered = "AUTH" in session.get("extensions", [])
        verdict = CONTRADICTS if offered else AGREES
        yield row("log-in", "not offered", "offered" if offered else "not offered", verdict)


def _certificate(claims: Claims, endpoint: Endpoint, seen: Mapping[str, Any]) -> Iterator[Row]:
    """Both as they were shown; a renewed one is newer than the bundle."""
    claimed = _claimed_certificate(endpoint)
    if claimed is None:
        yield row("certificate", "", seen["subject"], UNCOMPARABLE, "the bundle has seen none of this listener")
        return
    found = certificates.described(str(seen["pem"]))
    renewed = datetime.fromisoformat(found["not_before"]) > claims.ended
    why = (
        f"made {found['not_before']}, after the bundle ({claims.ended:%Y-%m-%dT%H:%M:%SZ}): renewed" if renewed else ""
    )
    for what, name in (("certificate (SHA-256)", "sha256"), ("public key (SHA-256)", "public_key_sha256")):
        same = claimed[name] == found[name]
        verdict = AGREES if same else UNCOMPARABLE if renewed else CONTRADICTS
        yield row(what, claimed[name], found[name], verdict, "" if same else why)
    if claimed["sha256"] != found["sha256"]:
        verdict = AGREES if claimed["names"] == found["names"] else UNCOMPARABLE if renewed else CONTRADICTS
        yield row("names in certificate", ", ".join(claimed["names"]), ", ".join(found["names"]), verdict, why)


def _claimed_certificate(endpoint: Endpoint) -> dict[str, Any] | None:
    try:
        x509.load_pem_x509_certificate(endpoint.look.certificate.encode())
    except certificates.BROKEN:
        return None
    return certificates.described(endpoint.look.certificate)


def _client_certificate(endpoint: Endpoint, session: Mapping[str, Any]) -> Iterator[Row]:
    if "connection.relay-refuses-no-certificate" not in endpoint.passed:
        return
    seen = session.get("client_certificate", "not known")
    if seen == "not known":
        yield row("client certificate", "demanded", seen, UNCOMPARABLE, str(session.get("said", "")))
        return
    let_in = session.get("outcome") == "answered" and not session.get("certificate_shown")
    verdict = CONTRADICTS if seen == "not asked" or let_in else AGREES
    yield row("client certificate", "demanded", "not demanded" if let_in else seen, verdict)


def _versions(endpoint: Endpoint, found: Mapping[str, str]) -> Iterator[Row]:
    claimed = dict.fromkeys(OLD, "refused") if "connection.relay-refuses-old-tls" in endpoint.passed else {}
    if endpoint.look.version:
        claimed[endpoint.look.version] = "accepted"
    for version, said in claimed.items():
        seen = found.get(version, "")
        if seen:
            told = seen in ("accepted", "refused")
            verdict = UNCOMPARABLE if not told else AGREES if seen == said else CONTRADICTS
            yield row(version, said, seen, verdict)


def _unprotected(endpoint: Endpoint, found: Mapping[str, Any]) -> Iterator[Row]:
    if not found or "connection.relay-refuses-unprotected-tls" not in endpoint.passed:
        return
    accepted = [name for name in found["TLSv1.2"]["accepted"] if "NULL" in name or name.startswith(("ADH", "AECDH"))]
    told = accepted or found["TLSv1.2"]["refused"]
    verdict = CONTRADICTS if accepted else AGREES if told else UNCOMPARABLE
    yield row("TLS without encryption or certificate", "refused", ", ".join(accepted) or "none accepted", verdict)


def _active(endpoint: Endpoint, tests: Mapping[str, Any]) -> Iterator[Row]:
    claimed = REFUSED_BY_RELAY if endpoint.hub_only else REFUSED_IN_PUBLIC
    for name, check in claimed.items():
        if check in endpoint.passed and name in tests:
            result = tests[name]["result"]
            verdict = {"refused": AGREES, "accepted": CONTRADICTS}.get(result, UNCOMPARABLE)
            yield row(name.replace("_", " "), "refused", result.replace("_", " "), verdict, tests[name]["said"])
