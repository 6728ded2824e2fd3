"""What the lab looks like: networks, hosts, addresses, routes and images. Plain data, names as in inventories/lab."""

from __future__ import annotations

import re
from dataclasses import dataclass, field, replace

from cjsm_connect.results import CjsmError

SUITE = "trixie"
CONTROLLER = "admin"  # the namespace from which hosts are administered
SWITCH = "switch"  # the namespace that holds the bridges, and nothing else


@dataclass(frozen=True, slots=True)
class Network:
    """One bridge: the first three octets of its IPv4 /24 and its IPv6 /64; host numbers are the same in both."""

    name: str
    ipv4: str
    ipv6: str

    def address(self, number: int) -> str:
        return f"{self.ipv4}.{number}"

    def address6(self, number: int) -> str:
        return f"{self.ipv6}::{number}"


LAN = Network("lan", "192.0.2", "2001:db8:1")
DMZ = Network("dmz", "198.51.100", "2001:db8:2")
WAN = Network("wan", "203.0.113", "2001:db8:3")
NETWORKS = {network.name: network for network in (LAN, DMZ, WAN)}
GATEWAY = 1  # the firewall's host number on every network


@dataclass(frozen=True, slots=True)
class Leg:
    """One interface: its network and the host numbers on it; the first is the host's main address."""

    network: Network
    numbers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Node:
    """One network namespace of the lab, and how packets leave it by way of the firewall."""

    name: str
    legs: tuple[Leg, ...]
    default_route: bool = False  # everything unknown goes to the firewall, as on a real LAN or DMZ
    routed: tuple[Network, ...] = ()  # networks reached through the firewall, for nodes that have no default route
    forwards: bool = False


@dataclass(frozen=True, slots=True)
class Host(Node):
    """A node that runs Debian with its own systemd."""

    fqdn: str = ""
    image: str = "base"  # managed hosts start bare
    binds: tuple[str, ...] = field(default=())  # where the lab's package mirror appears, read-only

    @property
    def managed(self) -> bool:
        """Configured by deploys, or one of the lab's own hosts that are only looked from?"""
        return self.fqdn.endswith("council.example")

    @property
    def address(self) -> str:
        """The IPv4 address at which SSH answers."""
        return self.legs[0].network.address(self.legs[0].numbers[0])

    @property
    def addresses(self) -> tuple[str, ...]:
        """Every IPv4 address of the host."""
        return tuple(leg.network.address(number) for leg in self.legs for number in leg.numbers)


FIREWALL = Host(
    "firewall",
    (Leg(LAN, (GATEWAY,)), Leg(DMZ, (GATEWAY,)), Leg(WAN, (GATEWAY,))),
    forwards=True,
    fqdn="firewall.council.example",
)


def relay(number: int) -> Host:
    """The first relay is called `relay`, those after it `relay2`, `relay3`; their addresses follow each other."""
    name = "relay" if number == 1 else f"relay{number}"
    return Host(name, (Leg(DMZ, (9 + number,)),), default_route=True, fqdn=f"{name}.council.example")


MADE_BY_US = ""
# an estate that somebody else has set up; its mail server has an image of the same name
SCENARIOS = ("existing",)
RELAYS_AT_MOST = 18  # with firewall and mail server twenty managed hosts
RELAY = relay(1)
MAIL = Host("mail", (Leg(LAN, (10,)),), default_route=True, fqdn="mail.council.example", image="mail")
HUB = Host("hub", (Leg(WAN, (20, 21, 22)),), routed=(LAN, DMZ), fqdn="hub.cjsm.example", image="hub")
OUTSIDE = Host(
    "outside",
    (Leg(WAN, (30, 31, 32)),),
    routed=(LAN, DMZ),
    fqdn="outside.example",
    image="outside",
    binds=("/srv/mirror",),
)


def hosts_with(relays: int, scenario: str = MADE_BY_US) -> dict[str, Host]:
    """The hosts of a lab with so many relays."""
    of_role = [relay(number) for number in range(1, relays + 1)]
    mail = replace(MAIL, image=scenario) if scenario else MAIL
    return {host.name: host for host in (FIREWALL, *of_role, mail, HUB, OUTSIDE)}


HOSTS = hosts_with(1)  # as inventories/lab describes them
# the administrator sits on the LAN; the second leg reaches hub and outside as an engineer on the internet would
ADMIN = Node(CONTROLLER, (Leg(LAN, (100,)), Leg(WAN, (100,))), routed=(DMZ,))
EVERY_HOST = tuple(hosts_with(RELAYS_AT_MOST).values())  # that any lab may have


def namespace(lab: str, node: str) -> str:
    """The name of a node's network namespace; also the machine name of a host's container."""
    return f"cjsm-{lab}-{node}"


def namespaces(lab: str) -> list[str]:
    """Every network namespace that a lab may have, however many relays it was started with."""
    return [namespace(lab, node) for node in (SWITCH, *(host.name for host in EVERY_HOST), CONTROLLER)]


def checked_name(name: str) -> str:
    """A lab's name becomes part of paths and namespaces: a short word of lower-case letters, digits and dashes."""
    if not re.fullmatch(r"[a-z0-9][a-z0-9-]{0,19}", name):
        raise CjsmError(
            f"'{name}' cannot name a lab: expected at most 20 lower-case letters, digits and dashes; choose another."
        )
    return name


def checked_scenario(name: str) -> str:
    """The estate that a lab begins with: bare hosts that we make everything of, or one of another's making."""
    if name not in (MADE_BY_US, *SCENARIOS):
        raise CjsmError(f"there is no scenario '{name}'; there is: {', '.join(SCENARIOS)}.")
    return name


def checked_relays(number: int) -> int:
    """How many relays a lab may have."""
    if not 1 <= number <= RELAYS_AT_MOST:
        raise CjsmError(f"a lab has between 1 and {RELAYS_AT_MOST} relays, not {number}.")
    return number
