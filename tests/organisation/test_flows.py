"""The flows are those that the organisation file implies, and no others."""

from __future__ import annotations

import re
from copy import deepcopy
from ipaddress import ip_network
from typing import Any

import pytest

from cjsm_connect.organisation import Organisation
from cjsm_connect.organisation.flows import Flow, flows, for_host, network_of
from cjsm_connect.results import CjsmError
from tests.made_up import lab_file, organisation


def named(made: Organisation) -> dict[str, Flow]:
    found = {flow.name: flow for flow in flows(made)}
    assert len(found) == len(flows(made)), "two flows have one name"
    return found


def line(flow: Flow) -> str:
    sources, destinations = " ".join(map(str, flow.sources)), " ".join(map(str, flow.destinations))
    return f"{sources} > {destinations} {flow.protocol} {' '.join(map(str, flow.ports))}"


def hosts_with(name: str, **changes: Any) -> list[dict[str, Any]]:
    hosts = deepcopy(lab_file()["hosts"])
    return [{**host, **changes} if host["name"] == name else host for host in hosts]


def test_the_lab_has_exactly_these_flows_between_hub_relay_and_mail_server() -> None:
    found = named(organisation())
    mail = {name: line(flow) for name, flow in found.items() if name.startswith(("cjsm", "inner", "internet", "ssh"))}
    assert mail == {
        "ssh-firewall": "192.0.2.100/32 > 192.0.2.1/32 tcp 22",
        "ssh-relay": "192.0.2.100/32 > 198.51.100.10/32 tcp 22",
        "ssh-mail": "192.0.2.100/32 > 192.0.2.10/32 tcp 22",
        "cjsm-out-relay": "198.51.100.10/32 > 203.0.113.20/32 tcp 4545",
        "cjsm-in-relay": "203.0.113.21/32 > 198.51.100.10/32 tcp 4545",
        "inner-mail-relay": "192.0.2.10/32 > 198.51.100.10/32 tcp 2525",
        "inner-relay-mail": "198.51.100.10/32 > 192.0.2.10/32 tcp 2525",
        "internet-mail-in-mail": "0.0.0.0/0 > 192.0.2.10/32 tcp 25",
        "internet-mail-out-mail": "192.0.2.10/32 > 0.0.0.0/0 tcp 25",
    }


def test_every_managed_host_reaches_names_time_and_packages_and_nothing_else() -> None:
    found = {name: line(flow) for name, flow in named(organisation()).items() if name.endswith("-mail")}
    services = {name: text for name, text in found.items() if not name.startswith(("ssh", "inner", "internet"))}
    assert services == {
        "dns-udp-mail": "192.0.2.10/32 > 203.0.113.30/32 udp 53",
        "dns-tcp-mail": "192.0.2.10/32 > 203.0.113.30/32 tcp 53",
        "ntp-mail": "192.0.2.10/32 > 203.0.113.30/32 udp 123",
        "packages-80-mail": "192.0.2.10/32 > 203.0.113.30/32 tcp 80",
    }


def test_only_the_relay_fetches_virus_signatures() -> None:
    assert [name for name in named(organisation()) if name.startswith("signatures")] == ["signatures-relay"]


def test_every_flow_has_a_reason_and_a_managed_host_at_an_end() -> None:
    made = organisation()
    for flow in flows(made):
        assert flow.reason
        assert flow.hosts
        assert set(flow.hosts) <= {host.name for host in made.hosts}


def test_mail_with_the_internet_needs_a_host_that_exchanges_it() -> None:
    without = organisation(hosts=hosts_with("mail", internet_mail=False))
    assert not [name for name in named(without) if name.startswith("internet")]


def test_the_internet_is_not_the_inside() -> None:
    found = named(organisation())
    inside = (ip_network("192.0.2.0/24"), ip_network("198.51.100.0/24"))
    assert found["internet-mail-in-mail"].excluding == inside
    assert found["internet-mail-out-mail"].excluding == inside


def test_each_listener_has_its_own_port() -> None:
    hub, inner = {"port": 1111, "listen_port": 2222}, {"relay_port": 3333, "mail_port": 4444}
    found = named(organisation(hub=hub, inner=inner))
    ports = {name: flow.ports for name, flow in found.items() if name.startswith(("cjsm", "inner"))}
    assert ports == {
        "cjsm-out-relay": (1111,),
        "cjsm-in-relay": (2222,),
        "inner-mail-relay": (3333,),
        "inner-relay-mail": (4444,),
    }


