"""Could a new connection pass the packet filter that a host has today? Read from nft's own listing. Pure.

For a plan that says what new rules would close: what is closed already is no loss. In doubt a connection passes: one
that is named for nothing costs a look, and one that is not named costs the service. libnftables-json(5).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from cjsm_connect.organisation.addresses import Network, network, observed

Statement = Mapping[str, Any]
FAMILIES = {4: ("ip", "inet"), 6: ("ip6", "inet")}
# statements that decide nothing
BESIDE = {"counter", "log", "limit", "comment"}
HANDING_ON = ("accept", "jump", "goto", "return")  # "return" from a base chain: its policy (nft(8), verdict statements)
ANY_CLIENT = 50_000  # a port as kernels hand them out to whoever begins a connection (ip(7), ip_local_port_range)


@dataclass(frozen=True, slots=True)
class Opening:
    """A new connection: `far` is where it comes from (input) or goes to (output); None when nobody knows."""

    hook: Literal["input", "output", "forward"]
    protocol: str
    port: int
    far: Network | None

    @property
    def field(self) -> str:
        """The address in a packet that is the other end's."""
        return "daddr" if self.hook == "output" else "saddr"


def passes(rules: list[Any] | None, opening: Opening) -> bool:
    """False only if a base chain surely drops it; `rules` is None where they could not be told."""
    listed = rules or []
    chains = [one["chain"] for one in listed if "chain" in one and one["chain"].get("hook") == opening.hook]
    families = FAMILIES[opening.far.version] if opening.far else ("ip", "ip6", "inet")
    return not any(
        _closes(listed, chain, opening)
        for chain in chains
        if chain["family"] in families and chain.get("type") == "filter"
    )


def _closes(listed: list[Any], chain: Mapping[str, Any], opening: Opening) -> bool:
    own = list(_rules(listed, chain, chain["name"]))
    named = _sets(listed, chain)
    if any(_drops(rule) and _surely(rule, opening, named) for rule in _until_accepted(own)):
        return True
    ends = any(_drops(rule) and not list(_conditions(rule)) for rule in own)
    accepts = chain.get("policy") != "drop"
    if accepts and (not ends or any(_may_return(rule, opening, named) for rule in own)):
        return False
    return not any(_may_accept(rule, opening, named) for rule in _reachable(listed, chain))


def _drops(rule: list[Statement]) -> bool:
    """Does a rule drop all that it is about? With a limit only what comes too fast, or not too fast."""
    return _verdict(rule) in ("drop", "reject") and not any("limit" in one for one in rule)


def _until_accepted(rules: list[list[Statement]]) -> Iterator[list[Statement]]:
    """The rules before the first that hands on or accepts without being about answers: order decides."""
    for rule in rules:
        if _hands_on(rule) and not any(map(_about_answers, _conditions(rule))):
            return
        yield rule


def _hands_on(rule: list[Statement]) -> bool:
    """By its verdict, or by one of its verdict map for what is no answer; a named map is not read."""
    if not any("vmap" in one for one in rule):
        return _verdict(rule) in HANDING_ON
    rows = list(_mapped(rule))
    wanted = [(key, value) for key, value, verdict in rows if _verdict([verdict]) in HANDING_ON]
    return not rows or not all(_about_answers({"op": "==", "left": key, "right": value}) for key, value in wanted)


def _about_answers(condition: Mapping[str, Any]) -> bool:
    return _is_state(condition) and not _fits(condition, Opening("input", "tcp", 0, None), {})


def _is_state(condition: Mapping[str, Any]) -> bool:
    left = condition["left"]
    return isinstance(left, dict) and ("ct" in left or left.get("meta", {}).get("key") in ("iif", "iifname"))


def _rules(listed: list[Any], chain: Mapping[str, Any], name: str) -> Iterator[list[Statement]]:
    for one in listed:
        rule = one.get("rule", {})
        if (rule.get("family"), rule.get("table"), rule.get("chain")) == (chain["family"], chain["table"], name):
            yield rule["expr"]


def _reachable(listed: list[Any], chain: Mapping[str, Any]) -> Iterator[list[Statement]]:
    """The rules of a chain and of all that it jumps to."""
    waiting, seen = [chain["name"]], set()
    while waiting:
        name = waiting.pop()
        if name not in seen:
            seen.add(name)
            for rule in _rules(listed, chain, name):
                yield rule
                verdicts = [*rule, *(verdict for _, _, verdict in _mapped(rule))]
                waiting += [one[word]["target"] for one in verdicts for word in ("jump", "goto") if word in one]


def _sets(listed: list[Any], chain: Mapping[str, Any]) -> dict[str, Any]:
    sets = (one["set"] for one in listed if "set" in one)
    return {f"@{one['name']}": one.get("elem", []) for one in sets if one["table"] == chain["table"]}


def _verdict(rule: list[Statement]) -> str:
    words = (*HANDING_ON, "drop", "reject")
    return next((word for one in rule for word in words if word in one), "")


def _conditions(rule: list[Statement]) -> Iterator[Mapping[str, Any]]:
    """What must hold for a rule to apply; a statement that we do not know counts as a condition."""
    for one in rule:
        (word,) = one
        if word == "match":
            yield one["match"]
        elif word not in BESIDE and not _verdict([one]):
            yield {"op": "==", "left": {"unknown": word}, "right": None}


