"""The lab's networks: one namespace of bridges, one namespace a node, joined by veth pairs (ip-netns(8), veth(4)).

Nothing of it exists in the machine's own network, so no packet of the lab can leave and no address can clash.
"""

from __future__ import annotations

import os
from pathlib import Path

from cjsm_connect.lab import topology
from cjsm_connect.lab.machine import kill, run, wait_until
from cjsm_connect.lab.topology import NETWORKS, SWITCH, Leg, Network, Node, namespace

NETNS = Path("/run/netns")


def make_switch(lab: str) -> None:
    """The namespace of the three bridges."""
    switch = namespace(lab, SWITCH)
    run(["ip", "netns", "add", switch])
    _batch(switch, [line for name in NETWORKS for line in (f"link add {name} type bridge", f"link set {name} up")])


def make_node(lab: str, node: Node) -> None:
    """A node's namespace from nothing, as after a power cut: no rules, no connections, no neighbours remembered."""
    remove_node(lab, node)
    name = namespace(lab, node.name)
    run(["ip", "netns", "add", name])
    run(["nsenter", f"--net={NETNS / name}", "sysctl", "-q", *_settings(node)])
    for leg in node.legs:
        _plug(lab, node, leg)
    _batch(name, ["link set lo up", *(line for leg in node.legs for line in _addresses(leg))])
    _batch(name, [line for network in _through_firewall(node) for line in _routes(node, network)])


def remove_node(lab: str, node: Node) -> None:
    """Remove a node's namespace; its ends of the cables go with it, at once."""
    name = namespace(lab, node.name)
    if (NETNS / name).exists():
        switch = namespace(lab, SWITCH)
        for leg in node.legs:
            run(["ip", "-n", switch, "link", "del", _port(node, leg)], check=False)
        run(["ip", "netns", "del", name])


def remove_all(lab: str) -> None:
    """Remove every namespace of the lab that exists."""
    for name in topology.namespaces(lab):
        if (NETNS / name).exists():
            run(["ip", "netns", "del", name])


def end_processes(lab: str) -> None:
    """End whatever still runs in the lab's namespaces, except this command and those that started it."""
    spared = _ancestors(os.getpid())
    for name in topology.namespaces(lab):
        if (NETNS / name).exists():
            pids = [int(pid) for pid in run(["ip", "netns", "pids", name]).stdout.split()]
            _end([pid for pid in pids if pid not in spared])


def _end(pids: list[int]) -> None:
    for pid in pids:
        kill(pid)
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), 2)


def _ancestors(pid: int) -> set[int]:
    """A process and its parents up to init (proc_pid_stat(5), field 4)."""
    found = set()
    while pid > 0:
        found.add(pid)
        pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return found


def _batch(name: str, lines: list[str]) -> None:
    run(["ip", "-n", name, "-batch", "-"], stdin="\n".join(lines) + "\n")


def _port(node: Node, leg: Leg) -> str:
    """The switch's end of a cable; interface names have at most 15 characters."""
    return f"{node.name}-{leg.network.name}"


def _plug(lab: str, node: Node, leg: Leg) -> None:
    """One cable. The host's end is called after its network, with an Ethernet address that survives a reset:
    neighbours would otherwise talk to the old one for as long as they remember it."""
    port, network = _port(node, leg), leg.network
    hardware = "02:00:" + ":".join(f"{int(part):02x}" for part in network.address(leg.numbers[0]).split("."))
    end = f"{network.name} address {hardware} netns {namespace(lab, node.name)}"
    _batch(
        namespace(lab, SWITCH),
        [f"link add {port} type veth peer name {end}", f"link set {port} master {network.name} up"],
    )


def _addresses(leg: Leg) -> list[str]:
    network = leg.network
    adds = [f"address add {network.address(n)}/24 dev {network.name}" for n in leg.numbers]
    adds += [f"address add {network.address6(n)}/64 dev {network.name} nodad" for n in leg.numbers]
    return [*adds, f"link set {network.name} up"]


def _through_firewall(node: Node) -> tuple[Network | None, ...]:
    """Networks a node reaches by way of the firewall; None is the default route."""
    return (None,) if node.default_route else node.routed


def _routes(node: Node, network: Network | None) -> list[str]:
    near = node.legs[0].network if node.default_route or node.name == topology.CONTROLLER else topology.WAN
    targets = (f"{network.ipv4}.0/24", f"{network.ipv6}::/64") if network else ("default", "default")
    gateways = (near.address(topology.GATEWAY), near.address6(topology.GATEWAY))
    return [f"route add {target} via {gateway}" for target, gateway in zip(targets, gateways, strict=True)]


def _settings(node: Node) -> list[str]:
    """sysctl settings of a namespace. Reverse path filtering is the firewall's matter, not the lab's."""
    forwarding = int(node.forwards)
    return [
        f"net.ipv4.ip_forward={forwarding}",
        f"net.ipv6.conf.all.forwarding={forwarding}",
        "net.ipv4.conf.all.rp_filter=0",
        "net.ipv4.conf.default.rp_filter=0",
    ]
