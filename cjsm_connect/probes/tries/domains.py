"""Is mail taken for every domain of ours, and for no other? Asked with RCPT from the vantage `hub`; nothing is sent."""

from __future__ import annotations

from collections.abc import Iterator

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.probes import sessions
from cjsm_connect.probes.tries import Try
from cjsm_connect.probes.tries.relay import MEMBER

MOST = 20  # sessions at once; of a longer list every n-th domain is asked, the maps are compared in full elsewhere


def tries(organisation: Organisation) -> list[Try]:
    """For each relay."""
    return [one for relay in organisation.relays for one in _about(organisation, relay)]


def asked(organisation: Organisation) -> tuple[str, ...]:
    """The domains that are tried: all, or an even sample of a long list."""
    names = organisation.domains.names
    return names[:: max(1, -(-len(names) // MOST))]


def _about(organisation: Organisation, relay: Host) -> Iterator[Try]:
    """postmaster exists in every domain (RFC 5321 4.5.1)."""
    for domain in asked(organisation):
        yield _try(organisation, relay, domain, f"postmaster@{domain}")
    yield _try(organisation, relay, "undeclared", f"postmaster@undeclared.{organisation.domains.names[0]}")


def _try(organisation: Organisation, relay: Host, name: str, recipient: str) -> Try:
    arguments = sessions.from_hub(organisation, relay, **sessions.envelope(MEMBER, [recipient]))
    return Try(f"domains.{name}:{relay.name}", "hub", relay.name, "local-active", "smtp", arguments)
