"""Would new firewall rules cut off those who administer the hosts? Judged in the plan, before anything is loaded. Pure.

What decides is the address from which our own SSH session reaches a host, as the host itself sees it: with a jump host
in between that is the jump host's.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from cjsm_connect.desired.change import Change
from cjsm_connect.desired.snapshot import Snapshot
from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.addresses import Address, Network, observed
from cjsm_connect.organisation.flows import OUTSIDE, Flow, for_host, network_of


@dataclass(frozen=True, slots=True)
class Way:
    """How SSH reaches a host now. `source` is None when nobody can tell; `others` are other people's open sessions."""

    host: str
    changes: bool  # do this host's rules change?
    source: Address | None
    port: int
    others: tuple[Address, ...]


def way(host: Host, change: Change, snapshot: Snapshot) -> Way:
    """The way to a host as its snapshot tells it. A session from the host to itself says nothing of where it began."""
    seen = snapshot.get("access") or {"from": "", "port": 0, "others": []}
    source = observed(seen["from"]) if seen["from"] else None
    if source and (source.is_loopback or source in host.addresses):
        source = None
    others = (observed(text) for text in seen["others"])
    apart = tuple(other for other in others if not other.is_loopback and other not in host.addresses)
    return Way(host.name, bool(change.firewalls), source, seen["port"], apart)


def refusals(organisation: Organisation, ways: Iterable[Way]) -> Iterator[tuple[str, str]]:
    """(host, sentence) for every host whose new rules would cut off us, or everybody."""
    known = tuple(ways)
    for one in known:
        host = organisation.host(one.host)
        if one.changes:
            yield from ((one.host, text) for text in _itself(organisation, host, one))
            yield from ((one.host, text) for text in _behind(organisation, host, known))


def warnings(organisation: Organisation, ways: Iterable[Way]) -> Iterator[tuple[str, str]]:
    """(host, sentence) for what new rules may do to others, or what nobody can tell."""
    known = tuple(ways)
    for one in known:
        if one.changes:
            yield from ((one.host, text) for text in _doubts(organisation, one))
            yield from ((one.host, text) for text in _through(organisation, one, known))


def _itself(organisation: Organisation, host: Host, one: Way) -> Iterator[str]:
    """The host's own rules."""
    flows = _ssh(for_host(organisation, host).incoming)
    wanted = _listed(organisation)
    if not flows:
        yield (
            f"the new firewall rules would let nobody in by SSH: {host.address} is IPv{host.address.version}, and "
            f"estate.administered_from has no such address (found: {wanted}). Add the administrators' "
            f"IPv{host.address.version} addresses"
        )
    elif one.source and not _admitted(flows, one.source):
        yield _cut_off(wanted, one.source)
    elif one.source and one.port not in flows[0].ports:
        yield (
            f"the new firewall rules would cut you off: they let SSH in on port {flows[0].ports[0]} (ssh.port of "
            f"{host.name}), and you are connected to its port {one.port}. Set ssh.port to the port that sshd listens on"
        )


def _behind(organisation: Organisation, firewall: Host, ways: tuple[Way, ...]) -> Iterator[str]:
    """What a firewall passes on to the hosts behind it."""
    forwarded = _ssh(for_host(organisation, firewall).forwarded)
    for other in ways:
        host = organisation.host(other.host)
        if other.source and _crosses(organisation, firewall, other.source, host):
            flows = [flow for flow in forwarded if any(host.address in network for network in flow.destinations)]
            if not _admitted(flows, other.source):
                yield f"{host.name} lies behind it, and {_cut_off(_listed(organisation), other.source)}"


def _crosses(organisation: Organisation, firewall: Host, source: Address, host: Host) -> bool:
    """Does SSH from this address to the host pass through the firewall? Not if it begins or ends there."""
    if firewall.role != "firewall" or firewall == host or source in firewall.addresses:
        return False
    near, far = network_of(organisation, source), network_of(organisation, host.address)
    return near != far and {near, far} <= {*firewall.interfaces, OUTSIDE}


def _cut_off(wanted: str, found: Address) -> str:
    return (
        f"the new firewall rules would cut you off: expected SSH from estate.administered_from ({wanted}), found you "
        f"at {found}. Add that address there; if you come through a jump host, its address belongs there"
    )


def _doubts(organisation: Organisation, one: Way) -> Iterator[str]:
    host = organisation.host(one.host)
    flows = _ssh(for_host(organisation, host).incoming)
    if one.source is None:
        yield (
            "nobody can tell from which address you reach this host. See for yourself that estate.administered_from "
            f"({_listed(organisation)}) holds it before you apply"
        )
    for other in one.others:
        if not _admitted(flows, other):
            yield (
                f"an SSH session from {other} is open, and estate.administered_from ({_listed(organisation)}) does not "
                "hold that address: the new firewall rules will not let it come back"
            )
    for network in organisation.estate.administered_from:
        if network.version != host.address.version:
            yield (
                f"{_text(network)} of estate.administered_from cannot reach this host: its SSH address {host.address} "
                f"is IPv{host.address.version}"
            )


def _through(organisation: Organisation, one: Way, ways: tuple[Way, ...]) -> Iterator[str]:
    """A managed host as jump host: its own rules let no SSH out."""
    own = organisation.host(one.host).addresses
    for other in ways:
        if other.host != one.host and other.source in own:
            yield (
                f"{other.host} is reached from this host's address {other.source}. If this is your jump host: its new "
                "firewall rules let no SSH out, and the change will not be confirmed. Use another jump host"
            )


def _ssh(flows: tuple[Flow, ...]) -> list[Flow]:
    return [flow for flow in flows if flow.name.startswith("ssh-")]


def _admitted(flows: list[Flow], source: Address) -> bool:
    return any(source in network for flow in flows for network in flow.sources)


def _listed(organisation: Organisation) -> str:
    return ", ".join(_text(network) for network in organisation.estate.administered_from)


def _text(network: Network) -> str:
    """A network as people write it: a single address without its prefix length."""
    return str(network.network_address if network.prefixlen == network.max_prefixlen else network)
