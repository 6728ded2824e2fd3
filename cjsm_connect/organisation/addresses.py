"""IP addresses and networks as texts: the one place where they are read.

Python's own readers accept a zone after an IPv6 address (RFC 4007, 11), and in it anything but a slash: spaces, quotes,
line ends. A zone means something on one host only, so none is accepted, and what is printed again is the
address and no more. And which of them lead nowhere but into the network in which one is (`inner`).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
# what they are for: https://www.iana.org/assignments/iana-ipv4-special-registry and the same of IPv6. Documentation
# addresses (RFC 5737, 3849) lead nowhere, so they are not in here.
OURS: dict[str, tuple[str, ...]] = {
    "an unspecified address": ("0.0.0.0/8", "::/128"),
    "a loopback address": ("127.0.0.0/8", "::1/128"),
    "a link-local address": ("169.254.0.0/16", "fe80::/10"),
    "a private address": ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10"),
    "a shared address of a provider (RFC 6598)": ("100.64.0.0/10",),
    "a multicast address": ("224.0.0.0/4", "ff00::/8"),
    "a reserved address": ("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4", "100::/64"),
    "an address of a translator (RFC 8215)": ("64:ff9b:1::/48",),
}
# where an IPv4 address stands in an IPv6 one, in bits from the right: mapped and compatible (RFC 4291, 2.5.5), NAT64
# (RFC 6052), 6to4 (RFC 3056), Teredo (RFC 4380: its server; the client's own is inverted)
CARRIERS: dict[str, tuple[int, ...]] = {
    "::ffff:0:0/96": (0,),
    "::ffff:0:0:0/96": (0,),
    "::/96": (0,),
    "64:ff9b::/96": (0,),
    "2002::/16": (80,),
    "2001::/32": (64,),
}


def address(text: str) -> Address:
    """An address without a zone. ValueError for anything else."""
    return ip_address(_without_zone(text))


def network(text: str | Address | Network, *, strict: bool = True) -> Network:
    """A network, or the network of one address, without a zone. ValueError for anything else, and for bits beyond the
    prefix unless `strict` is false."""
    return ip_network(_without_zone(text) if isinstance(text, str) else text, strict)


def observed(text: str) -> Address:
    """An address as a kernel prints it: there a zone names the interface, which nothing here asks for."""
    return address(text.partition("%")[0])


def is_address(text: str) -> bool:
    """Whether a text is an address without a zone."""
    try:
        address(text)
    except ValueError:
        return False
    return True


def _without_zone(text: str) -> str:
    if not isinstance(text, str) or "%" in text:
        raise ValueError("an address without a zone (nothing after a %)")
    return text


def inner(where: str) -> str:
    """What kind of address this is, if only the network in which we are can mean anything by it; else "".

    An IPv4 address inside an IPv6 one counts as itself: a translator on the way would send there.
    """
    found = observed(where)
    for one in (found, *_carried(found)):
        for kind, block in _ours():
            if one.version == block.version and one in block:
                return kind
    return ""


def _carried(found: Address) -> Iterator[IPv4Address]:
    if isinstance(found, IPv6Address):
        for block, places in CARRIERS.items():
            if found in network(block):
                yield from (IPv4Address(int(found) >> place & 0xFFFFFFFF) for place in places)
                if block == "2001::/32":
                    yield IPv4Address(~int(found) & 0xFFFFFFFF)


@cache
def _ours() -> list[tuple[str, Network]]:
    return [(kind, network(one)) for kind, networks in OURS.items() for one in networks]
