"""How mail goes between hub, relay and mail servers: addresses, next hops, names. Pure; deploys and checks read it.

A next hop is written as Postfix wants it: `[host]:port`, the brackets meaning "no MX lookup" (transport(5)). The same
text, verbatim, is the key of the TLS policy (postconf(5), smtp_tls_policy_maps).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address
from pathlib import Path

from .hosts import Host
from .model import Organisation

CJSM_DOMAINS = ("cjsm.net", ".cjsm.net")
"""The domain itself and everything below it: a transport table needs both forms (transport(5))."""

NOTICE_SENDER = "noreply@system.cjsm.net"
"""Who tells members of maintenance and re-certification, and applicants how to go on: by ordinary internet mail
(CJSM, "All system notifications"; Application 2009, step 2). As of November 2026."""

SELF_TEST_RECIPIENT = "discard@selftest.invalid"
"""Accepted by our own listeners, scanned like any mail, then thrown away: tests never reach the hub (RFC 6761)."""

Address = IPv4Address | IPv6Address


def text_of(organisation: Organisation, path: Path) -> str:
    """The text of a file that the organisation file refers to."""
    return organisation.files[path.relative_to(organisation.folder).as_posix()]


def address_for(host: Host, other: Host) -> Address:
    """The address of `host` that `other` reaches: in the network they share, else where the host is administered."""
    shared = [address for network, address in host.interfaces.items() if network in other.interfaces]
    return shared[0] if shared else host.address


def hub_side_address(organisation: Organisation, relay: Host) -> Address:
    """The relay's address towards the hub: its outermost interface. The hub sees us coming from there too."""
    zones = {network.name: network.zone for network in organisation.estate.networks}
    for zone in ("wan", "dmz"):
        for network, address in relay.interfaces.items():
            if zones.get(network) == zone:
                return address
    return relay.address


def inner_addresses(organisation: Organisation, host: Host) -> tuple[Address, ...]:
    """Where a relay listens for the mail servers, or a mail server for the relays."""
    others = organisation.mail_servers if host.role == "relay" else organisation.relays
    return tuple(dict.fromkeys(address_for(host, other) for other in others))


def bracketed(address: Address) -> str:
    """An address before a port, as master(5) writes it."""
    return f"[{address}]" if address.version == 6 else str(address)


def next_hop(host: Address | str, port: int) -> str:
    """`[host]:port`; an IPv6 address says so inside the brackets (postconf(5), relayhost)."""
    return f"[IPv6:{host}]:{port}" if isinstance(host, IPv6Address) else f"[{host}]:{port}"


def hub_next_hop(organisation: Organisation) -> str:
    """Where mail for CJSM goes."""
    return next_hop(organisation.hub.host, organisation.hub.port)


def inner_next_hop(organisation: Organisation, host: Host, sender: Host) -> str:
    """Where `sender` hands mail to `host` on the inner hop."""
    port = organisation.inner.relay_port if host.role == "relay" else organisation.inner.mail_port
    return next_hop(address_for(host, sender), port)


def inner_next_hops(organisation: Organisation, sender: Host) -> dict[str, Host]:
    """Every next hop of the inner hop as `sender` writes it, with the host behind it."""
    receivers = organisation.mail_servers if sender.role == "relay" else organisation.relays
    return {inner_next_hop(organisation, host, sender): host for host in receivers}


def hub_is_open(organisation: Organisation, relay: Host) -> bool:
    """Whether the operator has answered: this relay's certificate is back, and the hub's fingerprints are known."""
    return organisation.certificate(relay.name, "hub") is not None and bool(organisation.hub.fingerprints)


def inner_is_open(organisation: Organisation, host: Host) -> bool:
    """Whether this host can prove itself on the inner hop."""
    return organisation.certificate(host.name, "inner") is not None


def relayed_domains(organisation: Organisation) -> tuple[str, ...]:
    """The domains for which the hub may hand mail to the relay: the one list that every map is made from."""
    suffixed = tuple(f"{name}.cjsm.net" for name in organisation.domains.names)
    return organisation.domains.names + (suffixed if organisation.domains.accept_suffixed else ())
