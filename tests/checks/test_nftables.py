"""What nft lists is judged by what it lets through, not by how nft has put it together.

`listings/mail.json` is what nft 1.1 of Debian 13 listed for the mail server of each estate in estates.py, as
cjsm_connect/remote/observe/firewall.py reports it. test_nftables_lab.py asks the nft of a lab host.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import deepcopy
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from checks import nftables, test_firewall
from checks.framework import REGISTRY
from cjsm_connect.organisation import Organisation
from cjsm_connect.organisation.addresses import network
from cjsm_connect.probes.seen import Seen
from cjsm_connect.remote.observe import firewall
from cjsm_connect.results import Status
from cjsm_connect.results.catalogue import load
from cjsm_connect.results.judge import Verdict, judge
from tests.checks.estates import ESTATES
from tests.made_up import ROOT

LISTED: dict[str, dict[str, Any]] = json.loads((Path(__file__).parent / "listings/mail.json").read_text())
CATALOGUE = load(ROOT / "checks/requirements.toml")
ONLY, OPEN, SSH = "firewall.only-declared-flows", "firewall.declared-flows-open", "firewall.ssh-from-administrators"
assert test_firewall  # registers the checks


def judged(made: Organisation, host: str, chains: dict[str, Any]) -> dict[str, str]:
    """The verdicts on rules, by check; with what was observed where it is not a pass."""
    facts = {"firewall": {"present": True, "dormant": False, "chains": chains}}
    seen = Seen(made, {"hosts": {host: {"facts": facts}}}, date(2026, 11, 21), made.host(host))
    found = {}
    for identifier in (ONLY, OPEN, SSH):
        check, function, verdict = REGISTRY[identifier].check, REGISTRY[identifier].function, Verdict()
        result = judge(check, CATALOGUE[check.requirement], host, verdict, lambda: function(seen, verdict))  # noqa: B023
        found[identifier] = "" if result.status is Status.PASS else f"{result.status}: {result.observed}{result.reason}"
    return found


@pytest.mark.parametrize("name", ESTATES)
def test_rules_as_they_were_written_are_within_the_flows_and_cover_them(name: str) -> None:
    assert judged(ESTATES[name](), "mail", LISTED[name]) == {ONLY: "", OPEN: "", SSH: ""}


def test_every_form_that_nft_joins_neighbours_to_is_among_them() -> None:
    values = {
        value
        for chains in LISTED.values()
        for chain in chains.values()
        for rule in chain["rules"]
        for key, found in rule["match"].items()
        if "addr" in key
        for value in (*found, *(f"not {one}" for one in found if key.endswith("!=")))
    }
    assert {
        "not 10.73.1.0-10.73.2.255",
        "not 10.73.2.0/23",
        "not 192.0.1.0-192.0.3.255",
        "not 10.73.255.0-10.74.0.255",
        "not 2001:db8:0:1::-2001:db8:0:2:ffff:ffff:ffff:ffff",
        "198.18.0.255-198.18.1.255",
        "192.0.2.64-192.0.2.255",
        "192.0.2.0/24",
    } <= values


def changed(name: str, old: str, new: str) -> dict[str, str]:
    """The verdicts after one address text of the listing was replaced everywhere."""
    text = json.dumps(LISTED[name])
    assert f'"{old}"' in text
    return judged(ESTATES[name](), "mail", json.loads(text.replace(f'"{old}"', f'"{new}"')))


@pytest.mark.parametrize(
    ("name", "old", "wider", "narrower"),
    [
        ("two that touch", "10.73.1.0-10.73.2.255", "10.73.1.1-10.73.2.255", "10.73.1.0-10.73.3.0"),
        ("two that touch", "10.73.1.0-10.73.2.255", "10.73.1.0-10.73.2.254", "10.73.0.255-10.73.2.255"),
        ("two that are one network", "10.73.2.0/23", "10.73.2.0/24", "10.73.0.0/22"),
        ("three that touch", "192.0.1.0-192.0.3.255", "192.0.1.0-192.0.2.255", "192.0.1.0-192.0.4.0"),
        (
            "of version 6 that touch",
            "2001:db8:0:1::-2001:db8:0:2:ffff:ffff:ffff:ffff",
            "2001:db8:0:1::1-2001:db8:0:2:ffff:ffff:ffff:ffff",
            "2001:db8:0:1::-2001:db8:0:3::",
        ),
    ],
)
def test_one_address_more_or_less_in_an_exception_is_seen(name: str, old: str, wider: str, narrower: str) -> None:
    more, less = changed(name, old, wider), changed(name, old, narrower)
    assert more[ONLY].startswith("fail") and not more[OPEN]
    assert less[OPEN].startswith("fail") and not less[ONLY]


@pytest.mark.parametrize(
    ("name", "old", "wider", "narrower"),
    [
        (
            "a host beside a network",
            "198.18.0.255-198.18.1.255",
            "198.18.0.254-198.18.1.255",
            "198.18.1.0-198.18.1.255",
        ),
        ("networks that make no network", "192.0.2.64-192.0.2.255", "192.0.2.63-192.0.2.255", "192.0.2.64-192.0.2.254"),
        ("of version 6 that touch", "2001:db8:0:1::10", "2001:db8:0:1::10-2001:db8:0:1::11", "2001:db8:0:1::11"),
    ],
)
def test_one_address_more_or_less_in_a_source_is_seen(name: str, old: str, wider: str, narrower: str) -> None:
    assert changed(name, old, wider)[ONLY].startswith("fail")
    assert changed(name, old, narrower)[OPEN].startswith("fail")


def test_who_else_may_open_ssh_is_named_by_the_rule_that_lets_them() -> None:
    found = changed("a host beside a network", "198.18.0.255-198.18.1.255", "198.18.0.254-198.18.1.255")
    assert "198.18.0.254-198.18.1.255" in found[SSH] and "tcp dport 22 " in found[SSH]


def rule(**match: Any) -> dict[str, Any]:
    found = {key.replace("_", " "): value for key, value in match.items()}
    return {"match": found, "verdict": "accept", "counter": None, "limited": False, "comment": ""}


@pytest.mark.parametrize(
    "value", ["@named", "192.0.2.9-192.0.2.1", "192.0.2.1-2001:db8::1", "192.0.2.1-", "-", "a-b", "x"]
)
def test_what_is_no_address_is_never_taken_for_a_declared_flow(value: str) -> None:
    assert nftables.opening(rule(ip_saddr=[value], tcp_dport=["993"])) is None


def test_a_rule_that_is_not_understood_opens_ssh_unless_its_ports_are_plain() -> None:
    assert nftables.may_open(rule(ip_saddr=["@named"]), 22)
    assert nftables.may_open(rule(tcp_dport=["@named"]), 22)
    assert nftables.may_open(rule(tcp_dport=["20-25"]), 22)
    assert not nftables.may_open(rule(ip_saddr=["@named"], tcp_dport=["993"]), 22)


@pytest.mark.parametrize(
    ("inner", "outer", "expected"),
    [
        (["192.0.2.0/24"], ["192.0.2.0/25", "192.0.2.128/25"], True),
        (["192.0.2.0/24"], ["192.0.2.0/25", "192.0.2.128/26"], False),
        (["192.0.2.0/25", "192.0.2.128/25"], ["192.0.2.0/24"], True),
        (["0.0.0.0/0"], ["0.0.0.0/1", "128.0.0.0/1"], True),
        (["::/0"], ["0.0.0.0/0"], False),
        ([], ["192.0.2.0/24"], True),
        (["192.0.2.1"], [], False),
    ],
)
def test_networks_are_compared_by_their_addresses(inner: list[str], outer: list[str], expected: bool) -> None:
    assert nftables.inside(map(network, inner), map(network, outer)) is expected


def added(chain: str, rule: dict[str, Any]) -> dict[str, str]:
    name = "two that touch"
    chains = deepcopy(LISTED[name])
    chains.setdefault(chain, {"hook": chain, "policy": "accept", "rules": []})["rules"].insert(0, rule)
    return judged(ESTATES[name](), "mail", chains)


def test_a_map_of_verdicts_is_no_way_around_the_check() -> None:
    expressions = [{"vmap": {"key": {"payload": {"protocol": "tcp", "field": "dport"}}, "data": "@open"}}]
    found = added("input", firewall.rule({"expr": expressions}))
    assert found[ONLY].startswith("fail: input: vmap") and found[SSH].startswith("fail")


@pytest.mark.parametrize("statement", [{"redirect": {"port": 22}}, {"dup": {"addr": "198.51.100.9"}}])
@pytest.mark.parametrize("chain", ["prerouting", "postrouting", "input"])
def test_translation_and_copies_in_our_own_table_are_named(chain: str, statement: dict[str, Any]) -> None:
    assert added(chain, firewall.rule({"expr": [statement]}))[ONLY].startswith(
        f"fail: {chain}: {next(iter(statement))}"
    )


def test_a_rule_for_answers_opens_nothing_that_was_declared() -> None:
    chains = deepcopy(LISTED["two that touch"])
    for found in chains["input"]["rules"]:
        if "tcp dport" in found["match"]:
            found["match"]["ct state"] = ["established"]
    assert judged(ESTATES["two that touch"](), "mail", chains)[OPEN].startswith("fail")


def test_a_rule_that_is_gone_is_missed() -> None:
    chains = deepcopy(LISTED["two that touch"])
    is_mail: Callable[[Any], bool] = lambda rule: "10.73.1.0-10.73.2.255" in str(rule["match"])  # noqa: E731
    for chain in chains.values():
        chain["rules"] = [rule for rule in chain["rules"] if not is_mail(rule)]
    assert judged(ESTATES["two that touch"](), "mail", chains)[OPEN].startswith("fail")
