"""relay: Postfix takes mail from the hub and the mail servers only, and hands it on by TLS or not at all."""

from __future__ import annotations

from checks.framework import check
from checks.postfix import (
    LOOPBACK,
    TLS_1_2,
    admitted,
    answers,
    inet_services,
    listener,
    only_modern,
    option,
    plain,
    policy,
    restrictions,
    same_route,
    service,
    setting,
    since,
    within,
)
from cjsm_connect.organisation.routes import CJSM_DOMAINS, hub_next_hop, inner_next_hops
from cjsm_connect.probes.postfix import STRANGER, hub_listener, inner_listeners
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

MAIL_HOSTS = "relay,mail"
HUB_AUTHORITY = "/etc/cjsm/tls/hub-ca.pem"
HUB_CHAIN = "/etc/cjsm/tls/hub.chain.pem"
REFUSALS = ("reject", "reject_unauth_destination", "defer_unauth_destination")
MESSAGES = {"smtpd_data_restrictions": "message_sources", "smtpd_end_of_data_restrictions": "whole_message_sources"}
USERS = {"permit_mynetworks", "permit_sasl_authenticated"}  # a mail server's own users


@check(
    "relay.route-to-hub",
    requirement="relay.route",
    role="relay",
    title="cjsm.net and everything below it goes to the hub, not by MX",
    remedy="cjsm apply, which writes cjsm.net and .cjsm.net to /etc/cjsm/maps/transport; postmap -q cjsm.net "
    "lmdb:/etc/cjsm/maps/transport",
)
def test_route_to_hub(seen: Seen, verdict: Verdict) -> None:
    wanted, routes = f"cjsm:{hub_next_hop(seen.organisation)}", answers(seen, "routes")
    for name in CJSM_DOMAINS:
        found = routes[name]
        verdict(same_route(found, wanted), expected=f"{name} {wanted}", observed=f"{name} {found or 'no route'}")


@check(
    "relay.route-to-relay",
    requirement="relay.route",
    role="mail",
    title="The mail server sends cjsm.net and everything below it to the relay, not by MX",
    remedy="cjsm apply, which puts /etc/cjsm/maps/transport first in transport_maps; postmap -q cjsm.net "
    "lmdb:/etc/cjsm/maps/transport",
)
def test_route_to_relay(seen: Seen, verdict: Verdict) -> None:
    wanted = f"cjsm-inner:{', '.join(inner_next_hops(seen.organisation, seen.host))}"
    routes = answers(seen, "routes")
    for name in CJSM_DOMAINS:
        found = routes[name]
        verdict(same_route(found, wanted), expected=f"{name} {wanted}", observed=f"{name} {found or 'no route'}")


@check(
    "relay.hub-policy",
    requirement="relay.never-clear-text",
    role="relay",
    title="The hub must prove one of the operator's names, or mail waits",
    remedy="cjsm apply, which writes secure match=NAMES for [HUB]:PORT in /etc/cjsm/maps/tls_policy from hub.match",
)
def test_hub_policy(seen: Seen, verdict: Verdict) -> None:
    row = answers(seen, "hub_policy")[hub_next_hop(seen.organisation)]
    names = seen.organisation.hub.match
    expected = f"secure match={':'.join(names)} protocols={TLS_1_2}"
    verdict(row is not None, expected=expected, observed="no row for the next hop")
    level, asked, modern = policy(seen, "cjsm/unix", row or "")
    kept = level == "secure" and asked <= set(names) and modern
    verdict(kept, expected=expected, observed=row)


@check(
    "relay.inner-policy",
    requirement="relay.never-clear-text",
    role=MAIL_HOSTS,
    title="The other end of the inner hop must prove who it is, or mail waits",
    remedy="cjsm apply, which writes each next hop with secure match= or fingerprint match= in "
    "/etc/cjsm/maps/tls_policy",
)
def test_inner_policy(seen: Seen, verdict: Verdict) -> None:
    found = answers(seen, "inner_policy")
    client = "inner/unix" if seen.host.role == "relay" else "cjsm-inner/unix"
    for hop, receiver in inner_next_hops(seen.organisation, seen.host).items():
        pinned = seen.organisation.inner.mode == "pinned"
        wanted = ("fingerprint", {receiver.inner_fingerprint}) if pinned else ("secure", {receiver.fqdn})
        row, expected = found[hop], f"{hop} {wanted[0]} match={':'.join(map(str, wanted[1]))}"
        verdict(row is not None, expected=expected, observed="no row for the next hop")
        level, asked, modern = policy(seen, client, row or "")
        verdict((level, asked) == wanted, expected=expected, observed=f"{hop} {row}")
        verdict(modern, expected="TLS 1.2 or newer", observed=row)


