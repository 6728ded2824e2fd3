"""connection: the public side of the mail server, asked from the internet with MAIL and RCPT; nothing is sent."""

from __future__ import annotations

from checks.framework import check
from checks.sessions import accepted, control, refusal, refused, relays_nothing, told
from cjsm_connect.organisation.routes import NOTICE_SENDER
from cjsm_connect.probes.seen import Seen
from cjsm_connect.probes.sessions import contacts
from cjsm_connect.results.judge import Verdict


def public(name: str, seen: Seen, verdict: Verdict) -> str:
    """The id of a try with this host from outside; a host that has no public side is not judged."""
    if not seen.host.internet_mail:
        verdict.not_tested(f"{seen.host.name} exchanges no mail with the internet (internet_mail = false)")
    return f"public.{name}:{seen.host.name}"


@check(
    "connection.public-takes-own-mail",
    requirement="connection.public-side",
    role="mail",
    vantage="outside",
    impact="local-active",
    title="Ordinary mail from the internet still arrives",
    remedy="postconf smtpd_recipient_restrictions smtpd_sender_restrictions on the mail server; only "
    "check_sender_access for cjsm.net is ours",
)
def test_public_takes_own_mail(seen: Seen, verdict: Verdict) -> None:
    outcome = seen.tried(public("own", seen, verdict))
    verdict(accepted(outcome), expected="250 to RCPT TO", observed=told(outcome))


@check(
    "connection.public-not-open-relay",
    requirement="connection.no-open-relay",
    role="mail",
    vantage="outside",
    impact="local-active",
    title="The mail server carries nothing from the internet to the internet",
    remedy="postconf -e 'smtpd_relay_restrictions=permit_mynetworks,reject_unauth_destination' on the mail "
    "server; systemctl reload postfix",
)
def test_public_not_open_relay(seen: Seen, verdict: Verdict) -> None:
    own = public("own", seen, verdict)
    outcome = refusal(seen, public("foreign-recipients", seen, verdict), beside=own)
    relays_nothing([outcome], verdict, expected="5yz to each spelling of a foreign recipient")


@check(
    "connection.public-no-way-into-cjsm",
    requirement="connection.no-open-relay",
    role="mail",
    vantage="outside",
    impact="local-active",
    title="Nobody on the internet sends to CJSM through the mail server, not even with a sender of ours",
    remedy="postconf -e 'smtpd_relay_restrictions=permit_mynetworks,reject_unauth_destination' on the mail "
    "server; systemctl reload postfix",
)
def test_public_no_way_into_cjsm(seen: Seen, verdict: Verdict) -> None:
    own = public("own", seen, verdict)
    outcome = refusal(seen, public("cjsm-recipient", seen, verdict), beside=own)
    relays_nothing([outcome], verdict, expected="5yz to RCPT TO below cjsm.net")


@check(
    "connection.public-no-forged-senders",
    requirement="connection.no-forged-senders",
    role="mail",
    vantage="outside",
    impact="local-active",
    title="A sender below cjsm.net is refused on the public port",
    remedy="cjsm apply: check_sender_access for cjsm.net comes first in smtpd_sender_restrictions",
)
def test_public_no_forged_senders(seen: Seen, verdict: Verdict) -> None:
    own = public("own", seen, verdict)
    outcome = refusal(seen, public("forged-cjsm-sender", seen, verdict), beside=own)
    stopped = refused(outcome) or refused(outcome, "MAIL")
    verdict(stopped, expected="5yz to a sender below cjsm.net", observed=told(outcome))


@check(
    "connection.public-tls",
    requirement="relay.public-side",
    role="mail",
    vantage="outside",
    impact="local-active",
    title="The public port speaks TLS 1.2 or newer with senders who can",
    remedy="postconf -e smtpd_tls_security_level=may and smtpd_tls_chain_files=KEY,CERTIFICATE on the mail server; "
    "systemctl reload postfix",
)
def test_public_tls(seen: Seen, verdict: Verdict) -> None:
    own = seen.tried(public("own", seen, verdict))
    if not own["reachable"]:
        verdict.not_tested("port 25 was not reached, which another check says")
    outcome = seen.tried(public("tls", seen, verdict))
    version = (outcome["tls"] or {}).get("version")
    verdict(bool(version), expected="TLS 1.2 or newer", observed=version or told(outcome), warn=True)


@check(
    "connection.public-takes-notices",
    requirement="estate.contacts",
    role="mail",
    vantage="outside",
    impact="local-active",
    title="CJSM's own notices reach the IT helpdesk and the administrator",
    remedy="give contacts.helpdesk and contacts.administrator of organisation.toml mailboxes (/etc/aliases, then "
    "newaliases); cjsm apply lets noreply@system.cjsm.net through in /etc/cjsm/maps/cjsm_senders",
)
def test_public_takes_notices(seen: Seen, verdict: Verdict) -> None:
    control(seen, public("own", seen, verdict))
    outcome = seen.tried(public("notices", seen, verdict))
    if not contacts(seen.organisation):
        verdict.not_tested("neither address is in domains.names: ask its own mail server")
    stopped = [reply for reply in outcome["replies"] if reply["code"] >= 500]
    observed = "; ".join(f"{reply['command']}: {reply['code']} {reply['text']}" for reply in stopped) or told(outcome)
    verdict(not stopped, expected=f"250 to each contact from {NOTICE_SENDER}", observed=observed)
    if not accepted(outcome):
        verdict.not_tested(f"put off: {told(outcome)}")