def _mapped(rule: list[Statement]) -> Iterator[tuple[Any, Any, Statement]]:
    """(what is looked at, value, verdict) of each row of a verdict map that stands in the rule."""
    for one in rule:
        data = one.get("vmap", {}).get("data")
        for value, verdict in data.get("set", []) if isinstance(data, dict) else []:
            yield one["vmap"]["key"], value, verdict


def _may_accept(rule: list[Statement], opening: Opening, named: Mapping[str, Any]) -> bool:
    if any("vmap" in one for one in rule):
        rows = list(_mapped(rule))
        accepting = [(key, value) for key, value, verdict in rows if "accept" in verdict]
        may = any(_fits({"op": "==", "left": key, "right": value}, opening, named) for key, value in accepting)
        return (may or not rows) and all(_fits(one, opening, named) for one in _conditions(rule))
    return _verdict(rule) == "accept" and all(_fits(one, opening, named) for one in _conditions(rule))


def _may_return(rule: list[Statement], opening: Opening, named: Mapping[str, Any]) -> bool:
    return _verdict(rule) == "return" and all(_fits(one, opening, named) for one in _conditions(rule))


def _surely(rule: list[Statement], opening: Opening, named: Mapping[str, Any]) -> bool:
    """Is this rule about the port and nothing else?"""
    conditions = list(_conditions(rule))
    about = [one for one in conditions if _payload(one).get("field") == "dport" and one["op"] in ("==", "in")]
    return bool(about) and len(about) == len(conditions) and all(_fits(one, opening, named) for one in about)


def _payload(condition: Mapping[str, Any]) -> Mapping[str, Any]:
    left = condition["left"]
    found = left.get("payload", {}) if isinstance(left, dict) else {}
    return found if isinstance(found, dict) else {}


def _fits(condition: Mapping[str, Any], opening: Opening, named: Mapping[str, Any]) -> bool:
    """Can this hold for such a connection? Yes, unless it surely cannot."""
    left, values = condition["left"], list(_values(condition["right"], named))
    payload = _payload(condition)
    if payload:
        return _packet_fits(payload, condition["op"], values, opening)
    if isinstance(left, dict) and "meta" in left:
        return _about_packet(left["meta"].get("key"), condition["op"], values, opening)
    if isinstance(left, dict) and left.get("ct", {}).get("key") == "state":
        return bool(("new" in values) == (condition["op"] != "!="))
    flags = left.get("&", [{}])[0] if isinstance(left, dict) else {}
    return flags.get("payload", {}).get("field") != "flags" or "syn" in values


def _packet_fits(payload: Mapping[str, Any], operator: str, values: list[Any], opening: Opening) -> bool:
    protocol, field = payload.get("protocol"), payload.get("field")
    if protocol not in ("ether", "ip", "ip6", "th", opening.protocol):
        return False
    if field == "sport":  # a single one is about answers: whoever begins a connection takes any
        return operator == "!=" or any(_holds(value, ANY_CLIENT) for value in values)
    if field == "dport":
        return any(_holds(value, opening.port) for value in values) == (operator != "!=")
    if protocol in ("ip", "ip6") and opening.far:
        if opening.far.version != (4 if protocol == "ip" else 6):
            return False
        if field == opening.field:
            return _address_fits(operator, values, opening.far)
    return True


def _about_packet(key: Any, operator: str, values: list[Any], opening: Opening) -> bool:
    if key in ("iif", "iifname", "oif", "oifname"):
        return operator == "!=" or any(value != "lo" for value in values)
    if key == "l4proto":
        return bool((opening.protocol in values) == (operator != "!="))
    if key == "nfproto" and opening.far:
        return (f"ipv{opening.far.version}" in values) == (operator != "!=")
    return True


def _address_fits(operator: str, values: list[Any], far: Network) -> bool:
    if operator == "!=":
        return not any(_covers(value, far) for value in values)
    return any(_meets(value, far) for value in values)


def _values(right: Any, named: Mapping[str, Any]) -> Iterator[Any]:
    """Each value on the right of a comparison: one, several, a set, or the elements of a named set."""
    if isinstance(right, str) and right.startswith("@"):
        right = named.get(right, [])
    if isinstance(right, dict) and "set" in right:
        right = right["set"]
    for value in right if isinstance(right, list) else [right]:
        yield value["elem"]["val"] if isinstance(value, dict) and "elem" in value else value


def _holds(value: Any, port: int) -> bool:
    if isinstance(value, dict):
        first, last = value.get("range", (0, 65535))
        return not (isinstance(first, int) and isinstance(last, int)) or first <= port <= last
    return value == port or not isinstance(value, int)


def _ends(value: Any) -> tuple[Any, Any] | None:
    """First and last address of a value; None for one that is not understood."""
    try:
        if isinstance(value, dict) and "prefix" in value:
            whole = network(f"{value['prefix']['addr']}/{value['prefix']['len']}", strict=False)
            return whole[0], whole[-1]
        first, last = value["range"] if isinstance(value, dict) else (value, value)
        return observed(first), observed(last)
    except (AttributeError, KeyError, TypeError, ValueError):
        return None


def _meets(value: Any, far: Network) -> bool:
    ends = _ends(value)
    return ends is None or (ends[0].version == far.version and ends[0] <= far[-1] and far[0] <= ends[1])


def _covers(value: Any, far: Network) -> bool:
    ends = _ends(value)
    return ends is not None and ends[0].version == far.version and ends[0] <= far[0] and far[-1] <= ends[1]