def test_updates_go_through_the_proxy_only_where_there_is_one() -> None:
    found = named(organisation(estate={"proxy": "http://192.0.2.80:3128"}))
    assert line(found["proxy-relay"]) == "198.51.100.10/32 > 192.0.2.80/32 tcp 3128"
    assert not [name for name in found if name.startswith(("packages", "signatures"))]


def test_a_mirror_by_https_is_reached_at_443() -> None:
    mirrors = {"packages": "https://mirror.outside.example/debian"}
    found = named(organisation(estate={"mirrors": mirrors}))
    assert found["packages-443-relay"].ports == (443,)
    assert found["packages-80-relay"].ports == (80,), "the security mirror still speaks HTTP"


def test_declared_egress_is_https_to_the_internet_and_names_its_approver() -> None:
    egress = {"to": "any:443", "approver": "Robin", "reason": "No mirror"}
    flow = named(organisation(estate={"egress": egress, "mirrors": None}))["egress-relay"]
    assert line(flow) == "198.51.100.10/32 > 0.0.0.0/0 tcp 443"
    assert "approved by Robin" in flow.reason
    assert flow.excluding


def test_logs_are_forwarded_only_to_a_declared_collector() -> None:
    assert not [name for name in named(organisation()) if name.startswith("syslog")]
    target = {"target": "192.0.2.54:6514", "ca_file": "hub/inner-ca.pem", "addresses": ["192.0.2.54"]}
    assert line(named(organisation(syslog=target))["syslog-mail"]) == "192.0.2.10/32 > 192.0.2.54/32 tcp 6514"


def test_a_declared_flow_is_among_them_with_reason_and_approver() -> None:
    declared = {"name": "imap", "source": ["192.0.2.0/24"], "host": "mail", "ports": [993]}
    made = organisation(flows=[{**declared, "reason": "Staff read mail", "approver": "Chris"}])
    flow = named(made)["declared-imap"]
    assert line(flow) == "192.0.2.0/24 > 192.0.2.10/32 tcp 993"
    assert flow.reason == "Staff read mail (approved by Chris)"
    assert flow in for_host(made, made.host("mail")).incoming


def test_two_relays_have_flows_of_their_own() -> None:
    second = {
        **lab_file()["hosts"][1],
        "name": "relay2",
        "fqdn": "relay2.council.example",
        "address": "198.51.100.11",
        "interfaces": {"dmz": "198.51.100.11"},
        "reboot_time": "05:00",
    }
    found = named(organisation(hosts=[*lab_file()["hosts"], second]))
    assert {"cjsm-in-relay", "cjsm-in-relay2", "inner-mail-relay2", "inner-relay2-mail"} <= set(found)
    assert not [flow for flow in found.values() if flow.hosts == ("relay", "relay2")]


def test_a_relay_with_a_leg_inside_meets_the_mail_server_there() -> None:
    legs = {"dmz": "198.51.100.10", "lan": "192.0.2.11"}
    found = named(organisation(hosts=hosts_with("relay", interfaces=legs)))
    assert line(found["inner-mail-relay"]) == "192.0.2.10/32 > 192.0.2.11/32 tcp 2525"
    assert line(found["cjsm-in-relay"]) == "203.0.113.21/32 > 198.51.100.10/32 tcp 4545"


def test_a_host_past_its_support_is_reached_but_gets_no_services() -> None:
    found = named(organisation(hosts=hosts_with("mail", release="bullseye")))
    assert "ssh-mail" in found
    assert "dns-udp-mail" not in found


def test_a_flow_of_both_ip_versions_becomes_two() -> None:
    estate = lab_file()["estate"]
    networks = [*estate["networks"], {"name": "dmz6", "cidr": "2001:db8:2::/64", "zone": "dmz"}]
    legs = {"dmz": "198.51.100.10", "dmz6": "2001:db8:2::10"}
    made = organisation(
        estate={"networks": networks, "dns": ["203.0.113.30", "2001:db8:3::30"]},
        hosts=hosts_with("relay", interfaces=legs),
    )
    found = named(made)
    assert line(found["dns-udp-relay"]) == "198.51.100.10/32 > 203.0.113.30/32 udp 53"
    assert line(found["dns-udp-relay-ipv6"]) == "2001:db8:2::10/128 > 2001:db8:3::30/128 udp 53"
    assert "ntp-relay-ipv6" not in found, "there is no time server with an IPv6 address"


