"""What is in use on a host today and new firewall rules would close. Judged in the plan, before any is loaded. Pure.

In use is what a program serves to a network of the estate, every open connection, and each other end that the host's
own configuration names. What a declared flow covers stays; what the packet filter of today drops already is no loss. A
change of rules that would close anything is made only by somebody who has seen the list (`digest`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cjsm_connect.desired.change import Change
from cjsm_connect.desired.packetfilter import Opening, passes
from cjsm_connect.desired.snapshot import Snapshot, sha256
from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.addresses import Address, Network, network, observed
from cjsm_connect.organisation.flows import OUTSIDE, Flow, HostFlows, for_host, network_of
from cjsm_connect.organisation.services import ANYWHERE
from cjsm_connect.printable import shown

Traffic = Mapping[str, Any]
EVERY = ("0.0.0.0", "::", "*")  # noqa: S104 - what a socket that listens everywhere is bound to
TO_ALL = "*"  # the name of "the whole internet" in what the configuration names
DIGITS = 12


@dataclass(frozen=True, slots=True)
class Closing:
    """One thing in use that would close. `other` is the far end: names of networks, an address, a name of a machine, or
    `outside`; `networks` are what a flow would have to name to keep it; `why` says who uses it."""

    host: str
    direction: Literal["in", "out", "through"]
    protocol: str
    port: int
    other: str
    why: str
    networks: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()  # of what passes through: the near end

    @property
    def key(self) -> str:
        """What it is, whoever uses it at the moment."""
        return f"{self.host} {self.direction} {self.protocol} {self.port} {self.other}"

    @property
    def text(self) -> str:
        """For people."""
        at = f"protocol {self.port}" if self.protocol == "ip" else f"{self.port}/{self.protocol}"
        way = {"in": "from", "out": "to", "through": "through,"}[self.direction]
        return f"{self.direction:<8}{at:<10} {way} {self.other}: {self.why}"


NOTHING: Traffic = {"listeners": (), "incoming": (), "outgoing": (), "named": (), "forwarded": (), "rules": ()}


def traffic_of(change: Change, snapshot: Snapshot) -> Traffic:
    """What a snapshot tells of use, where the firewall's rules change; nothing where they stay.

    Rules that were confirmed before and somebody has since taken away or changed are no new ones: what they close was
    agreed to then, and a host without its firewall does not wait for an answer.
    """
    for wall in change.firewalls:
        found = snapshot.get("firewalls", {}).get(wall.table, {})
        if found.get("boot") != sha256(wall.ruleset):
            traffic: Traffic = found.get("traffic", NOTHING)
            return traffic
    return NOTHING


def digest(found: Iterable[Closing]) -> str:
    """What `apply --closing` has to say; another list has another digest. "" for an empty one."""
    keys = sorted({one.key for one in found})
    return hashlib.sha256("\n".join(keys).encode()).hexdigest()[:DIGITS] if keys else ""


def closing(organisation: Organisation, host: Host, traffic: Traffic) -> tuple[Closing, ...]:
    """Everything in use on a host that its new rules do not let through, in a steady order."""
    flows = for_host(organisation, host)
    served = list(_served(organisation, host, flows, traffic))
    near = list(_near(organisation, host, flows, traffic, served))
    named = list(_named(host, flows, traffic))
    far = list(_far(host, flows, traffic, named))
    through = list(_through(organisation, host, flows, traffic))
    return tuple(sorted({one.key: one for one in (*through, *far, *named, *near, *served)}.values(), key=_order))


def unseen(host: Host, traffic: Traffic) -> tuple[str, ...]:
    """Sentences on what may be in use and cannot be seen."""
    if host.role == "firewall" and traffic.get("forwards") and traffic.get("forwarded") is None:
        return (
            "this host forwards between networks, and which connections pass it cannot be seen (nothing tracks them): "
            "only what the organisation file names will pass. Connections of other machines need [[flows]] with "
            'direction = "through"',
        )
    return ()


def _order(one: Closing) -> tuple[Any, ...]:
    return ("in", "out", "through").index(one.direction), one.protocol, one.port, one.other


def _served(organisation: Organisation, host: Host, flows: HostFlows, traffic: Traffic) -> Iterator[Closing]:
    """Ports that a program serves to the estate, and that no rule would open for any network of it.

    Where one is opened for one network, somebody has thought about that port; who else uses it is seen by connections.
    """
    programs: dict[tuple[str, int], set[str]] = {}
    reaching: dict[tuple[str, int], dict[str, Network]] = {}
    for one in traffic["listeners"]:
        key = (one["protocol"], one["port"])
        programs.setdefault(key, set()).add(_plain(one["program"]) or "the kernel")
        reaching.setdefault(key, {}).update(_networks(organisation, host, one["address"]))
    for (protocol, port), networks in sorted(reaching.items()):
        if not any(_meets(flows.incoming, protocol, port, network) for network in networks.values()):
            opened = {
                name: network
                for name, network in networks.items()
                if passes(traffic["rules"], Opening("input", protocol, port, network))
            }
            if opened:
                other, texts = ", ".join(sorted(opened)), tuple(str(opened[name]) for name in sorted(opened))
                who = " and ".join(sorted(programs[protocol, port]))
                yield Closing(host.name, "in", protocol, port, other, f"{who} listens", texts)


def _networks(organisation: Organisation, host: Host, address: str) -> Iterator[tuple[str, Network]]:
    """The estate's networks that could come to a socket bound to this address; from outside only by what is seen."""
    versions = {one.version for one in host.addresses}
    if address not in EVERY:
        versions &= {one.version for one in _addresses([address])}
    for zone in organisation.estate.networks:
        if zone.zone != "wan" and zone.cidr.version in versions:
            yield zone.name, zone.cidr


