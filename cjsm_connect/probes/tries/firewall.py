"""Connections that no flow of the organisation file permits, tried from where they would come.

A blocked flow is known by three facts of one session: no answer within three seconds, a positive control between the
same two hosts on a permitted port, and the drop counter risen on the host that should have dropped it. Silence alone
could be a dead route.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.addresses import Address, Network, network
from cjsm_connect.organisation.flows import Flow, flows, network_of
from cjsm_connect.probes.tries import Try
from cjsm_connect.remote.firewall import TABLE

CONTROLLER = "controller"
TELNET, SMTP, HTTPS = 23, 25, 443
Several = tuple[Network, ...]


@dataclass(frozen=True)
class Party:
    """An end of a try: a managed host, a vantage, or the controller (which has no address that we know)."""

    name: str
    networks: Several
    zone: str
    address: Address | None = None
    host: Host | None = None


@dataclass(frozen=True)
class Blocked:
    """A connection that must get no answer. `dropper` and `counter` say where it must be counted instead."""

    id: str
    at: str
    subject: str
    direction: Literal["in", "out"]
    address: str
    port: int
    dropper: str
    counter: str
    controls: tuple[Try, ...]


def tries(organisation: Organisation) -> list[Try]:
    """The blocked connections, their positive controls, and the counters of every host meanwhile."""
    found = blocked(organisation)
    controls = {control.id: control for one in found for control in one.controls}
    return [
        *(
            _tcp(one.id, one.at, one.subject, _impact(organisation, one.address), one.address, one.port)
            for one in found
        ),
        *controls.values(),
        *(counting(host) for host in organisation.hosts),
    ]


def counting(host: Host) -> Try:
    """The drop counters of a host before and after the tries."""
    identifier = f"firewall.counters:{host.name}"
    return Try(identifier, host.name, host.name, "passive", "counters", {"table": TABLE}, around=True)


@lru_cache(maxsize=8)  # asked for by the tries and by every check of them; an organisation never changes
def blocked(organisation: Organisation) -> tuple[Blocked, ...]:
    """Every connection to try, between pairs of parties that also have a permitted one as control."""
    outer = [*_vantages(organisation), _controller(organisation)]
    managed = [_managed(organisation, host) for host in organisation.hosts]
    pairs = [(source, target) for source in outer for target in managed]
    pairs += [(source, target) for source in managed for target in (*outer, *managed) if source != target]
    return tuple(one for source, target in pairs for one in _between(organisation, source, target))


def _between(organisation: Organisation, source: Party, target: Party) -> Iterator[Blocked]:
    address = _address(source, target)
    controls = (*_controls(organisation, source, target), *_controls(organisation, target, source))
    if address is None or not controls:
        return
    subject, other = (source, target) if source.host else (target, source)
    direction: Literal["in", "out"] = "out" if source.host else "in"
    dropper, counter = _dropper(organisation, source, target)
    for port in _ports(organisation, source, target):
        if not any(_permits(flow, source, target, port) for flow in flows(organisation)):
            identifier = f"firewall.{direction}-{other.name}-{port}:{subject.name}"
            where = (str(address), port)
            yield Blocked(identifier, source.name, subject.name, direction, *where, dropper, counter, controls)


def _ports(organisation: Organisation, source: Party, target: Party) -> list[int]:
    """What an attacker would look for: administration and our mail ports; on the way out, mail and the web."""
    inner = organisation.inner
    if source.host:
        return sorted({SMTP, HTTPS, organisation.hub.port})
    assert target.host
    ports = {target.host.ssh.port, TELNET, SMTP, organisation.hub.listen_port}
    return sorted(ports | {inner.mail_port if target.host.role == "mail" else inner.relay_port})


def _controls(organisation: Organisation, source: Party, target: Party) -> Iterator[Try]:
    """Permitted TCP connections from one party to the other, as tries."""
    address = str(_address(source, target))
    permitted = (flow.ports for flow in flows(organisation) if _permits(flow, source, target, flow.ports[0]))
    subject = target.name if target.host else source.name
    for port in dict.fromkeys(ports[0] for ports in permitted):
        identifier = f"firewall.control-{source.name}-{target.name}-{port}:{subject}"
        yield _tcp(identifier, source.name, subject, _impact(organisation, address), address, port)


def _permits(flow: Flow, source: Party, target: Party, port: int) -> bool:
    address = _address(source, target)
    return (
        flow.protocol == "tcp"
        and port in flow.ports
        and address is not None
        and _is_end(flow, flow.source_host, flow.sources, source, source.networks)
        and _is_end(flow, flow.destination_host, flow.destinations, target, (network(address),))
    )


def _is_end(flow: Flow, host: str | None, wide: Several, party: Party, narrow: Several) -> bool:
    """Is a party at this end of the flow? "Anywhere" means neither a managed host nor the networks it excludes."""
    if party.host and party.name != host:
        return False
    excluded = flow.excluding if any(network.prefixlen == 0 for network in wide) else ()
    return any(_holds(wide, one) and not _holds(excluded, one) for one in narrow)


def _holds(networks: Several, one: Network) -> bool:
    return any(one.version == network.version and one.subnet_of(network) for network in networks)  # type: ignore[arg-type]


def _dropper(organisation: Organisation, source: Party, target: Party) -> tuple[str, str]:
    """Which host must drop it, and the counter that must rise there."""
    if source.host:
        return source.name, "drop_output"
    assert target.host
    between = [host.name for host in organisation.firewalls if host != target.host]
    if source.zone in target.host.interfaces or not between:
        return target.name, "drop_input"
    return between[0], "drop_forward"


def _address(source: Party, target: Party) -> Address | None:
    """Where the source would connect to: the target's address in a network they share, else the one it is known by."""
    return target.host.interfaces.get(source.zone, target.host.address) if target.host else target.address


def _managed(organisation: Organisation, host: Host) -> Party:
    networks = tuple(network(address) for address in host.addresses)
    return Party(host.name, networks, network_of(organisation, host.address), host.address, host)


def _vantages(organisation: Organisation) -> list[Party]:
    return [
        Party(place.name, (network(place.address),), place.network, place.address) for place in organisation.vantage
    ]


def _controller(organisation: Organisation) -> Party:
    networks = organisation.estate.administered_from
    return Party(CONTROLLER, networks, network_of(organisation, networks[0]))


def _impact(organisation: Organisation, address: str) -> str:
    """Knocking at the hub's own address counts as a handshake with it."""
    return "hub-handshake" if address in map(str, organisation.hub.addresses) else "local-active"


def _tcp(identifier: str, at: str, subject: str, impact: str, address: str, port: int) -> Try:  # noqa: PLR0913, PLR0917
    return Try(identifier, at, subject, impact, "tcp", {"address": address, "port": port})
