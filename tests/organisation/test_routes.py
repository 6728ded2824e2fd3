"""Where mail goes: addresses that hosts meet at, next hops as Postfix writes them, and what is open yet."""

from __future__ import annotations

from ipaddress import ip_address

from cjsm_connect.organisation.routes import (
    address_for,
    bracketed,
    hub_is_open,
    hub_next_hop,
    hub_side_address,
    inner_next_hops,
    next_hop,
    relayed_domains,
)
from tests.made_up import authority, lab_file, organisation

CLOSED = organisation()


def with_two_legs() -> list[dict[str, object]]:
    """The lab's hosts, the relay with a leg in the LAN too."""
    legs = {"dmz": "198.51.100.10", "lan": "192.0.2.77"}
    return [host | ({"interfaces": legs} if host["name"] == "relay" else {}) for host in lab_file()["hosts"]]


def test_the_hub_is_reached_without_looking_up_mx() -> None:
    assert hub_next_hop(CLOSED) == "[hub.cjsm.example]:4545"


def test_an_ipv6_next_hop_says_so() -> None:
    assert next_hop(ip_address("2001:db8::25"), 2525) == "[IPv6:2001:db8::25]:2525"
    assert bracketed(ip_address("2001:db8::25")) == "[2001:db8::25]"
    assert bracketed(ip_address("192.0.2.10")) == "192.0.2.10"


def test_hosts_that_share_a_network_meet_there() -> None:
    where = organisation(hosts=with_two_legs())
    relay, mail = where.host("relay"), where.host("mail")
    assert str(address_for(relay, mail)) == "192.0.2.77"
    assert list(inner_next_hops(where, mail)) == ["[192.0.2.77]:2525"]
    assert str(hub_side_address(where, relay)) == "198.51.100.10"


def test_hosts_that_share_none_meet_at_the_address_they_are_known_by() -> None:
    relay, mail = CLOSED.host("relay"), CLOSED.host("mail")
    assert str(address_for(relay, mail)) == "198.51.100.10"


def test_the_way_to_the_hub_opens_with_certificate_and_fingerprint() -> None:
    answered = {"files": {**CLOSED.files, "certificates/relay.pem": authority()}}
    relay = CLOSED.host("relay")
    assert not hub_is_open(CLOSED, relay)
    assert hub_is_open(CLOSED.model_copy(update=answered), relay)
    nameless = CLOSED.hub.model_copy(update={"fingerprints": ()})
    assert not hub_is_open(CLOSED.model_copy(update={**answered, "hub": nameless}), relay)


def test_suffixed_domains_are_relayed_only_where_agreed() -> None:
    assert relayed_domains(CLOSED) == ("council.example", "licensing.council.example")
    agreed = relayed_domains(organisation(domains={"accept_suffixed": True}))
    assert agreed[2:] == ("council.example.cjsm.net", "licensing.council.example.cjsm.net")
