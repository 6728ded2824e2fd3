"""What the firewall of this host does now, and at the next boot. Reads only; standard library of Python 3.9.

nft's JSON (libnftables-json(5)) is turned into rules that a check can judge by what they let through:
{"match": {"ip saddr": ["192.0.2.0/24"], "tcp dport": ["22"]}, "verdict": "accept", "counter": ..., "comment": ...}.
"""

from __future__ import annotations

import json
import os
from typing import Any

from cjsm_connect.remote import common, firewall
from cjsm_connect.remote.observe import system

SYSCTLS = (
    "net/ipv4/ip_forward",
    "net/ipv6/conf/all/forwarding",
    "net/ipv4/conf/all/accept_source_route",
    "net/ipv4/conf/all/accept_redirects",
    "net/ipv6/conf/all/accept_redirects",
)
RULESET = ["env", "TZ=UTC0", firewall.NFT, "-j", "list", "ruleset"]  # else times are written as local ones
WATCHING = {"match", "counter", "log", "limit"}
RECORDER = "ulogd2.service"  # writes dropped packets down
VERDICTS = ("accept", "drop", "reject", "return", "queue", "continue")
STEERING = ("vmap", "dnat", "snat", "redirect", "masquerade", "tproxy", "fwd", "dup", "synproxy", "notrack", "flow")
"""Statements that let through, send elsewhere or copy without a verdict of their own: they count as one (nft(8))."""


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments: table ("inet cjsm"), boot_path, log_file, and the `units` that system.py asks about."""
    ruleset = json.loads(common.run(RULESET) or '{"nftables": []}')["nftables"]
    table = arguments["table"]
    units = system.named_units(arguments["units"])
    boot = firewall.state(arguments, units[firewall.SERVICE]["UnitFileState"])
    return {
        "present": any(name_of(item["table"]) == table for item in ruleset if "table" in item),
        "dormant": any("dormant" in flags(item["table"]) for item in of(table, "table", ruleset)),
        "chains": chains(table, ruleset),
        "counters": {item["counter"]["name"]: item["counter"]["packets"] for item in of(table, "counter", ruleset)},
        "foreign": foreign(table, ruleset),
        "boot": {"file": bool(boot["boot"]), "live_is_boot": boot["live_is_boot"], "enabled": boot["enabled"]},
        "unconfirmed": firewall.armed(),
        "listing": firewall.live(table),
        "sysctls": {name.replace("/", "."): common.read("/proc/sys/" + name).strip() for name in SYSCTLS},
        "log": {**log(arguments["log_file"]), "recorder": units[RECORDER]["ActiveState"]},
    }


def name_of(table: dict[str, Any]) -> str:
    """A table as nft writes it: family and name."""
    return "%s %s" % (table["family"], table["name"])


def flags(table: dict[str, Any]) -> list[str]:
    """Flags of a table; nft writes one as a plain word."""
    found = table.get("flags", [])
    return [found] if isinstance(found, str) else list(found)


def of(table: str, kind: str, ruleset: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The objects of one kind that belong to a table."""
    key = "name" if kind == "table" else "table"
    mine = (item for item in ruleset if kind in item)
    return [item for item in mine if "%s %s" % (item[kind]["family"], item[kind][key]) == table]


