"""What is in use and would be closed by new firewall rules is named, and nothing else is."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tomllib
from pathlib import Path
from typing import Any

import pytest

from cjsm_connect.desired import Firewall
from cjsm_connect.desired.change import Change
from cjsm_connect.desired.closing import NOTHING, closing, digest, kept_by, traffic_of, unseen
from cjsm_connect.desired.packetfilter import Opening, passes
from cjsm_connect.desired.snapshot import sha256
from cjsm_connect.organisation import Organisation
from cjsm_connect.organisation.addresses import network
from cjsm_connect.organisation.flows import for_host
from deploys.firewall import ruleset
from tests.made_up import lab_file, organisation

LAN, DMZ, OUTSIDE = network("192.0.2.0/24"), network("198.51.100.0/24"), network("203.0.113.77")


def listener(port: int, address: str = "0.0.0.0", protocol: str = "tcp", program: str = "dovecot") -> dict[str, Any]:
    return {"protocol": protocol, "address": address, "port": port, "program": program}


def end(host: str, port: int, *addresses: str, protocol: str = "tcp") -> dict[str, Any]:
    return {"host": host, "port": port, "protocol": protocol, "why": "said so", "addresses": list(addresses)}


def found(made: Organisation | None = None, host: str = "mail", **traffic: Any) -> list[str]:
    where = made or organisation()
    seen = closing(where, where.host(host), {**NOTHING, **traffic})
    return [one.key.partition(" ")[2] for one in seen]


def flow(**changes: Any) -> dict[str, Any]:
    return {"name": "kept", "host": "mail", "reason": "needed", "approver": "Chris", **changes}


def test_a_port_that_is_served_to_the_estate_is_named_with_its_networks() -> None:
    assert found(listeners=[listener(143), listener(143, "::")]) == ["in tcp 143 dmz, lan"]


@pytest.mark.parametrize("one", [listener(22), listener(2525), listener(993, "2001:db8::1"), listener(993, "junk")])
def test_what_new_rules_let_in_for_somebody_or_no_network_can_reach_is_not_named(one: dict[str, Any]) -> None:
    assert found(listeners=[one]) == []


def test_mail_from_the_internet_only_closes_port_25_for_the_estate() -> None:
    """A printer that hands in mail without a password."""
    assert found(listeners=[listener(25, program="master")]) == ["in tcp 25 dmz, lan"]
    assert found(incoming=[["tcp", "203.0.113.77", 25]]) == []


def test_a_declared_flow_keeps_a_port_for_who_is_named_and_others_are_seen_by_their_connections() -> None:
    made = organisation(flows=[flow(source=["192.0.2.0/24"], ports=[143])])
    listeners = [listener(143)]
    assert found(made, listeners=listeners) == []
    assert found(made, listeners=listeners, incoming=[["tcp", "198.51.100.40", 143]]) == ["in tcp 143 dmz"]
    both = [["tcp", "203.0.113.77", 143], ["tcp", "203.0.113.78", 143]]
    assert found(made, listeners=listeners, incoming=both) == ["in tcp 143 wan"]


@pytest.mark.parametrize(
    ("one", "expected"),
    [
        (end("smarthost.example", 587, "203.0.113.99"), ["out tcp 587 smarthost.example"]),
        (end("smarthost.example", 25, "203.0.113.99"), []),  # the mail server sends to the whole internet
        (end("smarthost.example", 587), ["out tcp 587 smarthost.example"]),
        (end("*", 25), []),
        (end("192.0.2.53", 53, "192.0.2.53", protocol="udp"), ["out udp 53 192.0.2.53"]),
        (end("203.0.113.30", 53, "203.0.113.30", protocol="udp"), []),  # estate.dns
        (end("mail.council.example", 10025, "192.0.2.10"), []),  # itself
        (end("two.example", 80, "203.0.113.30", "203.0.113.31"), ["out tcp 80 two.example"]),  # one of them closes
    ],
)
def test_another_end_that_the_configuration_names_must_stay_reachable(one: dict[str, Any], expected: list[str]) -> None:
    assert found(named=[one]) == expected


def test_a_mail_server_that_sends_by_mx_and_may_no_longer_is_told_what_to_set() -> None:
    hosts = [host | ({"internet_mail": False} if host["name"] == "mail" else {}) for host in lab_file()["hosts"]]
    made = organisation(hosts=hosts)
    assert found(made, named=[end("*", 25)]) == ["out tcp 25 outside"]
    (text,) = kept_by(closing(made, made.host("mail"), {**NOTHING, "named": [end("*", 25)]}))
    assert "internet_mail = true" in text


def test_an_open_connection_from_here_is_named_once() -> None:
    smarthost = end("smarthost.example", 587, "203.0.113.99")
    outgoing = [["tcp", "203.0.113.99", 587], ["tcp", "203.0.113.98", 5432], ["tcp", "198.51.100.10", 2525]]
    assert found(named=[smarthost], outgoing=outgoing) == ["out tcp 587 smarthost.example", "out tcp 5432 203.0.113.98"]


def test_connections_through_a_firewall_are_named_by_their_networks() -> None:
    passing = [["tcp", "192.0.2.50", "203.0.113.80", 443], ["tcp", "192.0.2.51", "203.0.113.81", 443]]
    inner = ["tcp", "192.0.2.10", "198.51.100.10", 2525]
    assert found(host="firewall", forwarded=[*passing, inner]) == ["through tcp 443 lan to wan"]
    made = organisation(
        flows=[
            flow(direction="through", host="firewall", source=["192.0.2.0/24"], destination=["0.0.0.0/0"], ports=[443])
        ]
    )
    assert found(made, host="firewall", forwarded=passing) == []


def test_a_firewall_on_which_nothing_is_tracked_says_that_it_cannot_be_seen() -> None:
    firewall, mail = (organisation().host(name) for name in ("firewall", "mail"))
    unknown = {**NOTHING, "forwards": True, "forwarded": None}
    assert 'direction = "through"' in unseen(firewall, unknown)[0]
    assert unseen(firewall, unknown | {"forwarded": []}) == unseen(mail, unknown) == ()


def test_a_protocol_without_ports_is_seen_and_cannot_be_declared() -> None:
    where = organisation()
    seen = closing(where, where.host("firewall"), {**NOTHING, "listeners": [listener(112, protocol="ip")]})
    assert [one.key for one in seen] == ["firewall in ip 112 dmz, lan"]
    assert "cannot be declared" in next(kept_by(seen))


@pytest.mark.parametrize(("host", "port"), [("mail", 22), ("mail", 2525), ("relay", 4545), ("relay", 2525)])
def test_ports_with_rules_of_their_own_are_not_kept_by_a_flow_that_would_be_refused(host: str, port: int) -> None:
    where = organisation()
    seen = closing(where, where.host(host), {**NOTHING, "incoming": [["tcp", "192.0.2.77", port]]})
    (text,) = kept_by(seen)
    assert text.startswith("#") and "administered_from" in text


@pytest.mark.parametrize("text", ["fe80::1", "not an address", "ff02::1", "0.0.0.0", "192.0.2.1\n", ""])
def test_what_is_no_address_that_a_rule_can_name_is_left_out(text: str) -> None:
    assert found(incoming=[["tcp", text, 143]], outgoing=[["tcp", text, 143]]) == []


def test_what_a_host_calls_a_program_cannot_steer_a_terminal() -> None:
    where = organisation()
    (one,) = closing(where, where.host("mail"), {**NOTHING, "listeners": [listener(143, program="\x1b[2J\u202ex")]})
    assert one.text.isascii() and one.text.isprintable()


def test_the_digest_is_of_the_list_and_of_nothing_else() -> None:
    where = organisation()

    def told(**traffic: Any) -> str:
        return digest(closing(where, where.host("mail"), {**NOTHING, **traffic}))

    one = told(listeners=[listener(143)])
    assert one == told(listeners=[listener(143, program="another"), listener(143, "::")])
    assert one != told(listeners=[listener(143), listener(993)])
    assert told() == ""


TRAFFIC = {
    "listeners": [listener(143), listener(993), listener(161, protocol="udp", program="snmpd")],
    "incoming": [["tcp", "203.0.113.77", 993]],
    "named": [end("smarthost.example", 587, "203.0.113.99")],
    "outgoing": [["tcp", "203.0.113.98", 5432]],
}


def test_the_printed_lines_with_a_reason_keep_all_of_it_and_without_one_are_refused() -> None:
    where = organisation()
    seen = closing(where, where.host("mail"), {**NOTHING, **TRAFFIC})
    text = "\n".join(kept_by(seen))
    assert "ports = [143, 993]" in text, "ports of the same ends come together"
    filled = text.replace('reason = ""', 'reason = "needed"').replace('approver = ""', 'approver = "Chris"')
    kept = organisation(flows=tomllib.loads(filled)["flows"])
    assert found(kept, **TRAFFIC) == []
    with pytest.raises(Exception, match="reason"):
        organisation(flows=tomllib.loads(text)["flows"])


def test_lines_of_a_later_plan_stand_beside_those_of_an_earlier_one() -> None:
    where = organisation()

    def printed(port: int) -> str:
        text = "\n".join(kept_by(closing(where, where.host("mail"), {**NOTHING, "listeners": [listener(port)]})))
        return text.replace('reason = ""', 'reason = "needed"').replace('approver = ""', 'approver = "Chris"')

    kept = organisation(flows=tomllib.loads(f"{printed(143)}\n{printed(993)}")["flows"])
    assert found(kept, listeners=[listener(143), listener(993)]) == []


needs_nft = pytest.mark.skipif(not shutil.which("nft") or os.geteuid() != 0, reason="needs nft and root")


RECORDED = Path(__file__).with_name("nft-listings.json")


def recorded(rules: str) -> list[Any]:
    """As nft 1.1 listed them once: most machines that run these tests have no nft."""
    nftables: list[Any] = json.loads(RECORDED.read_text())[rules]
    return nftables


@needs_nft
def test_what_was_recorded_is_what_nft_lists() -> None:
    for rules, nftables in json.loads(RECORDED.read_text()).items():
        assert [one for one in listed(rules) if "metainfo" not in one] == nftables


def listed(rules: str) -> list[Any]:
    """Rules as nft lists them, loaded in a network namespace that ends with the command."""
    argv = ["unshare", "-n", "sh", "-c", "nft -f - && nft -j list ruleset"]
    done = subprocess.run(argv, input=rules, capture_output=True, text=True, check=True)
    nftables: list[Any] = json.loads(done.stdout)["nftables"]
    return nftables


@needs_nft
def test_what_our_own_rules_of_today_close_is_no_loss() -> None:
    where = organisation(flows=[flow(source=["192.0.2.0/24"], ports=[143])])
    rules = listed(ruleset(where.host("mail"), for_host(where, where.host("mail"))))
    open_today = {
        (port, far): passes(rules, Opening("input", "tcp", port, far))
        for port in (22, 25, 143, 993)
        for far in (LAN, OUTSIDE)
    }
    assert open_today == {
        (22, LAN): True, (22, OUTSIDE): False, (25, LAN): False, (25, OUTSIDE): True,
        (143, LAN): True, (143, OUTSIDE): False, (993, LAN): False, (993, OUTSIDE): False,
    }  # fmt: skip
    assert passes(rules, Opening("output", "tcp", 25, OUTSIDE))
    assert not passes(rules, Opening("output", "tcp", 587, OUTSIDE))
    assert not passes(rules, Opening("output", "udp", 25, OUTSIDE))
    # once it is declared no longer, it closes; what was closed before is not named
    assert found(listeners=[listener(143), listener(993)], rules=rules) == ["in tcp 143 lan"]


ADMINISTRATORS = """
table inet filter {
    set users { type ipv4_addr; flags interval; elements = { 192.0.2.0/25 } }
    chain more {
        udp dport 161 accept
    }
    chain input {
        type filter hook input priority filter; policy drop;
        ct state vmap { established : accept, related : accept, invalid : drop }
        iifname "lo" accept
        icmp type echo-request accept
        tcp dport { 22, 993 } accept
        ip saddr @users tcp dport 100-200 accept
        tcp sport 53 accept
        jump more
    }
}
"""


@pytest.mark.parametrize(
    ("protocol", "port", "far", "expected"),
    [
        ("tcp", 993, OUTSIDE, True), ("tcp", 143, LAN, True), ("tcp", 143, OUTSIDE, False), ("tcp", 25, LAN, False),
        ("udp", 161, DMZ, True), ("tcp", 161, DMZ, False), ("udp", 993, LAN, False),
    ],
)  # fmt: skip
def test_an_administrators_own_rules_are_read(protocol: str, port: int, far: Any, expected: bool) -> None:
    assert passes(recorded(ADMINISTRATORS), Opening("input", protocol, port, far)) is expected


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("tcp dport 143 drop", False),
        ("tcp dport 143 accept; tcp dport 143 drop", True),
        ("ip saddr 192.0.2.5 tcp dport 143 drop", True),
        ("tcp dport { 100-200 } counter reject", False),
        ("tcp dport 993 accept; drop", False),
        ("tcp dport 143 accept; counter drop", True),
        ("limit rate 5/second accept; drop", True),
        ("ip saddr 192.0.2.0/24 return; tcp dport 143 drop", True),
        ("ip saddr 192.0.2.0/24 return; drop", True),
        ("tcp dport 993 return; drop", False),
        ("ip saddr vmap { 192.0.2.5 : accept }; tcp dport 143 drop", True),
        ("ct state vmap { established : accept, invalid : drop }; tcp dport 143 drop", False),
        ("counter", True),
        ("tcp dport 143 limit rate over 20/second drop", True),
        ("limit rate over 2000/second drop", True),
        ("tcp sport 1024-65535 tcp dport 143 accept; drop", True),
        ("tcp sport != 0-1023 tcp dport 143 accept; drop", True),
        ("tcp sport 143 accept; drop", False),
    ],
)
def test_only_what_surely_drops_it_closes_a_port(rules: str, expected: bool) -> None:
    table = f"table ip old {{ chain in {{ type filter hook input priority 0; {rules}; }}; }}"
    assert passes(recorded(table), Opening("input", "tcp", 143, LAN)) is expected
    assert passes(recorded(table), Opening("input", "tcp", 143, network("2001:db8::/64"))), "of IPv4 only"


def test_the_rules_that_were_agreed_to_come_back_without_a_question() -> None:
    """Somebody has flushed the packet filter; everything is open, and looks as if it were in use."""
    wall = Firewall("inet cjsm", "/etc/nftables.d/cjsm.nft", "rules")
    used = {**NOTHING, "listeners": [listener(143)]}
    state = {"live_is_boot": False, "enabled": True, "traffic": used}
    confirmed = {"firewalls": {wall.table: {"boot": sha256(wall.ruleset), **state}}}
    others = {"firewalls": {wall.table: {"boot": sha256("other rules"), **state}}}
    assert traffic_of(Change(firewalls=(wall,)), confirmed) == NOTHING
    assert traffic_of(Change(firewalls=(wall,)), others) == used
    assert traffic_of(Change(), others) == NOTHING


def test_rules_that_cannot_be_told_close_nothing() -> None:
    assert passes(None, Opening("input", "tcp", 143, LAN))