@check(
    "relay.hub-client",
    requirement="relay.never-clear-text",
    role="relay",
    title="Even without a policy the service to the hub demands TLS, and trusts the operator's CA only",
    remedy="cjsm apply, which writes the service cjsm in master.cf with -o smtp_tls_security_level=secure and "
    "the operator's CA",
)
def test_hub_client(seen: Seen, verdict: Verdict) -> None:
    service(seen, verdict, "cjsm/unix", "smtp")
    wanted = {
        "smtp_tls_security_level": "secure",
        "smtp_tls_CAfile": HUB_AUTHORITY,
        "smtp_tls_CApath": "",
        "smtp_tls_chain_files": HUB_CHAIN,
        "tls_append_default_CA": "no",
    }
    for name, value in wanted.items():
        found = option(seen, "cjsm/unix", name)
        verdict(found == value, expected=f"{name} = {value}", observed=f"{name} = {found}")
    only_modern(seen, verdict, "cjsm/unix", "smtp_tls_mandatory_protocols")


@check(
    "relay.no-letter-turns-tls-off",
    requirement="relay.no-letter-steers",
    role=MAIL_HOSTS,
    title="The header TLS-Required: no (RFC 8689) turns nothing off",
    remedy="cjsm apply, which sets tls_required_enable=no on each service to CJSM and to the inner hop in master.cf",
)
def test_no_letter_turns_tls_off(seen: Seen, verdict: Verdict) -> None:
    clients = ("cjsm/unix", "inner/unix") if seen.host.role == "relay" else ("cjsm-inner/unix",)
    for name in clients:
        service(seen, verdict, name, "smtp")
        if not since(seen, 3, 10):
            version = seen.fact("relay", "version")
            verdict(True, expected="a header that Postfix does not obey", observed=f"Postfix {version} knows none")
            continue
        found = option(seen, name, "tls_required_enable")
        verdict(found == "no", expected=f"{name}: tls_required_enable = no", observed=f"tls_required_enable = {found}")


@check(
    "relay.no-domain-in-disguise",
    requirement="relay.no-letter-steers",
    role="mail",
    title="A domain that only DNS would read as CJSM's or our own is refused, not looked up",
    remedy="cjsm apply, which puts regexp:/etc/cjsm/maps/disguised_domains into transport_maps",
)
def test_no_domain_in_disguise(seen: Seen, verdict: Verdict) -> None:
    found = answers(seen, "disguised")
    for address, route in found.items():
        shown = address.encode("ascii", "backslashreplace").decode()
        refused = (route or "").startswith("error:")
        verdict(refused, expected=f"{shown}: error:REASON", observed=f"{shown}: {route or 'no route, so by MX'}")
    verdict(bool(found), expected="addresses that were asked about", observed=f"{len(found)} refused")


@check(
    "relay.mx-never-answers-for-cjsm",
    requirement="relay.no-letter-steers",
    role="mail",
    title="Whatever was written and whatever a table lacks, the public DNS has no answer for CJSM",
    remedy="cjsm apply, which puts regexp:/etc/cjsm/maps/never_by_mx first in smtp_dns_reply_filter",
)
def test_mx_never_answers_for_cjsm(seen: Seen, verdict: Verdict) -> None:
    for answer, action in answers(seen, "mx_answers").items():
        ignored = (action or "").upper() == "IGNORE"
        verdict(ignored, expected=f"{answer} is ignored", observed=f"{answer} {action or 'is followed'}")
    main = setting(seen, "smtp_dns_reply_filter")
    for name, found in seen.fact("relay", "services").items():
        own = found["options"].get("smtp_dns_reply_filter", main)
        same = found["command"] != "smtp" or plain(own) == main
        verdict(same, expected=f"{name}: that filter", observed=f"{name}: smtp_dns_reply_filter = {own or 'nothing'}")


