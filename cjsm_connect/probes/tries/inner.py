"""The inner hop, tried from both of its ends and from a host that is neither."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cjsm_connect.organisation import Host, Organisation, suites
from cjsm_connect.organisation.routes import SELF_TEST_RECIPIENT, address_for
from cjsm_connect.probes import sessions
from cjsm_connect.probes.tries import Try


def tries(organisation: Organisation) -> list[Try]:
    """For each pair of a relay and a mail server; a co-located relay has no inner hop."""
    pairs = [(relay, mail) for relay in organisation.relays for mail in organisation.mail_servers]
    found = [
        one
        for relay, mail in pairs
        for one in (*_to_relay(organisation, relay, mail), *_to_mail(organisation, relay, mail))
    ]
    return found + [one for relay in organisation.relays for one in _alone(organisation, relay)]


def _try(client: Host, server: Host, name: str, arguments: dict[str, Any], *, discards: bool = False) -> Try:
    """Identified by who is judged and who asked: the same question is put to each server by each client."""
    identifier = f"inner.{name}:{server.name}:{client.name}"
    return Try(identifier, client.name, server.name, "local-active", "smtp", arguments, discards)


def _to_relay(organisation: Organisation, relay: Host, mail: Host) -> Iterator[Try]:
    user = sessions.known_user(organisation)
    asked = sessions.envelope(user, [sessions.cjsm_user(organisation)])
    session = sessions.between(organisation, mail, relay, **asked)
    yield from _identities(mail, relay, session)
    yield _suites(organisation, mail, relay)
    elsewhere = sessions.envelope(user, [*sessions.foreign_recipients(organisation), user])
    yield _try(mail, relay, "foreign-recipients", {**session, **elsewhere})
    for sample in sessions.SAMPLES:
        message = sessions.content(organisation, sample, user)
        yield _try(mail, relay, sample, sessions.between(organisation, mail, relay, **message), discards=True)


def _to_mail(organisation: Organisation, relay: Host, mail: Host) -> Iterator[Try]:
    sender = "someone@member.example.cjsm.net"
    asked = sessions.envelope(sender, [sessions.known_user(organisation)])
    session = sessions.between(organisation, relay, mail, **asked)
    yield from _identities(relay, mail, session)
    yield _suites(organisation, relay, mail)
    elsewhere = sessions.envelope(sender, sessions.foreign_recipients(organisation))
    yield _try(relay, mail, "foreign-recipients", {**session, **elsewhere})
    if organisation.recipients.addresses:
        listed = sessions.envelope(sender, sessions.sampled(organisation.recipients.addresses))
        yield _try(relay, mail, "listed", {**session, **listed})


def _identities(client: Host, server: Host, session: dict[str, Any]) -> Iterator[Try]:
    yield _try(client, server, "session", session)
    yield _try(client, server, "clear-text", sessions.in_clear(session))
    yield _try(client, server, "no-certificate", sessions.unproven(session))
    for name, options in sessions.OLD_VERSIONS.items():
        yield _try(client, server, name, sessions.with_tls(session, **options))


def _suites(organisation: Organisation, client: Host, server: Host) -> Try:
    """Which suites the server takes; nothing is said inside TLS but EHLO."""
    permitted = suites.permitted(organisation.inner.tls_exceptions)
    arguments = {**sessions.between(organisation, client, server), "permitted": permitted}
    identifier = f"inner.suites:{server.name}:{client.name}"
    return Try(identifier, client.name, server.name, "local-active", "suites", arguments)


def _alone(organisation: Organisation, relay: Host) -> Iterator[Try]:
    """From the controller, which is no mail server; and a message handed in on the relay itself."""
    neighbour = organisation.mail_servers[0] if organisation.mail_servers else relay
    where = {"address": str(address_for(relay, neighbour)), "port": organisation.inner.relay_port}
    asked = sessions.envelope(sessions.known_user(organisation), [sessions.cjsm_user(organisation)])
    yield Try(f"inner.elsewhere-port:{relay.name}", "controller", relay.name, "local-active", "tcp", where)
    yield Try(
        f"inner.elsewhere:{relay.name}", "controller", relay.name, "local-active", "smtp", {**where, "tls": {}, **asked}
    )
    for sample in ("clean", "eicar-plain"):
        # the null sender: when it is refused, nobody gets a report
        message = {
            **sessions.SAMPLES[sample],
            "mark": f"local-{sample}",
            "sender": "",
            "recipient": SELF_TEST_RECIPIENT,
        }
        yield Try(f"relay.local-{sample}:{relay.name}", relay.name, relay.name, "local-active", "submit", message, True)
