"""connection: relay and hub know and accept each other, and a message arrives each way."""

from __future__ import annotations

import re
from collections.abc import Iterator

from checks.framework import check
from checks.sessions import Outcome, accepted, answers, control, each, told, turned_away
from cjsm_connect.organisation.routes import hub_side_address
from cjsm_connect.organisation.suites import permitted
from cjsm_connect.probes.postfix import hub_listener, inner_listeners
from cjsm_connect.probes.seen import Seen
from cjsm_connect.probes.tries import domains
from cjsm_connect.results.judge import NotTested, Verdict

IN_BRACKETS = re.compile(r"\[(?:IPv6:)?([0-9a-f.:]+)\]")  # the client's address in a Received: header (RFC 5321 4.4)


def handshakes(seen: Seen) -> list[str]:
    """The tries with each address of the hub."""
    return [f"hub.handshake:{seen.host.name}:{address}" for address in seen.organisation.hub.addresses]


def offered_tls(seen: Seen) -> Iterator[Outcome]:
    """The sessions with each address of the hub. What asks about TLS means nothing where none was to be had.

    Raises:
        NotTested: STARTTLS was not offered; connection.hub-identity says so.
    """
    for outcome in each(seen, handshakes(seen)):
        if outcome.get("offers_starttls") is False and seen.organisation.hub.mode != "implicit":
            raise NotTested(
                "the hub offered no STARTTLS, or somebody on the way took it out: see connection.hub-identity"
            )
        yield outcome


@check(
    "connection.hub-modern-tls",
    requirement="connection.modern-tls",
    role="relay",
    vantage="relay",
    impact="hub-handshake",
    title="Relay and hub agree on TLS 1.3, or on TLS 1.2 with a suite that is permitted",
    remedy="tell the CJSM helpdesk what the hub lacks; until it has that, mail waits, or the suite is declared in "
    "hub.tls_exceptions with a reason",
)
def test_hub_modern_tls(seen: Seen, verdict: Verdict) -> None:
    suites = permitted(seen.organisation.hub.tls_exceptions)
    expected = f"TLSv1.3, or TLSv1.2 with one of {', '.join(suites)}"
    for identifier, outcome in zip(handshakes(seen), offered_tls(seen), strict=True):
        tls = outcome["tls"] or {}
        version, suite = tls.get("version"), tls.get("cipher")
        agreed = version == "TLSv1.3" or (version == "TLSv1.2" and suite in suites)
        observed = f"{version} {suite}" if version else _would_take(seen, identifier)
        verdict(agreed, expected=expected, observed=observed)


def _would_take(seen: Seen, identifier: str) -> str:
    """What a hub chooses that has none of our suites, when it is offered every one."""
    tls = seen.tried(identifier.replace("hub.handshake", "hub.any-suite"))["tls"] or {}
    if not tls.get("version"):
        return f"no TLS 1.2 at all: {tls.get('error') or 'no handshake'}"
    return f"the hub has none of them, and would take {tls['version']} {tls['cipher']}"


@check(
    "connection.only-permitted-suites",
    requirement="connection.modern-tls",
    role="relay,mail",
    title="Each service to the hub and of the inner hop is set to TLS 1.2 suites that are permitted, and no other",
    remedy="cjsm apply, which sets tls_high_cipherlist of each of these services in master.cf",
)
def test_only_permitted_suites(seen: Seen, verdict: Verdict) -> None:
    for lookup in ("hub_policy", "inner_policy") if seen.host.role == "relay" else ("inner_policy",):
        for hop, row in seen.fact("relay", "lookups", lookup, "answers").items():
            grade = re.search(r"ciphers=(\S+)", row or "")
            verdict(grade is None or grade[1] == "high", expected=f"{hop}: ciphers=high", observed=f"{hop}: {row}")
    for name, suites in _sides(seen).items():
        found = seen.fact("relay", "suites").get(name, [])
        others = [suite for suite in found if suite not in suites]
        observed = f"{name}: {', '.join(others) or ', '.join(found) or 'no suite, or no service'}"
        verdict(bool(found) and not others, expected=f"{name}: of {', '.join(suites)} only", observed=observed)


def _sides(seen: Seen) -> dict[str, tuple[str, ...]]:
    """The services that carry CJSM mail, each with the suites that it may speak."""
    hub, inner = (permitted(side.tls_exceptions) for side in (seen.organisation.hub, seen.organisation.inner))
    found = dict.fromkeys(inner_listeners(seen.organisation, seen.host), inner)
    if seen.host.role != "relay":
        return {**found, "cjsm-inner/unix": inner}
    return {hub_listener(seen.organisation, seen.host): hub, "cjsm/unix": hub, **found, "inner/unix": inner}