@check(
    "relay.no-other-way-out",
    requirement="relay.no-mx",
    role="relay",
    title="There is no way off the relay but to the hub and to the mail servers",
    remedy="cjsm apply, which sets default_transport, local_transport and relay_transport to error: in main.cf, "
    "and relayhost to nothing",
)
def test_no_other_way_out(seen: Seen, verdict: Verdict) -> None:
    for name in ("default_transport", "local_transport"):
        value = setting(seen, name)
        verdict(value.startswith("error:"), expected=f"{name} = error:...", observed=f"{name} = {value}")
    value = setting(seen, "relay_transport")
    kept = value.startswith(("error:", "retry:"))
    verdict(kept, expected="relay_transport = error:... or retry:...", observed=f"relay_transport = {value}")
    verdict(not setting(seen, "relayhost"), expected="no relayhost", observed=setting(seen, "relayhost"))
    clients = [name for name, found in seen.fact("relay", "services").items() if found["command"] in ("smtp", "lmtp")]
    for name in clients:
        fallback = option(seen, name, "smtp_fallback_relay")
        verdict(not fallback, expected=f"{name}: no smtp_fallback_relay", observed=f"{name}: {fallback or 'none'}")
    others = sorted(set(clients) - {"cjsm/unix", "inner/unix"})
    verdict(not others, expected="smtp(8) only as cjsm and inner", observed=", ".join(others) or ", ".join(clients))


@check(
    "relay.hub-listener-mutual-tls",
    requirement="relay.only-the-hub",
    role="relay",
    title="The listener for the hub demands TLS and a certificate of the operator's CA",
    remedy="cjsm apply, which sets smtpd_tls_security_level=encrypt, smtpd_tls_req_ccert=yes and "
    "smtpd_tls_CAfile of the hub's listener",
)
def test_hub_listener_mutual_tls(seen: Seen, verdict: Verdict) -> None:
    name = hub_listener(seen.organisation, seen.host)
    listener(seen, verdict, name, authority=HUB_AUTHORITY)


@check(
    "relay.hub-listener-identity",
    requirement="relay.only-the-hub",
    role="relay",
    title="Source address and public key are both asked, and everything else is refused",
    remedy="cjsm apply, which sets smtpd_client_restrictions of the hub's listener: check_client_access, "
    "check_ccert_access, check_client_access, reject",
)
def test_hub_listener_identity(seen: Seen, verdict: Verdict) -> None:
    name = hub_listener(seen.organisation, seen.host)
    service(seen, verdict, name, "smtpd")
    order = [part.split()[0] for part in _clients(seen)]
    wanted = ["check_client_access", "check_ccert_access", "check_client_access", "reject"]
    verdict(order == wanted, expected=", ".join(wanted), observed=", ".join(order) or "no restriction")
    verdict(option(seen, name, "smtpd_delay_reject") == "yes", expected="judged after STARTTLS", observed="before it")
    digest = option(seen, name, "smtpd_tls_fingerprint_digest")
    verdict(digest == "sha256", expected="fingerprints are SHA-256", observed=digest)


@check(
    "relay.hub-sources",
    requirement="relay.only-the-hub",
    role="relay",
    title="Only the hub's source addresses are let on to the next question",
    remedy="compare hub.sources with what the engineer gave; cjsm apply writes them to the table of "
    "smtpd_client_restrictions",
)
def test_hub_sources(seen: Seen, verdict: Verdict) -> None:
    hub = seen.organisation.hub
    testers = (address for tester in hub.testers for address in tester.addresses)
    admitted(seen, verdict, "hub_sources", map(str, (*hub.sources, *testers)), STRANGER)


@check(
    "relay.hub-keys",
    requirement="relay.only-the-hub",
    role="relay",
    title="Exactly the declared public keys are known, the hub's and those of testers",
    remedy="compare hub.fingerprints with what the engineer gave; cjsm apply writes them to "
    "/etc/cjsm/maps/hub_certificates",
)
def test_hub_keys(seen: Seen, verdict: Verdict) -> None:
    hub = seen.organisation.hub
    testers = {key for tester in hub.testers for key in tester.fingerprints}
    table = "admitted_certificates" if hub.testers else "hub_certificates"
    knows(seen, verdict, _clients(seen), table, {*hub.fingerprints, *testers})


