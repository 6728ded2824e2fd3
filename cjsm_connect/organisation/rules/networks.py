"""Networks and the addresses in them."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network
from itertools import combinations
from urllib.parse import urlsplit

from ..addresses import is_address
from ..estate import Estate, Zone
from ..hosts import Host
from ..problems import Problem
from .known import Known, at

WIDEST = {4: 8, 6: 29}
"""Administration from more than an operator's whole allocation is administration from anywhere."""


def networks_are_apart(known: Known) -> Iterator[Problem]:
    """A flow between two networks is only defined while they do not overlap."""
    zones = known.estate.networks if known.estate else ()
    for first, second in combinations(zones, 2):
        if first.name == second.name:
            yield known.problem(f'estate.networks["{second.name}"].name', second.name, "a name of its own")
        if first.cidr.version == second.cidr.version and first.cidr.overlaps(second.cidr):
            expected = f"a network apart from {first.name} ({first.cidr})"
            yield known.problem(f'estate.networks["{second.name}"].cidr', str(second.cidr), expected)


def interfaces_are_in_their_networks(known: Known) -> Iterator[Problem]:
    """Each interface names a network of the estate and has an address in it."""
    zones = {zone.name: zone for zone in known.estate.networks} if known.estate else {}
    for host in known.hosts if known.estate else ():
        for name, address in host.interfaces.items():
            key = at(host, f"interfaces.{name}")
            if name not in zones:
                yield known.problem(key, name, f"one of the estate's networks: {', '.join(zones)}")
            elif not _usable(address, zones[name]):
                yield known.problem(key, str(address), f"a host address inside {name} ({zones[name].cidr})")


def _usable(address: IPv4Address | IPv6Address, zone: Zone) -> bool:
    ends = (zone.cidr.network_address, zone.cidr.broadcast_address) if zone.cidr.num_addresses > 2 else ()
    return address in zone.cidr and address not in ends


def ssh_reaches_an_interface(known: Known) -> Iterator[Problem]:
    """The address used for SSH is one of the host's own, or the firewall would admit SSH to another host."""
    for host in known.hosts:
        if host.address not in host.addresses:
            own = ", ".join(map(str, host.addresses)) or "none is declared"
            yield known.problem(at(host, "address"), str(host.address), f"one of the host's interfaces: {own}")


def gateways_are_neighbours(known: Known) -> Iterator[Problem]:
    """A gateway is in a network of the host and is another machine."""
    for host in known.hosts if known.estate else ():
        if host.gateway is None:
            continue
        zones = _zones_of(host, known.estate)
        near = any(host.gateway in zone.cidr for zone in zones)
        if zones and (host.gateway in host.addresses or not near):
            where = " or ".join(f"{zone.name} ({zone.cidr})" for zone in zones)
            expected = f"the address of another machine in {where}"
            yield known.problem(at(host, "gateway"), str(host.gateway), expected)


def _zones_of(host: Host, estate: Estate | None) -> list[Zone]:
    return [zone for zone in estate.networks if zone.name in host.interfaces] if estate else []


def vantage_hosts_are_in_a_network(known: Known) -> Iterator[Problem]:
    """A vantage host says truly where it looks from."""
    zones = {zone.name: zone for zone in known.estate.networks} if known.estate else {}
    for host in known.vantage if known.estate else ():
        if host.network not in zones:
            expected = f"one of the estate's networks: {', '.join(zones)}"
            yield known.problem(at(host, "network", "vantage"), host.network, expected)
        elif host.address not in zones[host.network].cidr:
            expected = f"an address inside {host.network} ({zones[host.network].cidr})"
            yield known.problem(at(host, "address", "vantage"), str(host.address), expected)


def administration_is_narrow(known: Known) -> Iterator[Problem]:
    """Cyber Essentials: no administrative interface open to the internet without an allow list."""
    for index, network in enumerate(known.estate.administered_from if known.estate else (), start=1):
        if _too_wide(network):
            expected = "the addresses or networks that administrators really use"
            yield known.problem(f"estate.administered_from[{index}]", str(network), expected)


def _too_wide(network: IPv4Network | IPv6Network) -> bool:
    return network.prefixlen < WIDEST[network.version]


def updates_have_a_way(known: Known) -> Iterator[Problem]:
    """Packages and signatures come through a proxy, from mirrors, or by declared egress: never by an open firewall."""
    if known.estate is None or known.estate.proxy or known.estate.egress:
        return
    mirrors = known.estate.mirrors
    clamav = known.antivirus is not None and known.antivirus.scanner == "clamav"
    for key in ("packages", "security", *(("signatures",) if clamav else ()), "addresses"):
        if not getattr(mirrors, key):
            expected = "the mirror's place; or estate.proxy, or estate.egress with an approver"
            yield known.said(f"estate.mirrors.{key}", "nothing", expected)


def proxy_has_an_address(known: Known) -> Iterator[Problem]:
    """A firewall rule needs the proxy's address; a name could change under it."""
    proxy = known.estate.proxy if known.estate else None
    if proxy is None:
        return
    if not is_address(urlsplit(proxy).hostname or ""):
        yield known.problem("estate.proxy", proxy, "the proxy by its address, such as http://192.0.2.80:3128")


NETWORK_RULES = (
    networks_are_apart,
    interfaces_are_in_their_networks,
    ssh_reaches_an_interface,
    gateways_are_neighbours,
    vantage_hosts_are_in_a_network,
    administration_is_narrow,
    updates_have_a_way,
    proxy_has_an_address,
)