def test_a_host_sees_what_ends_and_what_starts_there() -> None:
    made = organisation()
    seen = for_host(made, made.host("relay"))
    assert {flow.name for flow in seen.incoming} == {"ssh-relay", "cjsm-in-relay", "inner-mail-relay"}
    assert {"cjsm-out-relay", "inner-relay-mail", "dns-udp-relay", "signatures-relay"} <= {
        flow.name for flow in seen.outgoing
    }
    assert seen.forwarded == ()


def test_a_firewall_forwards_what_crosses_it_and_nothing_else() -> None:
    made = organisation()
    seen = for_host(made, made.host("firewall"))
    forwarded = {flow.name for flow in seen.forwarded}
    assert {"ssh-relay", "cjsm-in-relay", "cjsm-out-relay", "inner-mail-relay", "inner-relay-mail"} <= forwarded
    assert "ssh-mail" not in forwarded, "administrators and mail server share the LAN"
    assert not forwarded & {flow.name for flow in (*seen.incoming, *seen.outgoing)}


def test_a_firewall_forwards_only_the_part_that_crosses() -> None:
    made = organisation(estate={"administered_from": ["192.0.2.100", "198.51.100.99"]})
    forwarded = {flow.name: line(flow) for flow in for_host(made, made.host("firewall")).forwarded}
    assert forwarded["ssh-relay"] == "192.0.2.100/32 > 198.51.100.10/32 tcp 22"
    assert forwarded["ssh-mail"] == "198.51.100.99/32 > 192.0.2.10/32 tcp 22"


def test_a_firewall_without_a_leg_there_forwards_nothing_from_there() -> None:
    legs = {"lan": "192.0.2.1", "wan": "203.0.113.1"}
    made = organisation(hosts=hosts_with("firewall", interfaces=legs))
    forwarded = {flow.name for flow in for_host(made, made.host("firewall")).forwarded}
    assert "internet-mail-in-mail" in forwarded
    assert not {"cjsm-in-relay", "inner-mail-relay"} & forwarded


def test_an_address_outside_the_estate_is_outside() -> None:
    made = organisation()
    assert network_of(made, ip_network("192.0.2.10")) == "lan"
    assert network_of(made, ip_network("0.0.0.0/0")) == "outside"
    assert network_of(made, ip_network("2001:db8::1")) == "outside"


def declared(**changes: Any) -> dict[str, Any]:
    flow = {"name": "smarthost", "host": "mail", "ports": [587], "reason": "mail leaves by it", "approver": "Chris"}
    return flow | changes


def test_a_declared_flow_goes_out_to_where_it_says() -> None:
    made = organisation(flows=[declared(direction="out", destination=["203.0.113.99"])])
    flow = named(made)["declared-smarthost"]
    assert line(flow) == "192.0.2.10/32 > 203.0.113.99/32 tcp 587"
    assert flow in for_host(made, made.host("mail")).outgoing
    assert [one.name for one in for_host(made, made.host("firewall")).forwarded if "declared" in one.name]


def test_a_declared_flow_goes_through_a_firewall_between_machines_that_are_none_of_ours() -> None:
    ends = {"source": ["192.0.2.0/24"], "destination": ["0.0.0.0/0"]}
    made = organisation(flows=[declared(direction="through", host="firewall", ports=[443], **ends)])
    (flow,) = [one for one in for_host(made, made.host("firewall")).forwarded if one.name == "declared-smarthost"]
    assert line(flow) == "192.0.2.0/24 > 0.0.0.0/0 tcp 443"
    assert not [one for one in for_host(made, made.host("mail")).outgoing if one.name == "declared-smarthost"]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, "source = [...]"),
        ({"direction": "out", "source": ["192.0.2.0/24"]}, "destination = [...]"),
        ({"direction": "in", "source": ["192.0.2.0/24"], "destination": ["192.0.2.0/24"]}, "no other end"),
        ({"direction": "through", "source": ["192.0.2.0/24"]}, "source = [...] and destination = [...]"),
        (
            {"direction": "through", "source": ["192.0.2.0/24"], "destination": ["198.51.100.7"]},
            "a firewall that it goes through: firewall",
        ),
        ({"direction": "up", "source": ["192.0.2.0/24"]}, "direction"),
        ({"direction": "out", "destination": [], "reason": ""}, "reason"),
    ],
)
def test_a_declared_flow_names_the_ends_of_its_direction(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(CjsmError, match=re.escape(said)):
        organisation(flows=[declared(**changes)])