def knows(seen: Seen, verdict: Verdict, restrictions: list[str], table: str, keys: set[str]) -> None:
    """Public keys are asked of one table, and it has exactly these."""
    asked = [part for part in restrictions if part.startswith("check_ccert_access")]
    only = len(asked) == 1 and asked[0].endswith(f"/{table}")
    verdict(only, expected=f"check_ccert_access asks {table} and nothing else", observed=", ".join(asked) or "none")
    known = set(seen.fact("domains", "tables", table, "rows"))
    verdict(known == keys, expected=", ".join(sorted(keys)), observed=", ".join(sorted(known)) or "none")


@check(
    "relay.testers-hand-in-nothing",
    requirement="relay.only-the-hub",
    role="relay",
    title="Whoever tests the listener gets as far as RCPT: only the hub can hand in a message",
    remedy="cjsm apply, which sets smtpd_data_restrictions and smtpd_end_of_data_restrictions of the hub's listener",
)
def test_testers_hand_in_nothing(seen: Seen, verdict: Verdict) -> None:
    hub, name = seen.organisation.hub, hub_listener(seen.organisation, seen.host)
    service(seen, verdict, name, "smtpd")
    wanted = ["check_client_access", "check_ccert_access", "reject"]
    for parameter, lookup in MESSAGES.items() if hub.testers else ():
        asked = [part for part in restrictions(seen, name, parameter) if part != "reject_unauth_pipelining"]
        order = [part.split()[0] for part in asked]
        observed = f"{parameter}: {', '.join(order) or 'no restriction'}"
        verdict(order == wanted, expected=f"{parameter}: {', '.join(wanted)}", observed=observed)
        admitted(seen, verdict, lookup, map(str, hub.sources), STRANGER)
        _turns_away_testers(seen, verdict, lookup)
        knows(seen, verdict, asked, "hub_certificates", set(hub.fingerprints))
    observed = "only the hub's address and key are known there" if hub.testers else "there are no testers"
    verdict(True, expected="messages from the hub only", observed=observed)


def _turns_away_testers(seen: Seen, verdict: Verdict, lookup: str) -> None:
    found = answers(seen, lookup)
    for address in (str(one) for tester in seen.organisation.hub.testers for one in tester.addresses):
        refused = (found[address] or "").startswith("REJECT")
        verdict(refused, expected=f"{address}: REJECT", observed=found[address] or "not known to the table")


@check(
    "relay.testers-in-time",
    requirement="relay.only-the-hub",
    role="estate",
    vantage="declaration",
    title="No tester is kept after the end of its time",
    remedy="remove the tester from [[hub.testers]] in organisation.toml, or give it a new time, then cjsm apply",
)
def test_testers_in_time(seen: Seen, verdict: Verdict) -> None:
    testers = seen.organisation.hub.testers
    for tester in testers:
        over = tester.expiry.date() < seen.today
        until = f"{tester.name} until {tester.expiry:%Y-%m-%dT%H:%M:%SZ}"
        verdict(not over, expected="no tester whose time is over", observed=until)
    verdict(
        True, expected="no tester whose time is over", observed=f"{len(testers)} testers, each in its time or before"
    )


def _clients(seen: Seen) -> list[str]:
    """Who may use the listener for the hub."""
    return restrictions(seen, hub_listener(seen.organisation, seen.host), "smtpd_client_restrictions")


@check(
    "relay.no-open-relay",
    requirement="relay.no-open-relay",
    role=MAIL_HOSTS,
    title="No listener carries mail for others",
    remedy="cjsm apply; on a mail server of your own: postconf -e "
    "'smtpd_relay_restrictions=permit_mynetworks,reject_unauth_destination'",
)
def test_no_open_relay(seen: Seen, verdict: Verdict) -> None:
    inner = inner_listeners(seen.organisation, seen.host)
    for name in inet_services(seen):
        asked = restrictions(seen, name, "smtpd_relay_restrictions")
        closed = any(part in REFUSALS for part in asked)
        verdict(closed, expected=f"{name}: ends with a refusal", observed=", ".join(asked) or "no restriction")
        permits = {part for part in asked if part.startswith("permit")}
        allowed = set() if seen.host.role == "relay" or name in inner else USERS
        verdict(permits <= allowed, expected=f"{name}: no permit before it", observed=", ".join(permits) or "none")


