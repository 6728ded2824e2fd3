"""nft's JSON as seen from nft 1.0 (Debian 12) and 1.1 (Debian 13) becomes the same plain rules."""

import json
from typing import Any

import pytest

from cjsm_connect.remote import common
from cjsm_connect.remote.observe import firewall


def payload(protocol: str, field: str) -> dict[str, Any]:
    return {"payload": {"protocol": protocol, "field": field}}


def match(left: Any, right: Any, op: str = "==") -> dict[str, Any]:
    return {"match": {"op": op, "left": left, "right": right}}


@pytest.mark.parametrize(
    ("right", "words"),
    [
        ("192.0.2.1", ["192.0.2.1"]),
        (22, ["22"]),
        ({"prefix": {"addr": "192.0.2.0", "len": 24}}, ["192.0.2.0/24"]),
        ({"range": [1024, 65535]}, ["1024-65535"]),
        ({"set": [25, {"range": [80, 90]}]}, ["25", "80-90"]),
        (["established", "related"], ["established", "related"]),
        ("@trusted", ["@trusted"]),
    ],
)
def test_what_is_compared_is_a_list_of_words(right: Any, words: list[str]) -> None:
    assert firewall.right(right) == words


@pytest.mark.parametrize("mask", [["fin", "syn", "rst", "ack"], {"|": ["fin", {"|": ["syn", {"|": ["rst", "ack"]}]}]}])
def test_tcp_flags_read_alike_however_nft_nests_them(mask: Any) -> None:
    assert firewall.left({"&": [payload("tcp", "flags"), mask]}) == "tcp flags & ack,fin,rst,syn"


def test_a_rule_says_what_it_matches_and_does() -> None:
    expressions = [
        match(payload("ip", "saddr"), "192.0.2.9", "!="),
        match(payload("tcp", "dport"), 22),
        {"counter": "flow_x"},
        {"accept": None},
    ]
    found = firewall.rule({"expr": expressions, "comment": "why"})
    assert found["match"] == {"ip saddr !=": ["192.0.2.9"], "tcp dport": ["22"]}
    assert (found["verdict"], found["counter"], found["comment"]) == ("accept", "flow_x", "why")


def test_a_statement_we_do_not_know_stays_visible_in_the_match() -> None:
    found = firewall.rule({"expr": [{"xt": {"type": "match", "name": "owner"}}, {"accept": None}]})
    assert list(found["match"]) == ["xt"]


@pytest.mark.parametrize(
    "statement",
    [
        {"vmap": {"key": payload("tcp", "dport"), "data": {"set": [[4444, {"accept": None}]]}}},
        {"dnat": {"addr": "192.0.2.9", "port": 25}},
        {"redirect": {"port": 22}},
        {"dup": {"addr": "198.51.100.9"}},
        {"tproxy": {"port": 8080}},
        {"masquerade": None},
    ],
)
def test_what_lets_through_or_leads_elsewhere_without_a_verdict_is_one(statement: dict[str, Any]) -> None:
    assert firewall.rule({"expr": [{"counter": None}, statement]})["verdict"] == next(iter(statement))


def test_a_jump_names_its_target() -> None:
    assert firewall.rule({"expr": [{"jump": {"target": "others"}}]})["verdict"] == "jump others"


def test_what_a_rule_of_others_does_is_told_and_looking_counting_and_logging_is_nothing() -> None:
    watching = {"expr": [match(payload("tcp", "dport"), 22), {"counter": {}}, {"log": {}}, {"limit": {}}]}
    assert firewall.acts([watching]) == []
    assert firewall.acts([watching, {"expr": [{"accept": None}]}, {"expr": [{"jump": {"target": "x"}}]}]) == [
        "accept",
        "jump",
    ]


def test_tables_of_others_are_shown_with_their_hooks(monkeypatch: pytest.MonkeyPatch) -> None:
    ruleset = [
        {"table": {"family": "inet", "name": "cjsm", "flags": "dormant"}},
        {"table": {"family": "ip", "name": "nat"}},
        {
            "chain": {
                "family": "ip",
                "table": "nat",
                "name": "in",
                "type": "nat",
                "hook": "prerouting",
                "policy": "accept",
            }
        },
        {"rule": {"family": "ip", "table": "nat", "chain": "in", "expr": []}},
    ]
    units = "Id=nftables.service\nUnitFileState=disabled\n\nId=ulogd2.service\nActiveState=failed\n"

    def attempt(argv: list[str], _text: str = "", _seconds: float = 30) -> tuple[int, str, str]:
        return 0, units if argv[0] == "systemctl" else json.dumps({"nftables": ruleset}), ""

    monkeypatch.setattr(common, "attempt", attempt)
    found = firewall.observe({"table": "inet cjsm", "boot_path": "/nowhere", "log_file": "/nowhere", "units": []})
    assert found["dormant"] is True
    assert found["foreign"] == {
        "ip nat": [{"name": "in", "type": "nat", "hook": "prerouting", "policy": "accept", "rules": 1, "acts": []}]
    }
    assert found["log"]["exists"] is False
    assert (found["boot"]["enabled"], found["log"]["recorder"]) == (False, "failed")