def _near(
    organisation: Organisation, host: Host, flows: HostFlows, traffic: Traffic, served: list[Closing]
) -> Iterator[Closing]:
    """Open connections from others, by the network that they come from."""
    known = {(one.protocol, one.port, name) for one in served for name in one.other.split(", ")}
    seen: dict[tuple[str, int, str], list[Address]] = {}
    for protocol, text, port in traffic["incoming"]:
        for address in _addresses([text]):
            place = network_of(organisation, address)
            end = network(address)
            admitted = _admits(flows.incoming, protocol, port, "sources", end) or address in host.addresses
            open_today = passes(traffic["rules"], Opening("input", protocol, port, end))
            if open_today and not admitted and (protocol, port, place) not in known:
                seen.setdefault((protocol, port, place), []).append(address)
    for (protocol, port, place), addresses in seen.items():
        texts = tuple(str(address) for address in addresses)
        named = () if port in _with_rules_of_their_own(organisation, host) else texts
        yield Closing(host.name, "in", protocol, port, place, f"connected now: {_some(texts)}", named)


def _with_rules_of_their_own(organisation: Organisation, host: Host) -> set[int]:
    """Ports that no [[flows]] may open (organisation/rules/statements.py)."""
    inner = {"relay": organisation.inner.relay_port, "mail": organisation.inner.mail_port}
    return {host.ssh.port, organisation.hub.listen_port, inner.get(host.role, host.ssh.port)}


def _named(host: Host, flows: HostFlows, traffic: Traffic) -> Iterator[Closing]:
    """Other ends that the configuration names."""
    for one in traffic["named"]:
        protocol, port = one["protocol"], one["port"]
        ends: list[Network] = [network(address) for address in _addresses(one["addresses"])]
        wanted: list[Network | None] = [*ends] or [None]
        lost = [end for end in wanted if not _goes(host, flows, traffic, Opening("output", protocol, port, end))]
        if lost:
            other = OUTSIDE if one["host"] == TO_ALL else _plain(one["host"])
            unknown = "; its name leads nowhere now" if not ends and other != OUTSIDE else ""
            yield Closing(host.name, "out", protocol, port, other, one["why"] + unknown, _texts(ends))


def _goes(host: Host, flows: HostFlows, traffic: Traffic, opening: Opening) -> bool:
    """Will it pass, or does it not pass today either? An end that nobody knows needs a flow to anywhere."""
    end = opening.far
    if end and end.network_address in host.addresses:
        return True
    admitted = _admits(flows.outgoing, opening.protocol, opening.port, "destinations", end or ANYWHERE[0])
    return admitted or not passes(traffic["rules"], opening)


def _far(host: Host, flows: HostFlows, traffic: Traffic, named: list[Closing]) -> Iterator[Closing]:
    """Open connections from here that no name stands for."""
    known = {(one.protocol, one.port, text) for one in named for text in (*one.networks, one.other)}
    for protocol, text, port in traffic["outgoing"]:
        for end in map(network, _addresses([text])):
            opening = Opening("output", protocol, port, end)
            if (protocol, port, text) not in known and not _goes(host, flows, traffic, opening):
                yield Closing(host.name, "out", protocol, port, text, "connected now", (text,))


