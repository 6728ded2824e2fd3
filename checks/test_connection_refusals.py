"""connection: what the relay refuses, tried by clients that are nearly the hub and by those that are not at all.

Each refusal is judged beside the session of the hub itself, which must be accepted.
"""

from __future__ import annotations

from checks.framework import check
from checks.sessions import (
    accepted,
    answers,
    none_beyond,
    outside_is_online,
    refusal,
    refused,
    relays_nothing,
    told,
    turned_away,
)
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict


def at_relay(name: str, seen: Seen) -> str:
    """The id of a try with the relay from the vantage `hub`."""
    return f"relay.{name}:{seen.host.name}"


@check(
    "connection.relay-refuses-undeclared-domain",
    requirement="connection.every-domain",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="The relay refuses a subdomain that was not declared",
    remedy="cjsm apply, which sets parent_domain_matches_subdomains = (empty) in main.cf",
)
def test_relay_refuses_undeclared_domain(seen: Seen, verdict: Verdict) -> None:
    outcome = refusal(seen, f"domains.undeclared:{seen.host.name}", beside=at_relay("hub", seen))
    verdict(refused(outcome), expected="5yz to RCPT TO", observed=told(outcome))


@check(
    "connection.relay-refuses-clear-text",
    requirement="connection.never-clear-text",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="The relay takes no mail without TLS, not even from the hub",
    remedy="cjsm apply: smtpd_tls_security_level of the hub's listener must be encrypt",
)
def test_relay_refuses_clear_text(seen: Seen, verdict: Verdict) -> None:
    outcome = refusal(seen, at_relay("clear-text", seen), beside=at_relay("hub", seen))
    verdict(turned_away(outcome), expected="530 Must issue a STARTTLS command first", observed=told(outcome))


@check(
    "connection.relay-refuses-no-certificate",
    requirement="connection.only-the-hub",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="The relay refuses a client without a certificate at the hub's address",
    remedy="cjsm apply: smtpd_tls_req_ccert of the hub's listener must be yes",
)
def test_relay_refuses_no_certificate(seen: Seen, verdict: Verdict) -> None:
    outcome = refusal(seen, at_relay("no-certificate", seen), beside=at_relay("hub", seen))
    verdict(turned_away(outcome), expected="a refusal", observed=told(outcome))


@check(
    "connection.relay-refuses-other-member",
    requirement="connection.only-the-hub",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="The relay refuses another member's valid certificate",
    remedy="cjsm apply: the listener must ask for the hub's public key, not for any certificate of the CA",
)
def test_relay_refuses_other_member(seen: Seen, verdict: Verdict) -> None:
    outcome = refusal(seen, at_relay("other-member", seen), beside=at_relay("hub", seen))
    verdict(turned_away(outcome), expected="a refusal", observed=told(outcome))


@check(
    "connection.relay-refuses-unknown-recipient",
    requirement="connection.unknown-recipients",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="The relay refuses a recipient that does not exist, and bounces nothing later",
    remedy="cjsm apply, which ends smtpd_recipient_restrictions of the hub's listener with the recipients table "
    "and reject",
)
def test_relay_refuses_unknown_recipient(seen: Seen, verdict: Verdict) -> None:
    outcome = refusal(seen, at_relay("unknown-recipient", seen), beside=at_relay("hub", seen))
    verdict(answers(outcome, "RCPT") == [550], expected="550 to RCPT TO", observed=told(outcome))


@check(
    "connection.relay-refuses-foreign-recipients",
    requirement="connection.no-open-relay",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="The relay carries nothing for the hub to other domains",
    remedy="cjsm apply: smtpd_relay_restrictions of the hub's listener must be reject_unauth_destination",
)
def test_relay_refuses_foreign_recipients(seen: Seen, verdict: Verdict) -> None:
    outcome = refusal(seen, at_relay("foreign-recipients", seen), beside=at_relay("hub", seen))
    relays_nothing([outcome], verdict, expected="5yz to each spelling of a foreign recipient")


