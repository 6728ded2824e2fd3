"""firewall: default deny in, out and through; only the flows that the organisation file implies, each with its reason.

Terms v10.2, clause 21: a firewall protects the systems used, is maintained and never disabled. The rules are one
nftables table of ours on every managed host; how a change is confirmed is told in cjsm_connect/remote/firewall.py.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import PurePosixPath

from cjsm_connect.desired import Desired, Directory, File, Firewall, Health, Package, Service, merge
from cjsm_connect.desired.languages import NFT, Written, nft_comment
from cjsm_connect.desired.render import template
from cjsm_connect.operations import concern
from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.addresses import Network
from cjsm_connect.organisation.flows import Flow, HostFlows, for_host
from cjsm_connect.organisation.services import ANYWHERE
from cjsm_connect.remote.firewall import BOOT, LOG, TABLE

LOG_GROUP = 5
ULOGD = "/etc/ulogd.conf"
LOGROTATE = "/etc/logrotate.d/ulogd2"
NFTABLES_UNIT = "/etc/systemd/system/nftables.service.d/cjsm.conf"
ULOGD_UNIT = "/etc/systemd/system/ulogd2.service.d/cjsm.conf"
SSHD = "/etc/ssh/sshd_config.d/10-cjsm.conf"
LONGEST_COMMENT = 120  # bytes; nft accepts 128 (libnftnl, NFTNL_UDATA_COMMENT_MAXLEN)

# A packet inside a connection, not one that opens it (RFC 9293, 3.1)
INSIDE_A_CONNECTION = "tcp flags & (fin | syn | rst | ack) == ack"


@dataclass(frozen=True, slots=True)
class Rule:
    """One line of a chain: which new connections are accepted, where they are counted, and why."""

    match: Written
    comment: Written
    counter: str


@dataclass(frozen=True, slots=True)
class Chain:
    """A base chain. `loopback` is the match for traffic within the host; "" where there is none. `ended`: connections
    that are dropped although they were accepted once."""

    name: str
    dropped: Written
    loopback: str
    rules: tuple[Rule, ...]
    ended: tuple[Rule, ...] = ()


def desired(organisation: Organisation, host: Host) -> Desired:
    """The firewall of one managed host, of any role."""
    keys_only = organisation.policy.ssh_passwords == "forbid"
    return merge((_firewall(organisation, host), _sshd() if keys_only else Desired()))


def _sshd() -> Desired:
    """No passwords over SSH. Taken up before the change is confirmed, by connections that must work without one."""
    text = template("firewall/sshd.conf.j2")
    return Desired(
        files=(File(SSHD, text, reason="log-in by key only: a key cannot be guessed"),),
        services=(Service("ssh.service", on_change="reload", watches=(SSHD,), order=5, access=True),),
        health=(Health("SSH accepts keys only", "ssh_keys_only"),),
    )


def _firewall(organisation: Organisation, host: Host) -> Desired:
    return Desired(
        packages=(Package("nftables"), Package("ulogd2"), Package("logrotate")),
        directories=tuple(Directory(str(PurePosixPath(path).parent)) for path in (BOOT, NFTABLES_UNIT, ULOGD_UNIT)),
        files=tuple(_files(organisation)),
        firewalls=(Firewall(TABLE, BOOT, ruleset(host, for_host(organisation, host))),),
        services=(Service("ulogd2.service", watches=(ULOGD, ULOGD_UNIT), order=20),),
        health=(
            Health("the firewall denies by default", "firewall", (("table", TABLE), ("boot_path", BOOT))),
            Health("dropped packets are recorded", "drops_recorded", (("log", LOG),)),
        ),
    )


def ruleset(host: Host, flows: HostFlows) -> str:
    """The whole table as text for `nft -f`."""
    incoming, forwarded = tuple(_rules(flows.incoming)), tuple(_rules(flows.forwarded, flows.forwarded))
    chains = (
        Chain("input", comment("asked for by nobody we know"), "iif", incoming, tuple(_ended(flows.incoming))),
        Chain(
            "output",
            comment("not a flow of the organisation file"),
            "oif",
            tuple(_rules(flows.outgoing, flows.incoming)),
        ),
        Chain("forward", comment("not a flow between the networks"), "", forwarded, tuple(_ended(flows.forwarded))),
    )
    counters = dict.fromkeys(rule.counter for chain in chains for rule in chain.rules)
    return template("firewall/cjsm.nft.j2", host=host, chains=chains, counters=tuple(counters), log_group=LOG_GROUP)


def _files(organisation: Organisation) -> Iterator[File]:
    days = organisation.policy.log_days
    rotation = template("firewall/logrotate.j2", days=days.value, source=days.source)
    ulogd = template("firewall/ulogd.conf.j2", log_group=LOG_GROUP, log_file=LOG)
    yield File(ULOGD, ulogd, reason="dropped packets are recorded")
    yield File(LOGROTATE, rotation, reason="the record is kept as long as the mail log")
    yield File(NFTABLES_UNIT, template("firewall/nftables.service.j2"), reason="stopping nftables opens nothing")
    yield File(ULOGD_UNIT, template("firewall/ulogd2.service.j2"), reason="the recorder starts reliably")


def _rules(flows: tuple[Flow, ...], answered: tuple[Flow, ...] = ()) -> Iterator[Rule]:
    """A rule for each flow; for each SSH flow whose answers pass here, one that keeps the sessions already open.

    When the first rules are loaded the kernel begins to track connections and knows none of those that are open. A
    client's next packet would be taken as new and accepted, a server's would be dropped, and the session that loads
    the rules might hang.
    """
    for flow in flows:
        yield Rule(_match(flow), comment(flow.reason), _counter(flow))
    for flow in answered:
        if flow.name.startswith("ssh-"):
            reply = replace(flow, sources=flow.destinations, destinations=flow.sources)
            match = f"{_addresses(reply)} tcp sport {_several(map(str, flow.ports))} {INSIDE_A_CONNECTION}"
            yield Rule(NFT.written(match), comment(f"sessions already open: {flow.reason}"), _counter(flow))


def _ended(flows: tuple[Flow, ...]) -> Iterator[Rule]:
    """A flow for a while: what was accepted in its time does not go on after it."""
    for flow in flows:
        if flow.window:
            match = NFT.written(f"{_match_always(flow)} meta time >= {NFT.value(flow.window[1])}")
            yield Rule(match, comment(f"over: {flow.reason}"), "")


def _match(flow: Flow) -> Written:
    """Times are compared by the kernel with the host's clock, so that nothing has to run when a time is over; as
    numbers, because nft reads a date in the local time of whoever loads it (nft(8), "meta time")."""
    if flow.window is None:
        return _match_always(flow)
    start, end = map(NFT.value, flow.window)
    return NFT.written(f"{_match_always(flow)} meta time >= {start} meta time < {end}")


def _match_always(flow: Flow) -> Written:
    return NFT.written(f"{_addresses(flow)} {NFT.value(flow.protocol)} dport {_several(map(str, flow.ports))}")


def _addresses(flow: Flow) -> str:
    """Both ends; "anywhere" is everything of that IP version but the estate's own networks."""
    family = "ip" if flow.version == 4 else "ip6"
    ends = (("saddr", flow.sources), ("daddr", flow.destinations))
    return " ".join(_end(f"{family} {field}", networks, flow.excluding) for field, networks in ends)


def _end(field: str, networks: tuple[Network, ...], excluding: tuple[Network, ...]) -> str:
    if not set(networks) & set(ANYWHERE):
        return f"{field} {_several(_text(network) for network in networks)}"
    # with nothing to exclude the condition still has to name the IP version
    return f"{field} != {_several(_text(network) for network in excluding)}" if excluding else f"{field} {networks[0]}"


def _several(values: Iterator[str]) -> str:
    """One value as it is, several as an anonymous set."""
    found = tuple(dict.fromkeys(map(NFT.value, values)))
    return found[0] if len(found) == 1 else f"{{ {NFT.value(found)} }}"


def _text(network: Network) -> str:
    single = network.prefixlen == network.max_prefixlen
    return str(network.network_address) if single else str(network)


def _counter(flow: Flow) -> str:
    return f"flow_{flow.name.replace('-', '_')}"


def comment(reason: str) -> Written:
    """A reason as an nft comment."""
    return nft_comment(reason, LONGEST_COMMENT)


firewall = concern("firewall", desired)

if __name__ == "builtins":  # so pyinfra executes a deploy file
    firewall()