@check(
    "connection.hub-greets-us",
    requirement="connection.hub-accepts-certificate",
    role="relay",
    vantage="relay",
    impact="hub-handshake",
    title="The hub goes on after the relay has shown its certificate",
    remedy="ask the CJSM helpdesk whether certificate and address of the relay are entered; openssl x509 -in "
    "/etc/cjsm/tls/hub.chain.pem -noout -fingerprint -sha256",
)
def test_hub_greets_us(seen: Seen, verdict: Verdict) -> None:
    for outcome in offered_tls(seen):
        greeted = answers(outcome, "EHLO") == ([250] if seen.organisation.hub.mode == "implicit" else [250, 250])
        verdict(greeted, expected="250 to EHLO inside TLS", observed=told(outcome))


@check(
    "connection.hub-takes-our-size",
    requirement="connection.message-size",
    role="relay",
    vantage="relay",
    impact="hub-handshake",
    title="The hub takes messages of the size that the relay takes",
    remedy="set mail.message_size_limit in organisation.toml to what the hub announces, then cjsm apply",
)
def test_hub_takes_our_size(seen: Seen, verdict: Verdict) -> None:
    ours = seen.organisation.mail.message_size_limit
    for outcome in each(seen, handshakes(seen)):
        size = outcome.get("announces_size")
        observed = "no SIZE announced" if size is None else f"SIZE {size}"
        verdict(not size or size >= ours, expected=f"SIZE of at least {ours}", observed=observed, warn=True)


@check(
    "connection.hub-asks-certificate",
    requirement="connection.hub-asks-certificate",
    role="relay",
    vantage="relay",
    impact="hub-handshake",
    title="The hub refuses a client without a certificate",
    remedy="tell the CJSM helpdesk: whoever reaches hub.host could speak to it without a certificate",
)
def test_hub_asks_certificate(seen: Seen, verdict: Verdict) -> None:
    for identifier, _ in zip(handshakes(seen), offered_tls(seen), strict=True):
        control(seen, identifier, "EHLO")
        anonymous = seen.tried(identifier.replace("hub.handshake", "hub.no-certificate"))
        verdict(turned_away(anonymous), expected="a refusal", observed=told(anonymous), warn=True)


@check(
    "connection.hub-can-deliver",
    requirement="connection.hub-can-deliver",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="The relay accepts a known recipient from the hub",
    remedy="cjsm apply; then look for the recipient in /var/log/cjsm/mail.log of both hosts",
)
def test_hub_can_deliver(seen: Seen, verdict: Verdict) -> None:
    outcome = seen.tried(f"relay.hub:{seen.host.name}")
    verdict(accepted(outcome), expected="250 to RCPT TO", observed=told(outcome))


@check(
    "connection.relay-takes-declared-size",
    requirement="connection.message-size",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="The relay announces the declared message size",
    remedy="cjsm apply, which sets message_size_limit in main.cf from mail.message_size_limit",
)
def test_relay_takes_declared_size(seen: Seen, verdict: Verdict) -> None:
    declared = seen.organisation.mail.message_size_limit
    size = control(seen, f"relay.hub:{seen.host.name}")["announces_size"]
    verdict(size == declared, expected=f"SIZE {declared}", observed=f"SIZE {size}")


@check(
    "connection.every-domain",
    requirement="connection.every-domain",
    role="relay",
    vantage="hub",
    impact="local-active",
    title="The relay accepts postmaster in each of the organisation's domains",
    remedy="cjsm apply; then give the mail server a postmaster for the domain (RFC 5321 4.5.1)",
)
def test_every_domain(seen: Seen, verdict: Verdict) -> None:
    control(seen, f"relay.hub:{seen.host.name}")  # a relay that takes nothing at all says nothing about a domain
    asked = domains.asked(seen.organisation)
    for outcome in each(seen, [f"domains.{domain}:{seen.host.name}" for domain in asked]):
        verdict(accepted(outcome), expected=f"250 to RCPT TO in {len(asked)} domains", observed=told(outcome))


