"""Values that a stranger wrote (in a bundle, a record, a certificate, an answer of DNS), read as if they stood in the
organisation file: each in the form that is kept there, or not at all. And which addresses are only our own. Pure.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from ipaddress import IPv4Address, IPv6Address
from typing import Any

from pydantic import TypeAdapter, ValidationError

from . import addresses, values

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


def domain(value: object) -> str | None:
    """A domain name, as A-labels."""
    found: str | None = _read("Domain", value)
    return found


def address(value: object) -> str | None:
    """One IP address, in its shortest form, without a zone."""
    found = _read("Address", value)
    return None if found is None else str(found)


def port(value: object) -> int | None:
    """A TCP port."""
    found: int | None = _read("Port", value)
    return found


def text(value: object) -> str | None:
    """A text of one line, without control characters."""
    found: str | None = _read("Text", value)
    return found


def moment(value: object) -> datetime | None:
    """A time with its zone, in UTC, as an organisation file has it; from the text in which JSON carries it."""
    try:
        return _read("Moment", datetime.fromisoformat(value)) if isinstance(value, str) else None
    except (ValueError, OverflowError):  # the year 1 or 9999 has no UTC in every zone
        return None


def _read(kind: str, value: object) -> Any:
    try:
        return _form(kind).validate_python(value, strict=True)
    except (ValidationError, ValueError, OverflowError):
        return None


@cache
def _form(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(getattr(values, kind))


def inner(where: str) -> str:
    """What kind of address this is, if only the network in which we are can mean anything by it; else "".

    An IPv4 address inside an IPv6 one counts as itself: a translator on the way would send there.
    """
    found = addresses.observed(where)
    for one in (found, *_carried(found)):
        for kind, network in _ours():
            if one.version == network.version and one in network:
                return kind
    return ""


def _carried(found: addresses.Address) -> Iterator[IPv4Address]:
    if isinstance(found, IPv6Address):
        for network, places in CARRIERS.items():
            if found in addresses.network(network):
                yield from (IPv4Address(int(found) >> place & 0xFFFFFFFF) for place in places)
                if network == "2001::/32":
                    yield IPv4Address(~int(found) & 0xFFFFFFFF)


@cache
def _ours() -> list[tuple[str, addresses.Network]]:
    return [(kind, addresses.network(one)) for kind, networks in OURS.items() for one in networks]
