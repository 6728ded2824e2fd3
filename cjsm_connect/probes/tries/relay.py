"""The relay's listener for the hub, tried from the vantage `hub`, and from where nothing should reach it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.routes import SELF_TEST_RECIPIENT, hub_side_address
from cjsm_connect.probes import sessions
from cjsm_connect.probes.tries import Try
from cjsm_connect.remote.smuggling import ENDINGS

MEMBER = "someone@member.example.cjsm.net"


def tries(organisation: Organisation) -> list[Try]:
    """For each relay."""
    return [one for relay in organisation.relays for one in _about(organisation, relay)]


def _about(organisation: Organisation, relay: Host) -> Iterator[Try]:
    yield from _identities(organisation, relay)
    yield from _recipients(organisation, relay)
    yield from _contents(organisation, relay)
    yield from _from_outside(organisation, relay)


def _try(relay: Host, name: str, arguments: dict[str, Any], *, kind: str = "smtp", discards: bool = False) -> Try:
    return Try(f"relay.{name}:{relay.name}", "hub", relay.name, "local-active", kind, arguments, discards)


def _identities(organisation: Organisation, relay: Host) -> Iterator[Try]:
    """The hub itself, and those who are not the hub, with the same innocent envelope."""
    asked = sessions.envelope(MEMBER, [sessions.known_user(organisation)])
    session = sessions.from_hub(organisation, relay, **asked)
    yield _try(relay, "hub", session)
    yield _try(relay, "clear-text", sessions.in_clear(session))
    yield _try(relay, "no-certificate", sessions.unproven(session))
    # by a name that no hub has (RFC 6761), so that the relay's log tells this try from a hub that has renewed its key
    other = sessions.from_hub(organisation, relay, "other_member", **asked) | {"helo": sessions.FOREIGN}
    yield _try(relay, "other-member", sessions.with_tls(other, authorities=None))


def _recipients(organisation: Organisation, relay: Host) -> Iterator[Try]:
    own = organisation.domains.names[0]
    asked = {
        "unknown-recipient": [f"{sessions.UNKNOWN_USER}@{own}"],
        "system-accounts": sessions.nobodies(organisation)[1:],
        "foreign-recipients": sessions.foreign_recipients(organisation),
        "cjsm-recipient": [sessions.cjsm_user(organisation)],
        "suffixed-recipient": [f"{sessions.known_user(organisation)}.cjsm.net"],
    }
    for name, recipients in asked.items():
        yield _try(relay, name, sessions.from_hub(organisation, relay, **sessions.envelope(MEMBER, recipients)))


def _contents(organisation: Organisation, relay: Host) -> Iterator[Try]:
    for sample in sessions.SAMPLES:
        message = sessions.content(organisation, sample, MEMBER)
        yield _try(relay, sample, sessions.from_hub(organisation, relay, **message), discards=True)
    for ending in ENDINGS:
        asked = sessions.envelope(MEMBER, [SELF_TEST_RECIPIENT])
        arguments = sessions.from_hub(organisation, relay, ending=ending, **asked)
        yield _try(relay, f"smuggling-{ending}", arguments, kind="smuggle", discards=True)


def _from_outside(organisation: Organisation, relay: Host) -> Iterator[Try]:
    """Nobody but the hub gets even a connection (Technical overview 2005, App. A: rules for the hub's addresses)."""
    address = str(hub_side_address(organisation, relay))
    ports = {"cjsm": organisation.hub.listen_port, "inner": organisation.inner.relay_port, "smtp": sessions.SMTP_PORT}
    for name, port in ports.items():
        asked = {"address": address, "port": port}
        yield Try(f"relay.outside-{name}:{relay.name}", "outside", relay.name, "local-active", "tcp", asked)
