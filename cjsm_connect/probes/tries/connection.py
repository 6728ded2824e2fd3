"""The connection itself: handshakes with the hub, a message each way, and the public side of the mail servers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.routes import NOTICE_SENDER
from cjsm_connect.probes import sessions
from cjsm_connect.probes.tries import Try

SUFFIX = ".cjsm.net"


def tries(organisation: Organisation) -> list[Try]:
    """Everything that is not one listener's own business."""
    found = [one for relay in organisation.relays for one in _handshakes(organisation, relay)]
    public = [host for host in (*organisation.mail_servers, *organisation.relays) if host.internet_mail]
    found += [one for host in public for one in _public(organisation, host)]
    return found + (_unmade(organisation) or list(_both_ways(organisation, organisation.mail_servers[0])))


def _unmade(organisation: Organisation) -> list[Try]:
    """The messages that cannot be sent because something is not declared; empty where all is."""
    found = []
    if not (organisation.tests.internal and organisation.tests.external):
        found.append("tests.internal and tests.external must name a mailbox of yours and one at another member")
    if not organisation.mail_servers:
        found.append('a host with role = "mail" must be there to send it from')
    if not found:
        return []
    why = f"no test message can be sent: in organisation.toml, {'; and '.join(found)}"
    relayed = [f"outbound-relayed:{relay.name}" for relay in organisation.relays]
    names = ("outbound-sent", *relayed, "outbound-arrived", "inbound-sent", "inbound-arrived", "inbound-logged")
    return [Try(f"message.{name}", "controller", "estate", "hub-mail", "log", lacking=why) for name in names]


def _handshakes(organisation: Organisation, relay: Host) -> Iterator[Try]:
    """EHLO, STARTTLS, EHLO, QUIT with each of the hub's addresses; once without showing a certificate, and once with
    every suite there is, to learn which one a hub would choose that has none of ours."""
    for address in organisation.hub.addresses:
        ours = sessions.with_hub(organisation, relay, address)
        asked = {
            "handshake": ours,
            "no-certificate": sessions.with_tls(ours, certificate=None),
            "any-suite": sessions.with_tls(ours, authorities=None, **sessions.ANY_SUITE),
        }
        for name, arguments in asked.items():
            identifier = f"hub.{name}:{relay.name}:{address}"
            yield Try(identifier, relay.name, relay.name, "hub-handshake", "smtp", arguments)


def _public(organisation: Organisation, mail: Host) -> Iterator[Try]:
    """Port 25 as the internet sees it: asked with MAIL and RCPT, nothing is sent."""
    user, stranger = sessions.known_user(organisation), f"someone@{sessions.FOREIGN}"
    asked = {
        "own": sessions.envelope(stranger, [user]),
        "unknown-recipients": sessions.envelope(stranger, sessions.nobodies(organisation)),
        "foreign-recipients": sessions.envelope(stranger, sessions.foreign_recipients(organisation)),
        "cjsm-recipient": sessions.envelope(user, [sessions.cjsm_user(organisation)]),
        "forged-cjsm-sender": sessions.envelope("judge@court.example.cjsm.net", [user]),
    }
    where = {"address": str(mail.address), "port": sessions.SMTP_PORT, "helo": "outside.example"}
    for name, envelope in asked.items():
        yield Try(f"public.{name}:{mail.name}", "outside", mail.name, "local-active", "smtp", {**where, **envelope})
    notice = {**where, **sessions.envelope(NOTICE_SENDER, sessions.contacts(organisation))}
    yield Try(f"public.notices:{mail.name}", "outside", mail.name, "local-active", "smtp", notice)
    # the certificate of a public port is for senders who do not verify it: neither do we
    secured = {**where, "tls": {"authorities": None, "minimum": "TLSv1.2"}}
    yield Try(f"public.tls:{mail.name}", "outside", mail.name, "local-active", "smtp", secured)


def _both_ways(organisation: Organisation, mail: Host) -> Iterator[Try]:
    """One message out, one in: handed to sendmail(1) at one end, read from the mailbox at the other."""
    internal, external = str(organisation.tests.internal), str(organisation.tests.external)
    plain = external.removesuffix(SUFFIX)
    out = {"mark": "outbound", "sender": internal, "recipient": external}
    back = {"mark": "inbound", "sender": plain, "recipient": internal + SUFFIX}
    sent = _message(mail, "outbound-sent", mail.name, "submit", out)
    relayed = list(_relayed(organisation, mail, out))
    yield from (sent, *relayed)
    folder = {**out, "folder": _mailbox(organisation, plain)}
    yield _message(mail, "outbound-arrived", "hub", "mailbox", folder, follows=(sent.id, relayed[0].id))
    sent = _message(mail, "inbound-sent", "hub", "submit", back)
    user = {**back, "user": internal.partition("@")[0]}
    yield sent
    yield _message(mail, "inbound-arrived", mail.name, "mailbox", user, follows=(sent.id,))
    yield _message(mail, "inbound-logged", mail.name, "log", back, follows=(sent.id,))


def _relayed(organisation: Organisation, mail: Host, out: dict[str, Any]) -> Iterator[Try]:
    """The message passes the relay that the mail server asks first (transport(5): next hops are tried in turn); what
    the others do with mail shows when a message of its own is handed in on each."""
    first, *others = organisation.relays
    yield _message(mail, f"outbound-relayed:{first.name}", first.name, "log", out)
    for relay in others:
        own = {**out, "mark": f"outbound-by-{relay.name}"}
        yield _message(mail, f"outbound-relayed:{relay.name}", relay.name, "submit", own)


def _message(mail: Host, name: str, at: str, kind: str, arguments: dict[str, Any], **more: Any) -> Try:
    return Try(f"message.{name}", at, mail.name, "hub-mail", kind, arguments, **more)


def _mailbox(organisation: Organisation, address: str) -> str:
    """Where the vantage `hub` keeps mail for an address of the other member, if it does."""
    place = sessions.vantage(organisation, "hub")
    return place.mailboxes.get(address, "") if place else ""
