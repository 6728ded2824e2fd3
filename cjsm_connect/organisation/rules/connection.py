"""Hub, inner hop, log collector, and the domains that go through them."""

from __future__ import annotations

from collections.abc import Iterator

from ..destinations import family, is_within
from ..problems import Problem
from ..values import Address
from .known import Known, at

REFUSALS = {
    "refused": "nhs.net; .nhs.uk is not reached securely: {source}",
    "retired": "a family of domains that still exists; {domain} was {source}",
}


def domains_are_named(known: Known) -> Iterator[Problem]:
    """There is no connection without a domain of one's own."""
    if known.domains is None or known.domains.names or known.domains.file or not known.whole("domains"):
        return
    yield known.said("domains", "no domain", 'names = ["council.example"] or file = "domains.txt"')


def own_domains_are_plain(known: Known) -> Iterator[Problem]:
    """The suffix is added by senders and taken off by the hub: what is ours never carries it."""
    for domain in known.domains.names if known.domains else ():
        if is_within(domain, "cjsm.net"):
            expected = "the plain domain, without .cjsm.net: everything below cjsm.net goes to the hub"
            yield known.problem("domains.names", domain, expected)


def trusted_families_exist(known: Known) -> Iterator[Problem]:
    """Users must not be told that a closed or unprotected family of domains is a secure destination."""
    for domain in known.destinations.trusted if known.destinations else ():
        about = family(domain)
        if about.status in REFUSALS:
            expected = REFUSALS[about.status].format(domain=about.domain, source=about.source)
            yield known.problem("destinations.trusted", domain, expected)


def recipients_are_ours(known: Known) -> Iterator[Problem]:
    """A recipient outside the own domains would make the relay one for others."""
    if known.recipients is None or known.domains is None or not known.whole("domains"):
        return
    own = set(known.domains.names)
    for address in known.recipients.addresses:
        if address.rpartition("@")[2] not in own:
            key = "recipients.file" if known.recipients.file else "recipients.addresses"
            yield known.problem(key, address, "addresses in the organisation's own domains")


def tests_go_where_they_should(known: Known) -> Iterator[Problem]:
    """A test message in the wrong direction would prove nothing, or leave in the clear."""
    if known.tests is None:
        return
    internal, external = known.tests.internal, known.tests.external
    own = known.domains.names if known.domains and known.whole("domains") else ()
    if internal and own and internal.rpartition("@")[2] not in own:
        yield known.problem("tests.internal", internal, "a mailbox in one of the organisation's own domains")
    if external and not is_within(external.rpartition("@")[2], "cjsm.net"):
        yield known.problem("tests.external", external, "a mailbox whose address ends in .cjsm.net")


def hub_is_somebody_else(known: Known) -> Iterator[Problem]:
    """A host that is its own next hop sends mail round in circles."""
    for host in known.hosts if known.hub else ():
        assert known.hub
        if known.hub.host == host.fqdn:
            yield known.problem("hub.host", known.hub.host, f'another machine than own host "{host.name}"')
        for key in ("addresses", "sources"):
            for address in getattr(known.hub, key):
                if address in (*host.addresses, host.address):
                    expected = f'an address of the hub, not of own host "{host.name}"'
                    yield known.problem(f"hub.{key}", str(address), expected)


def hub_has_an_identity(known: Known) -> Iterator[Problem]:
    """The operator's CA certifies every member: only the key tells the hub from another member."""
    if known.hub and not known.hub.fingerprints and not known.hub.fingerprints_file:
        expected = "the SHA-256 of the public key of the hub's client certificate, or fingerprints_file"
        yield known.said("hub.fingerprints", "nothing", expected)


def testers_are_strangers(known: Known) -> Iterator[Problem]:
    """Whoever is a tester hands in no mail: the hub itself must never be one. A host or vantage is looked from as
    anybody else; with a tester's address it would be let in."""
    ours = {address for host in known.hosts for address in (*host.addresses, host.address)}
    looked_from = {address for place in known.vantage for address in (place.address, place.source)}
    for tester in known.hub.testers if known.hub else ():
        assert known.hub
        key = f'hub.testers["{tester.name}"]'
        for address in tester.addresses:
            if address in (*known.hub.sources, *known.hub.addresses) or address in ours | looked_from:
                expected = "an address of the engineer's own, not of the hub, a host or a vantage"
                yield known.problem(f"{key}.addresses", str(address), expected)
            elif _is_inside(known, address):
                yield known.problem(f"{key}.addresses", str(address), "an address outside the estate's own networks")
        for fingerprint in set(tester.fingerprints) & set(known.hub.fingerprints):
            yield known.problem(f"{key}.fingerprints", fingerprint, "a key that is not the hub's")


