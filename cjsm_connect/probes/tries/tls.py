"""What the relay's listener for the hub refuses to speak, tried by clients that were seen to speak it."""

from __future__ import annotations

from collections.abc import Iterator

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.suites import permitted
from cjsm_connect.probes import sessions
from cjsm_connect.probes.tries import Try


def tries(organisation: Organisation) -> list[Try]:
    """For each relay, one session for each thing that must not work."""
    return [one for relay in organisation.relays for one in _about(organisation, relay)]


def _about(organisation: Organisation, relay: Host) -> Iterator[Try]:
    session = sessions.from_hub(organisation, relay)
    for name, options in {**sessions.OLD_VERSIONS, "unprotected": sessions.UNPROTECTED}.items():
        arguments = sessions.with_tls(session, **options)
        yield Try(f"tls.{name}:{relay.name}", "hub", relay.name, "local-active", "smtp", arguments)
    asked = {**sessions.own_listener(organisation, relay), "permitted": permitted(organisation.hub.tls_exceptions)}
    yield Try(f"tls.suites:{relay.name}", relay.name, relay.name, "local-active", "suites", asked)
