"""What the managed hosts connect to besides mail: names, time, log collector, updates. Part of the flows."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Literal, NamedTuple
from urllib.parse import urlsplit

from .addresses import Address, Network, address, network
from .estate import Mirrors, port_of
from .hosts import Host
from .model import Organisation

ANYWHERE: tuple[Network, ...] = (network("0.0.0.0/0"), network("::/0"))
DNS, NTP, HTTPS = 53, 123, 443


class Service(NamedTuple):
    """Something that our hosts connect to."""

    name: str
    addresses: tuple[Network, ...]
    protocol: Literal["tcp", "udp"]
    port: int
    reason: str


def single(addresses: Iterable[Address]) -> tuple[Network, ...]:
    return tuple(network(one) for one in addresses)


def services(organisation: Organisation, host: Host) -> Iterator[Service]:
    """Everything that one managed host connects to."""
    yield from _standing(organisation)
    yield from _updates(organisation, host)


def _standing(organisation: Organisation) -> Iterator[Service]:
    estate, syslog = organisation.estate, organisation.syslog
    yield Service("dns-udp", single(estate.dns), "udp", DNS, "names are looked up")
    yield Service("dns-tcp", single(estate.dns), "tcp", DNS, "long answers to name look-ups")
    yield Service("ntp", single(estate.ntp), "udp", NTP, "the clock is kept right (terms, clause 4)")
    if syslog.port:
        yield Service("syslog", single(syslog.addresses), "tcp", syslog.port, "logs are forwarded by TLS")


def _updates(organisation: Organisation, host: Host) -> Iterator[Service]:
    """Through the proxy where there is one, else from the mirrors; and the declared egress."""
    estate = organisation.estate
    if estate.proxy:
        proxy = single([address(str(urlsplit(estate.proxy).hostname))])
        yield Service("proxy", proxy, "tcp", port_of(estate.proxy), "updates come through the proxy")
    elif estate.mirrors.addresses:
        yield from _from_mirrors(estate.mirrors, host)
    if estate.egress:
        reason = f"{estate.egress.reason} (approved by {estate.egress.approver})"
        yield Service("egress", ANYWHERE, "tcp", HTTPS, reason)


def _from_mirrors(mirrors: Mirrors, host: Host) -> Iterator[Service]:
    addresses = single(mirrors.addresses)
    ports = {port_of(url) for url in (mirrors.packages, mirrors.security) if url}
    for port in sorted(ports):
        yield Service(f"packages-{port}", addresses, "tcp", port, "packages and security updates")
    if host.role == "relay" and mirrors.signatures:
        port = port_of(mirrors.signatures)
        yield Service("signatures", addresses, "tcp", port, "virus signatures (terms, clause 22)")