def _is_inside(known: Known, address: Address) -> bool:
    networks = known.estate.networks if known.estate else ()
    return any(address in zone.cidr for zone in networks if zone.zone != "wan")


def testers_have_a_listener(known: Known) -> Iterator[Problem]:
    """On a mail gateway of its administrator's the listener is not ours, and nothing would refuse their mail."""
    if known.hub and known.hub.testers and known.co_located:
        yield known.said(
            "hub.testers", "testers of a co-located relay", "none: only a separated relay can refuse their mail"
        )


def inner_hop_is_verified(known: Known) -> Iterator[Problem]:
    """Terms v10.2, clause 17: between internal systems only where believed secure, so both ends are known."""
    if known.inner is None or known.estate is None or known.co_located:
        return
    if known.inner.mode == "secure" and known.inner.ca_file is None:
        expected = 'the CA of the inner certificates (or mode = "pinned")'
        yield known.said("inner.ca_file", "nothing", expected)
    for host in known.hosts if known.inner.mode == "pinned" else ():
        if host.role in ("relay", "mail") and host.inner_fingerprint is None:
            expected = "the SHA-256 of this host's public key, as inner.mode is pinned"
            yield known.said(at(host, "inner_fingerprint"), "nothing", expected)


def inner_ca_is_our_own(known: Known) -> Iterator[Problem]:
    """With the operator's CA inside, every other member could pose as our mail server."""
    if known.hub and known.inner and known.inner.mode == "secure" and known.inner.ca_file == known.hub.ca_file:
        expected = "the organisation's own CA, not the hub's"
        yield known.said("inner.ca_file", "the same file as hub.ca_file", expected)


def syslog_is_complete(known: Known) -> Iterator[Problem]:
    """Forwarding is by verified TLS or not at all, to an address that the firewall can admit."""
    if known.syslog is None or known.syslog.target is None:
        return
    if known.syslog.ca_file is None:
        yield known.said("syslog.ca_file", "nothing", "the CA that the collector's certificate chains to")
    if not known.syslog.addresses:
        expected = "the collector's addresses, for the firewall"
        yield known.said("syslog.addresses", "nothing", expected)


ENCRYPTED = "no scanner can look into encrypted archives and documents"


def encrypted_archives_are_decided(known: Known) -> Iterator[Problem]:
    """To refuse them loses lawful evidence, to deliver them lets in what nobody has looked at: it decides."""
    chosen = known.antivirus
    if chosen is None or chosen.scanner != "clamav":
        return
    found = {"encrypted_from_hub": chosen.encrypted_from_hub, "encrypted_to_hub": chosen.encrypted_to_hub}
    for key, value in found.items():
        if value is None:
            expected = f'{key} = "refuse" or "deliver": {ENCRYPTED}, so this has no default'
            yield known.said(f"antivirus.{key}", "no decision", expected)
    if None not in found.values() and chosen.encrypted_reason is None:
        expected = 'encrypted_reason = "...": why, and who decided it; the evidence shows it'
        yield known.said("antivirus.encrypted_reason", "no reason", expected)
    if None not in found.values() and len(set(found.values())) > 1:
        expected = (
            f'"{chosen.encrypted_from_hub}" as for encrypted_from_hub: ClamAV has one setting for both directions'
        )
        yield known.problem("antivirus.encrypted_to_hub", chosen.encrypted_to_hub, expected)


CONNECTION_RULES = (
    encrypted_archives_are_decided,
    domains_are_named,
    own_domains_are_plain,
    trusted_families_exist,
    recipients_are_ours,
    tests_go_where_they_should,
    hub_is_somebody_else,
    hub_has_an_identity,
    testers_are_strangers,
    testers_have_a_listener,
    inner_hop_is_verified,
    inner_ca_is_our_own,
    syslog_is_complete,
)
