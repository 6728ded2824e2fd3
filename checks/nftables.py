"""What observed firewall rules let through, compared with the flows that the organisation file implies. Pure.

The rules come as cjsm_connect/remote/observe/firewall.py reports them. A rule that is not understood lets through
something unknown, and is never taken for a declared flow.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from ipaddress import collapse_addresses, summarize_address_range
from typing import Any

from cjsm_connect.organisation.addresses import Network, address, network
from cjsm_connect.organisation.flows import Flow
from cjsm_connect.organisation.services import ANYWHERE
from cjsm_connect.probes.seen import Seen

Rule = Mapping[str, Any]

KNOWN = {"ct state", "limit"}
FROM, UNTIL = "time >=", "time <"
ALWAYS_OPEN = (0, 2**63)  # seconds since 1970
HOOKS = ("input", "output", "forward")
INSIDE_A_CONNECTION = "tcp flags & ack,fin,rst,syn"

# What may pass beside the flows: the host itself, answers, and what IP needs to work (RFC 4890)
NEIGHBOURS = {"nd-router-solicit", "nd-router-advert", "nd-neighbor-solicit", "nd-neighbor-advert"}
REPORTS = {"mld-listener-report", "mld2-listener-report"}
FRAGMENTATION_NEEDED = {"frag-needed", "4"}  # nft 1.0 and nft 1.1 name the same code (RFC 792)
ALWAYS: tuple[Mapping[str, set[str]], ...] = (
    {"iif": {"lo"}},
    {"oif": {"lo"}},
    {"iifname": {"lo"}},
    {"oifname": {"lo"}},
    {"ct state": {"established", "related"}},
    {"icmp type": {"destination-unreachable"}, "icmp code": FRAGMENTATION_NEEDED},
    {"icmpv6 type": {"packet-too-big"}},
    {"icmpv6 type": NEIGHBOURS, "ip6 hoplimit": {"255"}},
    {"icmpv6 type": REPORTS},
)
PING: tuple[Mapping[str, set[str]], ...] = ({"icmp type": {"echo-request"}}, {"icmpv6 type": {"echo-request"}})


@dataclass(frozen=True)
class Opening:
    """Which new connections a rule accepts. An end that is "anywhere" may exclude networks."""

    sources: tuple[Network, ...]
    destinations: tuple[Network, ...]
    protocol: str
    ports: frozenset[int]
    excluding: tuple[Network, ...] = ()
    inside_a_connection: bool = False
    window: tuple[int, int] = ALWAYS_OPEN

    def within(self, flow: Flow) -> bool:
        """Does this let through nothing that the flow does not?"""
        return (
            self.protocol == flow.protocol
            and self.ports <= set(flow.ports)
            and inside(self.sources, flow.sources)
            and inside(self.destinations, flow.destinations)
            and inside(flow.excluding, self.excluding)
            and _holds(flow.window or ALWAYS_OPEN, self.window)
        )

    def covers(self, flow: Flow) -> bool:
        """Does this let through everything that the flow needs?"""
        return (
            not self.inside_a_connection
            and self.protocol == flow.protocol
            and set(flow.ports) <= self.ports
            and inside(flow.sources, self.sources)
            and inside(flow.destinations, self.destinations)
            and inside(self.excluding, flow.excluding)
            and _holds(self.window, flow.window or ALWAYS_OPEN)
        )


def _holds(outer: tuple[int, int], inner: tuple[int, int]) -> bool:
    return outer[0] <= inner[0] and inner[1] <= outer[1]


def is_declared(opening: Opening | None, flows: Iterable[Flow], answered: Iterable[Flow]) -> bool:
    """Is it within a flow? What only passes inside a connection may also be the answers to one, its ends reversed."""
    if opening is None:
        return False
    if opening.inside_a_connection:
        opening = replace(opening, sources=opening.destinations, destinations=opening.sources)
        flows = answered
    return any(opening.within(flow) for flow in flows)


def inside(inner: Iterable[Network], outer: Iterable[Network]) -> bool:
    """Is every address of `inner` in `outer`, however each is cut into networks?

    With neighbours put together (collapse_addresses), a network that is covered at all lies in one network.
    """
    wide = tuple(_together(outer))
    return all(any(one.version == other.version and one.subnet_of(other) for other in wide) for one in _together(inner))  # type: ignore[arg-type]


def _together(networks: Iterable[Network]) -> Iterator[Network]:
    several = tuple(networks)
    for version in (4, 6):
        yield from collapse_addresses(one for one in several if one.version == version)  # type: ignore[type-var]


def rules_of(seen: Seen) -> dict[str, list[Rule]]:
    """The rules for what comes in, goes out and goes through, of whatever name the chains are."""
    chains = seen.fact("firewall", "chains").values()
    return {hook: [rule for chain in chains if chain["hook"] == hook for rule in chain["rules"]] for hook in HOOKS}


def accepting(rules: Iterable[Rule]) -> list[Rule]:
    """The rules that let new connections through, or may do so: a jump leads to rules that are not followed here."""
    return [rule for rule in rules if rule["verdict"] not in (None, "drop", "reject") and not is_basic(rule)]


def leading_elsewhere(seen: Seen) -> list[str]:
    """What our own table does to connections before or after the rules judge them: translation, copies, proxies. There
    only dropping is no surprise."""
    chains = seen.fact("firewall", "chains").items()
    return [
        f"{name}: {shown(rule)}"
        for name, chain in chains
        for rule in chain["rules"]
        if chain["hook"] not in HOOKS and chain["hook"] and rule["verdict"] not in (None, "accept", "drop", "reject")
    ]


def is_basic(rule: Rule) -> bool:
    """Is this one of the few rules that every host needs, whatever its flows?"""
    found = {key: set(values) for key, values in rule["match"].items()}
    allowed = (*ALWAYS, *(PING if rule["limited"] else ()))
    return any(found.keys() == known.keys() and all(found[key] <= known[key] for key in known) for known in allowed)


def opening(rule: Rule) -> Opening | None:
    """What a rule lets through; None when it says something that is not understood here."""
    match = dict(rule["match"])
    answering = match.pop(INSIDE_A_CONNECTION, None) == ["ack"]
    ports = [(key, match.pop(key)) for key in list(match) if key.endswith(" sport" if answering else " dport")]
    ends = [_end(match, "saddr"), _end(match, "daddr")]
    window = _window(match)
    if (states := match.get("ct state")) is not None and "new" not in states:
        return None  # it is about connections that others have begun
    if rule["verdict"] != "accept" or len(ports) != 1 or None in ends or window is None or match.keys() - KNOWN:
        return None
    try:
        numbers = _numbers(ports[0][1])
    except ValueError:
        return None
    (sources, without_sources), (destinations, without_destinations) = (end for end in ends if end)
    return Opening(
        sources,
        destinations,
        ports[0][0].split()[0],
        numbers,
        (*without_sources, *without_destinations),
        answering,
        window,
    )


def may_open(rule: Rule, port: int) -> bool:
    """Might a rule let somebody reach this port? One whose ports are plainly others does not."""
    found = [values for key, values in rule["match"].items() if key.endswith(" dport")]
    try:
        return not found or any(port in _numbers(values) for values in found)
    except ValueError:
        return True


def _window(match: dict[str, Any]) -> tuple[int, int] | None:
    """The time in which a rule holds, in seconds since 1970; None when it is not understood."""
    found = [match.pop(key, default) for key, default in ((FROM, None), (UNTIL, None))]
    try:
        start, end = (_seconds(values) for values in found)
    except ValueError:
        return None
    return (ALWAYS_OPEN[0] if start is None else start, ALWAYS_OPEN[1] if end is None else end)


def _seconds(values: list[str] | None) -> int | None:
    if values is None:
        return None
    [text] = values
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())


def _end(match: dict[str, Any], field: str) -> tuple[tuple[Network, ...], tuple[Network, ...]] | None:
    """One end of a rule and what it excludes; None when it is a name or range that we cannot compare."""
    found = [key for key in match if key.removesuffix(" !=") in (f"ip {field}", f"ip6 {field}")]
    if not found:
        return ANYWHERE, ()
    values = match.pop(found[0])
    try:
        networks = tuple(part for value in values for part in _networks(value))
    except (ValueError, TypeError):
        return None
    if not found[0].endswith("!="):
        return networks, ()
    version = 4 if found[0].startswith("ip ") else 6
    return tuple(every for every in ANYWHERE if every.version == version), networks


def _networks(value: str) -> Iterator[Network]:
    """An address, a network, or a range: nft joins neighbours, and writes what is no network then as first-last."""
    first, hyphen, last = value.partition("-")
    if hyphen:
        yield from summarize_address_range(address(first), address(last))  # type: ignore[type-var]
    else:
        yield network(value)


def _numbers(values: Iterable[str]) -> frozenset[int]:
    """Ports, with ranges written out."""
    ends = [value.split("-") for value in values]
    return frozenset(port for end in ends for port in range(int(end[0]), int(end[-1]) + 1))


def shown(rule: Rule) -> str:
    """A rule in one line, for a person."""
    parts = [f"{key} {', '.join(values)}" for key, values in rule["match"].items()] or ["everything"]
    return f"{' '.join(parts)} {rule['verdict']}"
