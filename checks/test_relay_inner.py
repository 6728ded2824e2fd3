"""relay: the inner hop, as each of its ends is configured."""

from __future__ import annotations

from checks.framework import check
from checks.postfix import admitted, answers, listener, restrictions
from cjsm_connect.organisation.routes import CJSM_DOMAINS
from cjsm_connect.probes.postfix import FOREIGN_DOMAIN, STRANGER, inner_listeners
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

MAIL_HOSTS = "relay,mail"
INNER_AUTHORITY = "/etc/cjsm/tls/inner-ca.pem"


@check(
    "relay.inner-listener",
    requirement="relay.inner-hop",
    role=MAIL_HOSTS,
    title="The inner listener demands TLS and a certificate or pinned key of the other end",
    remedy="cjsm apply, which sets smtpd_tls_security_level=encrypt and smtpd_tls_req_ccert=yes of the inner "
    "listener in master.cf",
)
def test_inner_listener(seen: Seen, verdict: Verdict) -> None:
    pinned = seen.organisation.inner.mode == "pinned"
    authority = "" if pinned else INNER_AUTHORITY
    for name in inner_listeners(seen.organisation, seen.host):
        listener(seen, verdict, name, authority=authority)
        asked = " ".join(restrictions(seen, name, "smtpd_client_restrictions"))
        known = "check_ccert_access" in asked and asked.endswith("reject") if pinned else "check_client_access" in asked
        verdict(known, expected=f"{name}: only the other end", observed=asked or "no restriction")


@check(
    "relay.inner-sources",
    requirement="relay.inner-hop",
    role=MAIL_HOSTS,
    title="Only the other end's addresses may use the inner listener",
    remedy="cjsm apply, which writes the other end's addresses (hosts.interfaces) to the table of "
    "smtpd_client_restrictions",
)
def test_inner_sources(seen: Seen, verdict: Verdict) -> None:
    others = seen.organisation.mail_servers if seen.host.role == "relay" else seen.organisation.relays
    admitted(seen, verdict, "inner_sources", [str(at) for other in others for at in other.addresses], STRANGER)


@check(
    "relay.inner-destinations",
    requirement="relay.inner-hop",
    role="relay",
    title="Mail servers reach CJSM through the relay, and nothing else",
    remedy="cjsm apply, which lets the inner listener's smtpd_relay_restrictions admit cjsm.net and .cjsm.net only",
)
def test_inner_destinations(seen: Seen, verdict: Verdict) -> None:
    found = answers(seen, "inner_destinations")
    for name in CJSM_DOMAINS:
        verdict(found[name] == "OK", expected=f"{name} OK", observed=f"{name} {found[name] or 'refused'}")
    elsewhere = found[FOREIGN_DOMAIN]
    verdict(
        elsewhere is None, expected=f"{FOREIGN_DOMAIN} refused", observed=f"{FOREIGN_DOMAIN} {elsewhere or 'refused'}"
    )


@check(
    "relay.inner-senders",
    requirement="relay.inner-hop",
    role="relay",
    title="Only the organisation's own addresses send into CJSM",
    remedy="cjsm apply, which writes domains.names to the table of the inner listener's smtpd_sender_restrictions",
)
def test_inner_senders(seen: Seen, verdict: Verdict) -> None:
    found = answers(seen, "inner_senders")
    for name in seen.organisation.domains.names:
        verdict(found[name] == "OK", expected=f"{name} OK", observed=f"{name} {found[name] or 'refused'}")
    elsewhere = found[FOREIGN_DOMAIN]
    verdict(
        elsewhere is None, expected=f"{FOREIGN_DOMAIN} refused", observed=f"{FOREIGN_DOMAIN} {elsewhere or 'refused'}"
    )


@check(
    "relay.no-forged-senders",
    requirement="relay.no-forged-senders",
    role="mail",
    title="Nobody on the internet can send as cjsm.net to the mail server, nor in a disguise of it",
    remedy="cjsm apply, which puts check_sender_access for cjsm.net, and for what only seems to be it, first in "
    "smtpd_sender_restrictions",
)
def test_no_forged_senders(seen: Seen, verdict: Verdict) -> None:
    if not seen.host.internet_mail:
        verdict.not_tested("this mail server takes no mail from the internet")
    found = answers(seen, "internet_senders")
    for name in CJSM_DOMAINS:
        refused = (found[name] or "").startswith("REJECT")
        verdict(refused, expected=f"{name} REJECT", observed=f"{name} {found[name] or 'not in a table'}")
    for address, answer in answers(seen, "disguised_senders").items():
        shown = address.encode("ascii", "backslashreplace").decode()
        refused = (answer or "").startswith("REJECT")
        verdict(refused, expected=f"{shown} REJECT", observed=f"{shown} {answer or 'not in a table'}")