@check(
    "connection.relay-refuses-loop",
    requirement="connection.no-open-relay",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="The relay sends nothing that came from the hub back to the hub",
    remedy="cjsm apply: cjsm.net must not be in relay_domains",
)
def test_relay_refuses_loop(seen: Seen, verdict: Verdict) -> None:
    outcome = refusal(seen, at_relay("cjsm-recipient", seen), beside=at_relay("hub", seen))
    relays_nothing([outcome], verdict, expected="5yz to RCPT TO below cjsm.net")


@check(
    "connection.suffixed-recipients",
    requirement="connection.addresses-as-agreed",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="DOMAIN.cjsm.net is accepted from the hub exactly when it was agreed",
    remedy="set domains.accept_suffixed as agreed with the engineer, then cjsm apply",
)
def test_suffixed_recipients(seen: Seen, verdict: Verdict) -> None:
    outcome = refusal(seen, at_relay("suffixed-recipient", seen), beside=at_relay("hub", seen))
    if seen.organisation.domains.accept_suffixed:
        verdict(accepted(outcome), expected="250 to RCPT TO (accept_suffixed = true)", observed=told(outcome))
    else:
        verdict(refused(outcome), expected="5yz to RCPT TO (accept_suffixed = false)", observed=told(outcome))


@check(
    "connection.relay-refuses-old-tls",
    requirement="connection.modern-tls",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="The relay refuses TLS 1.0 and 1.1 to the hub",
    remedy="cjsm apply: smtpd_tls_mandatory_protocols must be >=TLSv1.2",
)
def test_relay_refuses_old_tls(seen: Seen, verdict: Verdict) -> None:
    for version in ("TLSv1.0", "TLSv1.1"):
        outcome = refusal(seen, f"tls.{version}:{seen.host.name}", beside=at_relay("hub", seen))
        agreed = (outcome["tls"] or {}).get("version")
        verdict(turned_away(outcome) and not agreed, expected=f"{version} refused", observed=agreed or told(outcome))


@check(
    "connection.relay-refuses-unprotected-tls",
    requirement="connection.modern-tls",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="The relay refuses TLS without encryption or without a certificate",
    remedy="cjsm apply: smtpd_tls_mandatory_ciphers must be high",
)
def test_relay_refuses_unprotected_tls(seen: Seen, verdict: Verdict) -> None:
    outcome = refusal(seen, f"tls.unprotected:{seen.host.name}", beside=at_relay("hub", seen))
    agreed = (outcome["tls"] or {}).get("cipher")
    verdict(turned_away(outcome) and not agreed, expected="a refusal", observed=agreed or told(outcome))


@check(
    "connection.relay-refuses-old-suites",
    requirement="connection.modern-tls",
    role="relay",
    vantage="relay",
    impact="local-active",
    title="The listener for the hub takes no TLS 1.2 suite without forward secrecy and authenticated encryption",
    remedy="cjsm apply, which sets tls_high_cipherlist of the hub's listener; what the hub needs beyond is declared in "
    "hub.tls_exceptions",
)
def test_relay_refuses_old_suites(seen: Seen, verdict: Verdict) -> None:
    none_beyond(verdict, seen.tried(f"tls.suites:{seen.host.name}"))


@check(
    "connection.only-the-hub-connects",
    requirement="connection.only-the-hub",
    role="relay",
    vantage="outside",
    impact="local-active",
    title="Nobody else on the internet reaches a port of the relay",
    remedy="nft list chain inet cjsm input on the relay, and forward on the firewall; cjsm apply puts both back",
)
def test_only_the_hub_connects(seen: Seen, verdict: Verdict) -> None:
    outside_is_online(seen)
    for name in ("cjsm", "inner", "smtp"):
        outcome = refusal(seen, f"relay.outside-{name}:{seen.host.name}", beside=at_relay("hub", seen))
        verdict(outcome["connection"] != "open", expected="closed", observed=f"port {name}: {outcome['connection']}")
