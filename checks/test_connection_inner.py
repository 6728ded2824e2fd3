"""connection: the inner hop between relay and mail servers, seen from both ends, and from a host that is neither."""

from __future__ import annotations

from checks.framework import check
from checks.sessions import accepted, control, each, none_beyond, relays_nothing, told, turned_away
from cjsm_connect.organisation import Host
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import NotTested, Verdict

BOTH_ENDS = "relay,mail"


def others(seen: Seen) -> tuple[Host, ...]:
    """The hosts at the other end of the inner hop."""
    return seen.organisation.mail_servers if seen.host.role == "relay" else seen.organisation.relays


def asked(seen: Seen, name: str) -> list[str]:
    """The ids of the tries of that name with this host, by each host of the other end.

    Raises:
        NotTested: there is no other end.
    """
    if not others(seen):
        raise NotTested("relay and mail server are one host: there is no inner hop")
    return [f"inner.{name}:{seen.host.name}:{other.name}" for other in others(seen)]


def pinned(seen: Seen) -> str | None:
    """The public key that the organisation file pins for this host, where keys are pinned."""
    return seen.host.inner_fingerprint if seen.organisation.inner.mode == "pinned" else None


@check(
    "connection.inner-accepts",
    requirement="connection.inner-hop",
    role=BOTH_ENDS,
    vantage="other end of the inner hop",
    impact="local-active",
    title="Each end of the inner hop accepts what the other is there to hand over",
    remedy="cjsm apply; then look for the recipient in /var/log/cjsm/mail.log of both hosts",
)
def test_inner_accepts(seen: Seen, verdict: Verdict) -> None:
    for outcome in each(seen, asked(seen, "session")):
        verdict(accepted(outcome), expected="250 to RCPT TO", observed=told(outcome))


@check(
    "connection.inner-refuses-clear-text",
    requirement="connection.never-clear-text",
    role=BOTH_ENDS,
    vantage="other end of the inner hop",
    impact="local-active",
    title="The inner hop takes no mail without TLS",
    remedy="cjsm apply: smtpd_tls_security_level of the inner listener must be encrypt",
)
def test_inner_refuses_clear_text(seen: Seen, verdict: Verdict) -> None:
    every_one_is_turned_away(seen, verdict, "clear-text")


@check(
    "connection.inner-refuses-no-certificate",
    requirement="connection.inner-hop",
    role=BOTH_ENDS,
    vantage="other end of the inner hop",
    impact="local-active",
    title="The inner hop refuses a client without a certificate, even at the right address",
    remedy="cjsm apply: smtpd_tls_req_ccert of the inner listener must be yes",
)
def test_inner_refuses_no_certificate(seen: Seen, verdict: Verdict) -> None:
    every_one_is_turned_away(seen, verdict, "no-certificate")


@check(
    "connection.inner-refuses-old-tls",
    requirement="connection.modern-tls",
    role=BOTH_ENDS,
    vantage="other end of the inner hop",
    impact="local-active",
    title="The inner hop refuses TLS 1.0 and 1.1",
    remedy="cjsm apply: smtpd_tls_mandatory_protocols must be >=TLSv1.2",
)
def test_inner_refuses_old_tls(seen: Seen, verdict: Verdict) -> None:
    for version in ("TLSv1.0", "TLSv1.1"):
        every_one_is_turned_away(seen, verdict, version)


@check(
    "connection.inner-refuses-old-suites",
    requirement="connection.modern-tls",
    role=BOTH_ENDS,
    vantage="other end of the inner hop",
    impact="local-active",
    title="The inner hop takes no TLS 1.2 suite without forward secrecy and authenticated encryption",
    remedy="cjsm apply, which sets tls_high_cipherlist of the inner listener; what is needed beyond is declared in "
    "inner.tls_exceptions",
)
def test_inner_refuses_old_suites(seen: Seen, verdict: Verdict) -> None:
    for outcome in each(seen, asked(seen, "suites")):
        none_beyond(verdict, outcome)


def every_one_is_turned_away(seen: Seen, verdict: Verdict, name: str) -> None:
    """Each client that was accepted as it should be is refused as it should not be."""
    for identifier in asked(seen, "session"):
        control(seen, identifier)
    for outcome in each(seen, asked(seen, name)):
        verdict(turned_away(outcome), expected=f"a refusal ({name})", observed=told(outcome))


@check(
    "connection.inner-refuses-foreign-recipients",
    requirement="connection.no-open-relay",
    role=BOTH_ENDS,
    vantage="other end of the inner hop",
    impact="local-active",
    title="The inner hop carries mail to nobody else: the relay only below cjsm.net, the mail server only its own",
    remedy="cjsm apply, which ends smtpd_relay_restrictions of the inner listener with reject_unauth_destination",
)
def test_inner_refuses_foreign_recipients(seen: Seen, verdict: Verdict) -> None:
    for identifier in asked(seen, "session"):
        control(seen, identifier)
    outcomes = each(seen, asked(seen, "foreign-recipients"))
    relays_nothing(outcomes, verdict, expected="5yz to each recipient elsewhere")


@check(
    "connection.inner-refuses-others",
    requirement="connection.no-open-relay",
    role="relay",
    vantage="controller",
    impact="local-active",
    title="The relay takes no mail from a host that is not a mail server",
    remedy="cjsm apply, which sets smtpd_client_restrictions of the inner listener; then nft list chain inet "
    "cjsm input",
)
def test_inner_refuses_others(seen: Seen, verdict: Verdict) -> None:
    for identifier in asked(seen, "session"):
        control(seen, identifier)
    port = seen.tried(f"inner.elsewhere-port:{seen.host.name}")["connection"]
    if port == "open":
        outcome = seen.tried(f"inner.elsewhere:{seen.host.name}")
        verdict(turned_away(outcome), expected="a refusal", observed=told(outcome))
    else:
        verdict(True, expected="a refusal", observed=f"port {seen.organisation.inner.relay_port}: {port}")
