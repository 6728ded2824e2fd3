"""What the DNS says of the organisation's domains and senders, asked by one of its own hosts. Only read."""

from __future__ import annotations

from collections.abc import Iterator

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.routes import hub_side_address
from cjsm_connect.probes.tries import Try

PUBLISHED = "names.published"
REVERSE = "names.reverse"


def tries(organisation: Organisation) -> list[Try]:
    """The records of all domains, and the names of all senders, from the first mail server, else the first relay."""
    hosts = (*organisation.mail_servers, *organisation.relays)
    return list(_from(organisation, hosts[0])) if hosts else []


def _from(organisation: Organisation, host: Host) -> Iterator[Try]:
    where = {"server": str(organisation.estate.dns[0])}
    questions = [[name, "TXT"] for name in records(organisation)]
    yield Try(PUBLISHED, host.name, host.name, "local-active", "names", {**where, "questions": questions})
    yield Try(REVERSE, host.name, host.name, "local-active", "names", {**where, "confirm": list(senders(organisation))})


def records(organisation: Organisation) -> tuple[str, ...]:
    """Every name at which a domain's records may be."""
    found: dict[str, None] = {}
    for domain in organisation.domains.names:
        names = (domain, f"_mta-sts.{domain}", f"_smtp._tls.{domain}", *policies(domain), *keys(organisation, domain))
        found.update(dict.fromkeys(names))
    return tuple(found)


def policies(domain: str) -> tuple[str, ...]:
    """Where the DMARC policy of a domain is looked for, the nearest first: it is inherited (RFC 7489, 6.6.3)."""
    labels = domain.split(".")
    return tuple("_dmarc." + ".".join(labels[start:]) for start in range(len(labels) - 1))


def keys(organisation: Organisation, domain: str) -> tuple[str, ...]:
    """Where the DKIM keys of a domain are (RFC 6376, 3.6.2.1)."""
    return tuple(f"{selector}._domainkey.{domain}" for selector in organisation.domains.dkim_selectors)


def senders(organisation: Organisation) -> dict[str, Host]:
    """The address of each host that sends mail out of the organisation: to the hub, or to the internet."""
    relays = {str(hub_side_address(organisation, relay)): relay for relay in organisation.relays}
    return relays | {str(host.address): host for host in organisation.hosts if host.internet_mail}
