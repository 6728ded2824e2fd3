"""connection: is the other end there, does it offer TLS, who issued its certificate, and is the name right?

Four facts that differ stay apart, and a fifth, "could not tell", is `not_tested`: what follows from a missing fact is
not judged at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from checks.framework import check
from checks.sessions import Outcome, each, told
from checks.test_connection import handshakes
from checks.test_connection_inner import BOTH_ENDS, asked, pinned
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import NotTested, Verdict

FROM_RELAY: dict[str, Any] = {
    "requirement": "connection.hub-identity",
    "role": "relay",
    "vantage": "relay",
    "impact": "hub-handshake",
}
FROM_HUB: dict[str, Any] = {
    "requirement": "connection.relay-identity",
    "role": "relay",
    "vantage": "hub",
    "impact": "local-active",
}
FROM_OTHER_END: dict[str, Any] = {
    "requirement": "connection.inner-hop",
    "role": BOTH_ENDS,
    "vantage": "other end of the inner hop",
    "impact": "local-active",
}
HUB_REMEDY = "compare hub.match and hub.ca_file in organisation.toml with what the engineer gave; mail waits"
RELAY_REMEDY = "cjsm apply; then compare the certificate that came back with the relay's name"
INNER_REMEDY = "cjsm apply; compare the certificate's names with hosts.fqdn"


@check(
    "connection.hub-reachable",
    **FROM_RELAY,
    title="The relay reaches the hub's port",
    remedy="compare hub.addresses and hub.port with what the engineer gave; ask whether your address is let in",
)
def test_hub_reachable(seen: Seen, verdict: Verdict) -> None:
    reachable(each(seen, handshakes(seen)), verdict)


@check(
    "connection.hub-starttls",
    **FROM_RELAY,
    title="The hub offers TLS, and the handshake succeeds",
    remedy="tell the engineer; mail waits, it is never sent without TLS",
)
def test_hub_starttls(seen: Seen, verdict: Verdict) -> None:
    offers_tls(each(seen, handshakes(seen)), verdict, implicit=seen.organisation.hub.mode == "implicit")


@check(
    "connection.hub-chain",
    **FROM_RELAY,
    title="The hub's certificate was issued by the operator's CA",
    remedy=HUB_REMEDY,
)
def test_hub_chain(seen: Seen, verdict: Verdict) -> None:
    chain(each(seen, handshakes(seen)), verdict, "a chain to the operator's CA")


@check(
    "connection.hub-name",
    **FROM_RELAY,
    title="The hub's certificate carries the name that the engineer gave",
    remedy=HUB_REMEDY,
)
def test_hub_name(seen: Seen, verdict: Verdict) -> None:
    name(each(seen, handshakes(seen)), verdict, seen.organisation.hub.match[0])


@check(
    "connection.relay-reachable",
    **FROM_HUB,
    title="The hub reaches the relay's port",
    remedy="cjsm apply; then look at the firewall's counters: nft list counters",
)
def test_relay_reachable(seen: Seen, verdict: Verdict) -> None:
    reachable(from_hub(seen), verdict)


@check(
    "connection.relay-starttls",
    **FROM_HUB,
    title="The relay offers the hub TLS, and the handshake succeeds",
    remedy="cjsm apply; then look for TLS errors in /var/log/cjsm/mail.log",
)
def test_relay_starttls(seen: Seen, verdict: Verdict) -> None:
    offers_tls(from_hub(seen), verdict, implicit=seen.organisation.hub.mode == "implicit")


@check(
    "connection.relay-chain",
    **FROM_HUB,
    title="The relay's certificate is shown to the hub with a chain to the operator's CA",
    remedy=RELAY_REMEDY,
)
def test_relay_chain(seen: Seen, verdict: Verdict) -> None:
    chain(from_hub(seen), verdict, "a chain to the operator's CA")


@check(
    "connection.relay-name",
    **FROM_HUB,
    title="The certificate that the relay shows to the hub carries the relay's name",
    remedy=RELAY_REMEDY,
)
def test_relay_name(seen: Seen, verdict: Verdict) -> None:
    name(from_hub(seen), verdict, seen.host.fqdn)


@check(
    "connection.inner-reachable",
    **FROM_OTHER_END,
    title="Each end of the inner hop reaches the other",
    remedy="cjsm apply on both hosts and the firewall between them",
)
def test_inner_reachable(seen: Seen, verdict: Verdict) -> None:
    reachable(each(seen, asked(seen, "session")), verdict)


@check(
    "connection.inner-starttls",
    **FROM_OTHER_END,
    title="Each end of the inner hop offers TLS, and the handshake succeeds",
    remedy="cjsm apply; then look for TLS errors in /var/log/cjsm/mail.log",
)
def test_inner_starttls(seen: Seen, verdict: Verdict) -> None:
    offers_tls(each(seen, asked(seen, "session")), verdict)


@check(
    "connection.inner-chain",
    **FROM_OTHER_END,
    title="Each end of the inner hop shows a certificate of the declared CA, or the pinned key",
    remedy=INNER_REMEDY,
)
def test_inner_chain(seen: Seen, verdict: Verdict) -> None:
    outcomes = each(seen, asked(seen, "session"))
    if key := pinned(seen):
        the_key(outcomes, verdict, key)
    else:
        chain(outcomes, verdict, "a chain to the inner CA")


@check(
    "connection.inner-name",
    **FROM_OTHER_END,
    title="Each end of the inner hop shows a certificate with its name, or the pinned key",
    remedy=INNER_REMEDY,
)
def test_inner_name(seen: Seen, verdict: Verdict) -> None:
    outcomes = each(seen, asked(seen, "session"))
    if key := pinned(seen):
        the_key(outcomes, verdict, key)  # the key says who it is; the name is not asked
    else:
        name(outcomes, verdict, seen.host.fqdn)


def from_hub(seen: Seen) -> Iterator[Outcome]:
    """The session that the hub opens with the relay."""
    return each(seen, [f"relay.hub:{seen.host.name}"])


def reachable(outcomes: Iterable[Outcome], verdict: Verdict) -> None:
    """The port answers. One that is silent could not tell, and does not come here."""
    for outcome in outcomes:
        verdict(outcome["reachable"] is True, expected="an open port", observed=told(outcome))


def offers_tls(outcomes: Iterable[Outcome], verdict: Verdict, *, implicit: bool = False) -> None:
    """STARTTLS is offered (or TLS begins at once) and a session comes about."""
    expected = "TLS from the first byte" if implicit else "STARTTLS offered, and a TLS session"
    for outcome in all_of(outcomes, lambda one: "" if one["reachable"] is True else f"not reached ({told(one)})"):
        if not implicit:
            verdict(outcome["offers_starttls"] is True, expected=expected, observed="STARTTLS is not offered")
        tls = outcome["tls"] or {"version": None, "cipher": None}
        secured = tls["version"] is not None
        verdict(secured, expected=expected, observed=f"{tls['version']} {tls['cipher']}" if secured else told(outcome))


def chain(outcomes: Iterable[Outcome], verdict: Verdict, expected: str) -> None:
    """Who issued the certificate."""
    for outcome in all_of(outcomes, lambda one: untold(one, "chain_verified")):
        tls = outcome["tls"]
        observed = "the chain verifies" if tls["chain_verified"] else tls["error"] or "the chain does not verify"
        verdict(tls["chain_verified"], expected=expected, observed=observed)


def name(outcomes: Iterable[Outcome], verdict: Verdict, wanted: str) -> None:
    """Whether the certificate carries a name that was declared."""
    for outcome in all_of(outcomes, lambda one: untold(one, "name_matches")):
        matches = outcome["tls"]["name_matches"]
        observed = "the name matches" if matches else "a certificate without that name"
        verdict(matches, expected=f"a certificate for {wanted}", observed=observed)


def the_key(outcomes: Iterable[Outcome], verdict: Verdict, wanted: str) -> None:
    """Whether it is the pinned key."""
    for outcome in all_of(outcomes, lambda one: untold(one, "peer_key_sha256")):
        key = outcome["tls"]["peer_key_sha256"]
        verdict(key == wanted, expected=f"public key {wanted}", observed=f"public key {key}")


def untold(outcome: Outcome, fact: str) -> str:
    """Why a fact of the certificate is not known; "" if it is."""
    tls = outcome["tls"]
    if not tls or not tls["version"]:
        return f"no TLS session, so no certificate was seen ({told(outcome)})"
    known = tls[fact] not in (None, "")
    return "" if known else f"a certificate was shown, but could not be compared ({fact} is not known)"


def all_of(outcomes: Iterable[Outcome], doubt: Callable[[Outcome], str]) -> Iterator[Outcome]:
    """The outcomes that can be judged. One that cannot is raised last, so that it hides no failure."""
    silent = ""
    for outcome in outcomes:
        why = doubt(outcome)
        if why:
            silent = why
        else:
            yield outcome
    if silent:
        raise NotTested(silent)