def chains(table: str, ruleset: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """The chains of a table with their rules in order; hook and policy are None for one that is only jumped to."""
    found: dict[str, dict[str, Any]] = {}
    for item in of(table, "chain", ruleset):
        chain = item["chain"]
        found[chain["name"]] = {"hook": chain.get("hook"), "policy": chain.get("policy"), "rules": []}
    for item in of(table, "rule", ruleset):
        found[item["rule"]["chain"]]["rules"].append(rule(item["rule"]))
    return found


def rule(raw: dict[str, Any]) -> dict[str, Any]:
    """One rule: what it matches, what it does."""
    found: dict[str, Any] = {"match": {}, "verdict": None, "counter": None, "limited": False, "log_group": None}
    found["comment"] = raw.get("comment", "")
    for expression in raw.get("expr", []):
        ((kind, value),) = expression.items()
        if kind == "match":
            sense = "" if value["op"] in ("==", "in") else " " + value["op"]
            found["match"][left(value["left"]) + sense] = right(value["right"])
        elif kind == "limit":
            found["limited"] = True
        elif kind == "log":
            found["log_group"] = (value or {}).get("group")
        elif kind == "counter":
            found["counter"] = value if isinstance(value, str) else None
        elif kind in ("jump", "goto"):
            found["verdict"] = "%s %s" % (kind, value["target"])
        elif kind in VERDICTS:
            found["verdict"] = kind
        else:
            found["match"][kind] = [json.dumps(value)]
            found["verdict"] = kind if kind in STEERING else found["verdict"]
    return found


def left(value: dict[str, Any]) -> str:
    """What is looked at, as nft writes it: "ip saddr", "tcp dport", "ct state", "iif"."""
    ((kind, inner),) = value.items()
    if kind == "payload" and "field" in inner:
        return "%s %s" % (inner["protocol"], inner["field"])
    if kind == "meta":
        return str(inner["key"])
    if kind == "ct":
        return "ct " + str(inner["key"])
    if kind == "fib":
        return "fib %s %s" % (" . ".join(inner["flags"]), inner["result"])
    if kind == "&":
        return "%s & %s" % (left(inner[0]), ",".join(sorted(words(inner[1:]))))
    return json.dumps(value)


def words(value: Any) -> list[str]:
    """The plain words in a bit mask, however deep this version of nft nests them."""
    if isinstance(value, dict):
        value = [inner for nested in value.values() for inner in nested]
    return [word for item in value for word in words(item)] if isinstance(value, list) else [str(value)]


def right(value: Any) -> list[str]:
    """What it is compared with, as a list of words."""
    if isinstance(value, dict) and "set" in value:
        value = value["set"]
    if isinstance(value, list):
        return [word for item in value for word in right(item)]
    if isinstance(value, dict) and "prefix" in value:
        return ["%s/%s" % (value["prefix"]["addr"], value["prefix"]["len"])]
    if isinstance(value, dict) and "range" in value:
        return ["%s-%s" % tuple(value["range"])]
    if isinstance(value, dict) and "|" in value:
        return words(value)
    return [json.dumps(value) if isinstance(value, dict) else str(value)]


def foreign(table: str, ruleset: list[dict[str, Any]]) -> dict[str, list[dict[str, Any]]]:
    """Tables of others with their base chains: they are kept, and shown."""
    names = [name_of(item["table"]) for item in ruleset if "table" in item]
    found: dict[str, list[dict[str, Any]]] = {name: [] for name in names if name != table}
    for name, bases in found.items():
        for item in of(name, "chain", ruleset):
            chain = item["chain"]
            if "hook" in chain:
                shown = {key: chain.get(key) for key in ("name", "type", "hook", "policy")}
                rules = rules_in(name, chain["name"], ruleset)
                bases.append({**shown, "rules": len(rules), "acts": acts(rules)})
    return found


def rules_in(table: str, chain: str, ruleset: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rules of a chain."""
    return [item["rule"] for item in of(table, "rule", ruleset) if item["rule"]["chain"] == chain]


def acts(rules: list[dict[str, Any]]) -> list[str]:
    """What rules do beside looking, counting and writing down: the names of their statements (libnftables-json(5))."""
    return sorted({name for rule in rules for statement in rule.get("expr", []) for name in statement} - WATCHING)


def log(path: str) -> dict[str, Any]:
    """The file of dropped packets: whether it is there, its size, and its last line."""
    if not os.path.exists(path):
        return {"exists": False, "bytes": 0, "last": ""}
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        file.seek(max(0, size - 1000))
        lines = file.read().decode("utf-8", "replace").splitlines()
    return {"exists": True, "bytes": size, "last": lines[-1][:300] if lines else ""}