@check(
    "connection.message-out",
    requirement="connection.mail-both-ways",
    role="estate",
    vantage="hub",
    impact="hub-mail",
    title="A message to another member arrives there, unharmed, from the suffixed sender",
    remedy="follow the message in /var/log/cjsm/mail.log of the mail server, then of the relay; then ask the engineer",
)
def test_message_out(seen: Seen, verdict: Verdict) -> None:
    arrives(seen, verdict, "outbound")
    headers = seen.tried("message.outbound-arrived")["headers"]
    senders = f"From: {headers['From']}, Return-Path: {headers['Return-Path']}"  # which of them is not published
    verdict(".cjsm.net" in senders, expected="a sender below cjsm.net: the answer is secure too", observed=senders)


@check(
    "connection.message-in",
    requirement="connection.mail-both-ways",
    role="estate",
    vantage="mail",
    impact="hub-mail",
    title="A message from another member arrives in the mailbox, unharmed",
    remedy="ask the engineer, then follow it in /var/log/cjsm/mail.log of the relay, then of the mail server",
)
def test_message_in(seen: Seen, verdict: Verdict) -> None:
    arrives(seen, verdict, "inbound")


def arrives(seen: Seen, verdict: Verdict, way: str) -> None:
    """A message was taken, found at the other end, and is what was sent; a footer below it is documented, not harm."""
    sent, arrived = seen.tried(f"message.{way}-sent"), seen.tried(f"message.{way}-arrived")
    verdict(sent["exit_code"] == 0, expected="taken by sendmail", observed=sent["errors"] or "taken")
    fate = [line for line in sent["log"] if " status=" in line]
    lost = f"not in the mailbox; the sender's log: {(fate or ['nothing'])[-1]}"
    verdict(arrived["found"], expected="arrived", observed="arrived" if arrived["found"] else lost)
    for part in ("text_sha256", "attachment_sha256"):
        same = arrived[part] == sent[part]
        footer = f"; added below: {arrived['extra']}" if arrived["extra"] else ""
        verdict(
            same, expected="the same text and attachment", observed=f"{part} {'same' if same else 'changed'}{footer}"
        )


@check(
    "connection.message-out-relayed",
    requirement="connection.mail-both-ways",
    role="relay",
    vantage="relay",
    impact="hub-mail",
    title="The relay hands a message to the hub, and to nobody else",
    remedy="postqueue -p on the relay says why it waits; cjsm check --only tls,relay",
)
def test_message_out_relayed(seen: Seen, verdict: Verdict) -> None:
    hub = seen.organisation.hub
    lines = seen.tried(f"message.outbound-relayed:{seen.host.name}")["log"]
    fates = [line for line in lines if " status=" in line]
    expected = f"status=sent, relay={hub.host}"
    to_hub = [
        line for line in fates if "status=sent" in line and any(f"[{at}]:{hub.port}" in line for at in hub.addresses)
    ]
    elsewhere = [line for line in fates if line not in to_hub]
    observed = (elsewhere or fates or lines or ["no line in the log"])[-1]
    verdict(bool(fates) and not elsewhere, expected=expected, observed=observed)


@check(
    "connection.static-address",
    requirement="connection.static-address",
    role="relay",
    title="The relay's address is its own for good, not leased",
    remedy="write the address into /etc/network/interfaces: iface NAME inet static; then systemctl restart networking",
)
def test_static_address(seen: Seen, verdict: Verdict) -> None:
    wanted = str(hub_side_address(seen.organisation, seen.host))
    found = [row for row in seen.fact("system", "addresses") if row["address"] == wanted]
    if not found:
        verdict.not_tested(f"{wanted} is not an address of this host, which another check says")
    leased = any(row.get("dynamic") for row in found)
    verdict(not leased, expected=f"{wanted}, static", observed="leased (DHCP or router)" if leased else "static")


@check(
    "connection.same-address-out",
    requirement="connection.static-address",
    role="estate",
    vantage="hub",
    impact="hub-mail",
    title="The hub sees the relay come from the address at which it calls the relay",
    remedy="on the firewall: nft list table ip nat; map the relay's connections to the hub to the address that the hub "
    "was given (snat to ADDRESS)",
)
def test_same_address_out(seen: Seen, verdict: Verdict) -> None:
    outcome = seen.tried("message.outbound-arrived")
    if not outcome["found"]:
        verdict.not_tested("the test message did not arrive, which another check says")
    known = {str(hub_side_address(seen.organisation, relay)) for relay in seen.organisation.relays}
    seen_by_hub = {address for line in outcome["received"] for address in IN_BRACKETS.findall(line)}
    matching = sorted(known & seen_by_hub)
    observed = ", ".join(matching or sorted(seen_by_hub)) or "no Received: header"
    verdict(bool(matching), expected=f"one of {', '.join(sorted(known))}", observed=observed)
