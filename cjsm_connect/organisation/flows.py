"""Every network flow that the organisation file implies, and nothing more.

The firewall rules are written from these and the checks judge by them. Cyber Essentials wants each inbound rule to
have a written business need: every flow carries its reason.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Literal

from . import addresses
from .addresses import Address, Network
from .hosts import Host
from .model import Organisation
from .routes import address_for, hub_side_address
from .services import ANYWHERE, services, single

SMTP = 25
OUTSIDE = "outside"
"""The network of every address that is in none of the estate's."""


@dataclass(frozen=True)
class Flow:
    """Who may open a connection to whom. All networks of one flow are of one IP version.

    `source_host`, `destination_host`: the managed host at that end, if one is. `excluding`: networks that an end
    which says "anywhere" does not include (the estate's own, inside and perimeter). `window`: the seconds since 1970
    from which and up to which it is let through, None for always.
    """

    name: str
    sources: tuple[Network, ...]
    destinations: tuple[Network, ...]
    protocol: Literal["tcp", "udp"]
    ports: tuple[int, ...]
    reason: str
    source_host: str | None = None
    destination_host: str | None = None
    excluding: tuple[Network, ...] = ()
    window: tuple[int, int] | None = None

    @property
    def version(self) -> Literal[4, 6]:
        """The IP version of this flow."""
        return self.sources[0].version

    @property
    def hosts(self) -> tuple[str, ...]:
        """The managed hosts at its ends."""
        return tuple(host for host in (self.source_host, self.destination_host) if host)


@dataclass(frozen=True)
class HostFlows:
    """The flows that concern one host, narrowed to what passes it."""

    incoming: tuple[Flow, ...]
    outgoing: tuple[Flow, ...]
    forwarded: tuple[Flow, ...]


@lru_cache(maxsize=8)  # asked for by every rule and every try; an organisation never changes
def flows(organisation: Organisation) -> tuple[Flow, ...]:
    """All flows, one for each managed host at an end and each IP version."""
    found = [
        *_administration(organisation),
        *_hub(organisation),
        *_testers(organisation),
        *_inner_hop(organisation),
        *_internet_mail(organisation),
        *_services(organisation),
        *_declared(organisation),
    ]
    return tuple(part for flow in found for part in _by_version(flow))


def for_host(organisation: Organisation, host: Host) -> HostFlows:
    """The flows that end at a host, start from it, and (firewalls only) pass through it."""
    everything = flows(organisation)
    through = everything if host.role == "firewall" else ()
    return HostFlows(
        incoming=tuple(flow for flow in everything if flow.destination_host == host.name),
        outgoing=tuple(flow for flow in everything if flow.source_host == host.name),
        forwarded=tuple(part for flow in through if (part := _through(organisation, host, flow))),
    )


def network_of(organisation: Organisation, address: Address | Network) -> str:
    """The name of the estate's network that an address or network lies in, or `outside`."""
    wanted = addresses.network(address)
    for zone in organisation.estate.networks:
        if zone.cidr.version == wanted.version and wanted.network_address in zone.cidr:
            return zone.name
    return OUTSIDE


def _inside(organisation: Organisation) -> tuple[Network, ...]:
    """The estate's own networks, which "anywhere on the internet" does not mean."""
    return tuple(zone.cidr for zone in organisation.estate.networks if zone.zone != "wan")


def _managed(organisation: Organisation) -> tuple[Host, ...]:
    return tuple(host for host in organisation.hosts if host.managed)


def _administration(organisation: Organisation) -> Iterator[Flow]:
    for host in organisation.hosts:
        yield Flow(
            f"ssh-{host.name}",
            organisation.estate.administered_from,
            single([host.address]),
            "tcp",
            (host.ssh.port,),
            f"administrators reach {host.name} by SSH",
            destination_host=host.name,
        )


def _hub(organisation: Organisation) -> Iterator[Flow]:
    hub = organisation.hub
    for relay in organisation.relays:
        own = single([hub_side_address(organisation, relay)])
        yield Flow(
            f"cjsm-out-{relay.name}",
            own,
            single(hub.addresses),
            "tcp",
            (hub.port,),
            "the relay sends secure mail to the hub",
            source_host=relay.name,
        )
        yield Flow(
            f"cjsm-in-{relay.name}",
            single(hub.sources),
            own,
            "tcp",
            (hub.listen_port,),
            "the hub sends secure mail to the relay",
            destination_host=relay.name,
        )


