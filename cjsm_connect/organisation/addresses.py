"""IP addresses and networks as texts: the one place where they are read.

Python's own readers accept a zone after an IPv6 address (RFC 4007, 11), and in it anything but a slash: spaces, quotes,
line ends. A zone means something on one host only, so none is accepted, and what is printed again is the
address and no more.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


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