def _through(organisation: Organisation, host: Host, flows: HostFlows, traffic: Traffic) -> Iterator[Closing]:
    """Connections between other machines that pass this host, by the networks at both ends."""
    passing: dict[tuple[str, int, str], tuple[set[str], set[str]]] = {}
    for protocol, source, destination, port in traffic["forwarded"] or ():
        ends = [network(address) for address in _addresses([source, destination])]
        if len(ends) == 2 and not any(
            _matches(flow, protocol, port)
            and _within(ends[0], flow.sources, flow.excluding)
            and _within(ends[1], flow.destinations, flow.excluding)
            for flow in flows.forwarded
        ):
            names = [network_of(organisation, end) for end in ends]
            sources, destinations = passing.setdefault((protocol, port, " to ".join(names)), (set(), set()))
            sources.add(_wide(organisation, ends[0], names[0]))
            destinations.add(_wide(organisation, ends[1], names[1]))
    for (protocol, port, way), (sources, destinations) in passing.items():
        why = f"passing now: {_some(sorted(sources))} to {_some(sorted(destinations))}"
        texts = tuple(sorted(destinations)), tuple(sorted(sources))
        yield Closing(host.name, "through", protocol, port, way, why, *texts)


def _wide(organisation: Organisation, end: Network, name: str) -> str:
    """A machine of the estate stands for its network, one outside for itself."""
    zones = {zone.name: zone.cidr for zone in organisation.estate.networks}
    return str(zones[name]) if name in zones else str(end.network_address)


def _admits(flows: tuple[Flow, ...], protocol: str, port: int, side: str, end: Network) -> bool:
    """Does a flow let all of this end through?"""
    return any(_matches(flow, protocol, port) and _within(end, getattr(flow, side), flow.excluding) for flow in flows)


def _meets(flows: tuple[Flow, ...], protocol: str, port: int, zone: Network) -> bool:
    """Does a flow let a part of this network in, or all of it?"""
    return _admits(flows, protocol, port, "sources", zone) or any(
        _matches(flow, protocol, port) and any(_within(one, (zone,), ()) for one in flow.sources) for flow in flows
    )


def _matches(flow: Flow, protocol: str, port: int) -> bool:
    return flow.protocol == protocol and port in flow.ports and flow.window is None


def _within(end: Network, networks: tuple[Network, ...], excluding: tuple[Network, ...]) -> bool:
    """All of it in one of the networks; "anywhere" does not mean the estate's own (flows.Flow.excluding)."""
    for wide in networks:
        if wide.version == end.version and end.subnet_of(wide):  # type: ignore[arg-type]
            anywhere = wide in ANYWHERE
            if not (anywhere and any(one.version == end.version and end.subnet_of(one) for one in excluding)):  # type: ignore[arg-type]
                return True
    return False


def _texts(ends: Iterable[Network]) -> tuple[str, ...]:
    return tuple(str(end.network_address) for end in ends)


def _addresses(texts: Iterable[str]) -> Iterator[Address]:
    """What a host says of other ends, as far as it is an address that a rule can name."""
    for text in texts:
        try:
            address = observed(text)
        except ValueError:
            continue
        if not (address.is_link_local or address.is_multicast or address.is_unspecified):
            yield address


def _plain(text: str) -> str:
    """What a host calls a program, as it may be shown."""
    return shown(text, 40)


def _some(texts: Iterable[str]) -> str:
    """A few of them, and how many more."""
    several = list(texts)
    more = f" and {len(several) - 3} more" if len(several) > 3 else ""
    return ", ".join(several[:3]) + more


def kept_by(found: Iterable[Closing]) -> Iterator[str]:
    """The lines for organisation.toml that would keep it, several ports of the same ends together.

    The reason is left empty, so that nobody declares a flow without one: an empty text is a mistake of the file. The
    name is that of its content, so that what a later plan prints stands beside it.
    """
    together: dict[tuple[Any, ...], list[Closing]] = {}
    for one in found:
        if one.protocol == "ip" or (not one.networks and (one.other == OUTSIDE or one.direction == "in")):
            yield f"# {one.host}, {one.text.strip()}: {_otherwise(one)}"
        else:
            together.setdefault((one.host, one.direction, one.protocol, one.networks, one.sources), []).append(one)
    for (host, direction, protocol, networks, sources), several in together.items():
        ends = {"in": [("source", networks)], "out": [("destination", networks)]}
        rows = ends.get(direction, [("source", sources), ("destination", networks)])
        ports = sorted({one.port for one in several})
        yield "\n".join(
            [
                "[[flows]]",
                f'name = "{host}-{direction}-{digest(several)[:6]}"',
                f'host = "{host}"',
                f'direction = "{direction}"',
                *(f"{name} = [{', '.join(_quoted(text) for text in texts)}]" for name, texts in rows),
                f'protocol = "{protocol}"',
                f"ports = [{', '.join(map(str, ports))}]",
                'reason = ""      # who needs it, and for what',
                'approver = ""',
            ]
        )


def _otherwise(one: Closing) -> str:
    if one.protocol == "ip":
        return "a protocol without ports cannot be declared"
    if one.direction == "in":
        return "who may use this port follows from estate.administered_from, [hub] and [inner]"
    return f"internet_mail = true in its [[hosts]], or a relayhost of yours in {one.host}'s Postfix"


def _quoted(text: str) -> str:
    return f'"{text}"'