def _testers(organisation: Organisation) -> Iterator[Flow]:
    """Engineers who try the listener; the firewall lets them in for their time only."""
    for relay in organisation.relays:
        for number, tester in enumerate(organisation.hub.testers, 1):
            yield Flow(
                f"tester-{number}-{relay.name}",
                single(tester.addresses),
                single([hub_side_address(organisation, relay)]),
                "tcp",
                (organisation.hub.listen_port,),
                f"{tester.name} tests the listener: {tester.reason} (approved by {tester.approver})",
                destination_host=relay.name,
                window=(int(tester.start.timestamp()), int(tester.expiry.timestamp())),
            )


def _inner_hop(organisation: Organisation) -> Iterator[Flow]:
    pairs = [(relay, mail) for relay in organisation.relays for mail in organisation.mail_servers]
    for relay, mail in pairs:
        for source, destination, port in (
            (mail, relay, organisation.inner.relay_port),
            (relay, mail, organisation.inner.mail_port),
        ):
            yield Flow(
                f"inner-{source.name}-{destination.name}",
                single([address_for(source, destination)]),
                single([address_for(destination, source)]),
                "tcp",
                (port,),
                f"{source.name} hands secure mail to {destination.name}",
                source.name,
                destination.name,
            )


def _internet_mail(organisation: Organisation) -> Iterator[Flow]:
    excluding = _inside(organisation)
    for host in organisation.hosts:
        if not host.internet_mail:
            continue
        own = single(host.addresses)
        yield Flow(
            f"internet-mail-in-{host.name}",
            ANYWHERE,
            own,
            "tcp",
            (SMTP,),
            "the internet sends ordinary mail to the mail server",
            destination_host=host.name,
            excluding=excluding,
        )
        yield Flow(
            f"internet-mail-out-{host.name}",
            own,
            ANYWHERE,
            "tcp",
            (SMTP,),
            "the mail server sends ordinary mail to the internet",
            source_host=host.name,
            excluding=excluding,
        )


def _services(organisation: Organisation) -> Iterator[Flow]:
    """From each managed host to what it needs: names, time, log collector, updates."""
    for host in _managed(organisation):
        for service in services(organisation, host):
            yield Flow(
                f"{service.name}-{host.name}",
                single(host.addresses),
                service.addresses,
                service.protocol,
                (service.port,),
                service.reason,
                source_host=host.name,
                excluding=_inside(organisation) if service.addresses == ANYWHERE else (),
            )


def _declared(organisation: Organisation) -> Iterator[Flow]:
    for declared in organisation.flows:
        host = organisation.host(declared.host)
        own = single(host.addresses)
        yield Flow(
            f"declared-{declared.name}",
            own if declared.direction == "out" else declared.source,
            own if declared.direction == "in" else declared.destination,
            declared.protocol,
            declared.ports,
            f"{declared.reason} (approved by {declared.approver})",
            source_host=host.name if declared.direction == "out" else None,
            destination_host=host.name if declared.direction == "in" else None,
        )


def _by_version(flow: Flow) -> Iterator[Flow]:
    """The flow once for IPv4 and once for IPv6, as far as both its ends have such addresses."""
    for version, suffix in ((4, ""), (6, "-ipv6")):
        sources = tuple(network for network in flow.sources if network.version == version)
        destinations = tuple(network for network in flow.destinations if network.version == version)
        excluding = tuple(network for network in flow.excluding if network.version == version)
        if sources and destinations:
            yield replace(
                flow,
                name=flow.name + suffix,
                sources=sources,
                destinations=destinations,
                excluding=excluding,
            )


def _through(organisation: Organisation, firewall: Host, flow: Flow) -> Flow | None:
    """The part of a flow that crosses between networks, if the firewall stands there and is no end of it."""
    if firewall.name in flow.hosts:
        return None
    sources = _reachable(organisation, firewall, flow.sources)
    destinations = _reachable(organisation, firewall, flow.destinations)
    near = {network_of(organisation, destination) for destination in destinations}
    far = {network_of(organisation, source) for source in sources}
    crossing_sources = tuple(source for source in sources if near != {network_of(organisation, source)})
    crossing_destinations = tuple(
        destination for destination in destinations if far != {network_of(organisation, destination)}
    )
    if not crossing_sources or not crossing_destinations:
        return None
    return replace(flow, sources=crossing_sources, destinations=crossing_destinations)


def _reachable(organisation: Organisation, firewall: Host, networks: tuple[Network, ...]) -> tuple[Network, ...]:
    """The networks that the firewall has a leg in, or that lie outside and are reached through it."""
    own = {*firewall.interfaces, OUTSIDE}
    return tuple(network for network in networks if network_of(organisation, network) in own)