@check(
    "relay.trusted-networks",
    requirement="relay.no-open-relay",
    role=MAIL_HOSTS,
    title="No network is trusted for being near",
    remedy="cjsm apply; by hand: postconf -e 'mynetworks=127.0.0.0/8 [::1]/128'; systemctl reload postfix",
)
def test_trusted_networks(seen: Seen, verdict: Verdict) -> None:
    networks = setting(seen, "mynetworks")
    lan = [zone.cidr for zone in seen.organisation.estate.networks if zone.zone == "lan" and seen.host.role == "mail"]
    strange = [text for text in networks.replace(",", " ").split() if not within(text, [*LOOPBACK, *lan])]
    expected = "mynetworks: this host, and on a mail server the LAN" if lan else "mynetworks: empty, or this host only"
    verdict(not strange, expected=expected, observed=", ".join(strange) or networks or "empty")


@check(
    "relay.recipients-known",
    requirement="relay.unknown-recipients",
    role="relay",
    title="Unknown recipients are refused with 550 while the hub waits; 450 while the mail server is away",
    remedy="cjsm apply; by hand: postconf -e unverified_recipient_reject_code=550 unverified_recipient_defer_code=450",
)
def test_recipients_known(seen: Seen, verdict: Verdict) -> None:
    asked = restrictions(seen, hub_listener(seen.organisation, seen.host), "smtpd_recipient_restrictions")
    if seen.organisation.recipients.mode == "file":
        maps = setting(seen, "relay_recipient_maps")
        verdict(
            bool(maps), expected="relay_recipient_maps: the list", observed=maps or "empty: every recipient is taken"
        )
        return
    scoped = asked[-1:] == ["reject"] and any("/recipients" in part for part in asked)
    verdict(scoped, expected="the recipients table, then reject", observed=", ".join(asked) or "no restriction")
    codes = setting(seen, "unverified_recipient_reject_code"), setting(seen, "unverified_recipient_defer_code")
    verdict(codes == ("550", "450"), expected="550 unknown, 450 cannot be asked", observed=" and ".join(codes))


@check(
    "relay.mailboxes-real",
    requirement="relay.unknown-recipients",
    role="mail",
    title="Every name that the mail server takes mail for ends in a mailbox",
    remedy="cjsm apply, which sets local_recipient_maps; for an account that is named: give it its home "
    "(mkhomedir_helper NAME; chown), or take it away; for an alias: change /etc/aliases, then newaliases",
)
def test_mailboxes_real(seen: Seen, verdict: Verdict) -> None:
    if seen.host.mailboxes != "local":
        tried = "mailboxes of your own mail system are tried from outside: connection.unknown-recipients"
        verdict(True, expected="mailboxes that are not ours", observed=tried)
        return
    unreal = seen.fact("mailboxes", "unreal")
    observed = "; ".join(f"{name}: {why}" for name, why in unreal) or "each ends in a mailbox"
    verdict(not unreal, expected="no name without a mailbox", observed=observed)


@check(
    "relay.smuggling-closed",
    requirement="relay.no-smuggling",
    role=MAIL_HOSTS,
    title="A line that ends with a bare line feed cannot end a message",
    remedy="cjsm apply; by hand: postconf -e smtpd_forbid_bare_newline=normalize "
    "smtpd_forbid_unauth_pipelining=yes; systemctl reload postfix",
)
def test_smuggling_closed(seen: Seen, verdict: Verdict) -> None:
    for name in inet_services(seen):
        newline = option(seen, name, "smtpd_forbid_bare_newline")
        strict = newline in ("normalize", "reject", "yes")
        verdict(strict, expected=f"{name}: smtpd_forbid_bare_newline = normalize", observed=newline)
        pipelining = option(seen, name, "smtpd_forbid_unauth_pipelining")
        verdict(pipelining == "yes", expected=f"{name}: smtpd_forbid_unauth_pipelining = yes", observed=pipelining)
