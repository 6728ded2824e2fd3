"""The firewall: what its rules would let through, and what it really drops."""

from __future__ import annotations

from checks import nftables
from checks.blocked import are_blocked
from checks.framework import check
from cjsm_connect.organisation.flows import Flow, for_host
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

EVERY_HOST = "firewall,relay,mail"
ANSWERS = {"input": "output", "output": "input", "forward": "forward"}  # where the other direction of a flow passes
APPLY = "cjsm apply"


def rules_apply(seen: Seen, verdict: Verdict) -> None:
    """What is said of single rules means something only where there are rules and a chain ends with "drop".

    Else firewall.default-deny says what is wrong, and whatever it lets through is tried: saying it again of each
    single rule would be no finding of its own.
    """
    if not seen.fact("firewall", "present"):
        verdict.not_tested("there is no table inet cjsm: see firewall.default-deny")
    if seen.fact("firewall", "dormant"):
        verdict.not_tested("the table inet cjsm is dormant: see firewall.default-deny")


def drops_by_default(seen: Seen, verdict: Verdict, chain: str) -> None:
    """Our table is there and awake, and the base chain's policy is drop; the family inet is both IPv4 and IPv6."""
    verdict(seen.fact("firewall", "present"), expected="table inet cjsm", observed="no such table")
    verdict(not seen.fact("firewall", "dormant"), expected="an active table", observed="the table is dormant")
    found = seen.fact("firewall", "chains").get(chain, {"policy": "nothing: there is no such chain"})
    verdict(found["policy"] == "drop", expected="policy drop", observed=f"policy {found['policy']}")


@check(
    "firewall.default-deny-input",
    requirement="firewall.default-deny",
    role=EVERY_HOST,
    title="Connections to the host are dropped unless allowed",
    remedy="cjsm apply; by hand: nft 'add chain inet cjsm input { policy drop; }'",
)
def test_default_deny_input(seen: Seen, verdict: Verdict) -> None:
    drops_by_default(seen, verdict, "input")


@check(
    "firewall.default-deny-output",
    requirement="firewall.default-deny",
    role=EVERY_HOST,
    title="Connections from the host are dropped unless allowed",
    remedy="cjsm apply; by hand: nft 'add chain inet cjsm output { policy drop; }'",
)
def test_default_deny_output(seen: Seen, verdict: Verdict) -> None:
    drops_by_default(seen, verdict, "output")


@check(
    "firewall.default-deny-forward",
    requirement="firewall.default-deny",
    role=EVERY_HOST,
    title="Connections through the host are dropped unless allowed",
    remedy="cjsm apply; by hand: nft 'add chain inet cjsm forward { policy drop; }'",
)
def test_default_deny_forward(seen: Seen, verdict: Verdict) -> None:
    drops_by_default(seen, verdict, "forward")


def flows_of(seen: Seen) -> dict[str, tuple[Flow, ...]]:
    """The declared flows by the chain that must let them through."""
    declared = for_host(seen.organisation, seen.host)
    return {"input": declared.incoming, "output": declared.outgoing, "forward": declared.forwarded}


@check(
    "firewall.only-declared-flows",
    requirement="firewall.only-declared-flows",
    role=EVERY_HOST,
    title="No rule lets through more than the organisation file implies",
    remedy=f"declare the flow in organisation.toml with its reason and approver, or remove it: {APPLY}",
)
def test_only_declared_flows(seen: Seen, verdict: Verdict) -> None:
    declared, judged = flows_of(seen), 0
    for chain, rules in nftables.rules_of(seen).items():
        drops_by_default(seen, verdict, chain)  # without it, what no rule mentions passes
        for rule in nftables.accepting(rules):
            judged += 1
            known = nftables.is_declared(nftables.opening(rule), declared[chain], declared[ANSWERS[chain]])
            verdict(known, expected="only declared flows", observed=f"{chain}: {nftables.shown(rule)}")
    for told in nftables.leading_elsewhere(seen):
        verdict(False, expected="only declared flows", observed=told)
    verdict(True, expected="only declared flows", observed=f"{judged} rules, each within a declared flow")


@check(
    "firewall.declared-flows-open",
    requirement="firewall.declared-flows-open",
    role=EVERY_HOST,
    title="Every declared flow is let through",
    remedy="cjsm apply, which writes a rule for each flow; nft list table inet cjsm shows them",
)
def test_declared_flows_open(seen: Seen, verdict: Verdict) -> None:
    rules_apply(seen, verdict)
    declared, rules = flows_of(seen), nftables.rules_of(seen)
    for chain, flows in declared.items():
        openings = [nftables.opening(rule) for rule in nftables.accepting(rules[chain])]
        for flow in flows:
            covered = any(opening is not None and opening.covers(flow) for opening in openings)
            verdict(covered, expected=f"{flow.name}: {flow.reason}", observed=f"no rule in {chain} lets it through")
    count = sum(len(flows) for flows in declared.values())
    verdict(True, expected="a rule for every declared flow", observed=f"all {count} are let through")


@check(
    "firewall.ssh-from-administrators",
    requirement="firewall.administration",
    role=EVERY_HOST,
    title="SSH is open to the administration addresses only",
    remedy="cjsm apply, which admits SSH from estate.administered_from only; nft list chain inet cjsm input "
    "shows who else is let in",
)
def test_ssh_from_administrators(seen: Seen, verdict: Verdict) -> None:
    port, administrators = seen.host.ssh.port, seen.organisation.estate.administered_from
    allowed = ", ".join(map(str, administrators))
    drops_by_default(seen, verdict, "input")
    for rule in nftables.accepting(nftables.rules_of(seen)["input"]):
        opening = nftables.opening(rule)
        if nftables.may_open(rule, port):
            known = opening is not None and nftables.inside(opening.sources, administrators)
            verdict(known, expected=f"port {port} from {allowed}", observed=nftables.shown(rule))
    verdict(True, expected=f"port {port} from {allowed}", observed="no rule lets others in")


@check(
    "firewall.reasons",
    requirement="firewall.reasons",
    role=EVERY_HOST,
    title="Every rule that lets something in says why",
    remedy="cjsm apply, which writes the reason of each flow as its rule's comment; a flow of your own: "
    "[[flows]] reason",
)
def test_reasons(seen: Seen, verdict: Verdict) -> None:
    rules_apply(seen, verdict)
    accepting = [rule for rules in nftables.rules_of(seen).values() for rule in nftables.accepting(rules)]
    for rule in accepting:
        verdict(bool(rule["comment"]), expected="a comment with the reason", observed=nftables.shown(rule))
    verdict(True, expected="a comment with the reason", observed=f"{len(accepting)} rules, each with its reason")


@check(
    "firewall.path-mtu-discovery",
    requirement="firewall.path-mtu-discovery",
    role=EVERY_HOST,
    title="Messages about too large packets pass, and neighbour discovery works",
    remedy="cjsm apply, which admits icmp type destination-unreachable and icmpv6 type packet-too-big",
)
def test_path_mtu_discovery(seen: Seen, verdict: Verdict) -> None:
    rules_apply(seen, verdict)
    needed = (("icmp code", nftables.FRAGMENTATION_NEEDED), ("icmpv6 type", {"packet-too-big"}))
    neighbours = (("icmpv6 type", {"nd-neighbor-solicit"}), ("icmpv6 type", {"nd-neighbor-advert"}))
    for chain, rules in nftables.rules_of(seen).items():
        passing = [rule["match"] for rule in rules if rule["verdict"] == "accept" and not rule["limited"]]
        for key, names in (*needed, *(neighbours if chain != "forward" else ())):
            passes = any(names & set(match.get(key, [])) for match in passing)
            wanted = " or ".join(sorted(names))
            verdict(passes, expected=f"{wanted} passes", observed="it passes" if passes else f"{chain} drops it")
    verdict(True, expected="frag-needed, packet-too-big and neighbour discovery pass", observed="they do")


@check(
    "firewall.anti-spoofing",
    requirement="firewall.anti-spoofing",
    role=EVERY_HOST,
    title="Packets with a forged source address are dropped",
    remedy="cjsm apply, which puts fib saddr . iif oif missing drop into the chain prerouting",
)
def test_anti_spoofing(seen: Seen, verdict: Verdict) -> None:
    rules_apply(seen, verdict)
    early = (chain for chain in seen.fact("firewall", "chains").values() if chain["hook"] == "prerouting")
    rules = [rule for chain in early for rule in chain["rules"] if rule["verdict"] == "drop"]
    found = any("fib saddr . iif oif" in rule["match"] for rule in rules)
    expected = "a rule that drops what came through the wrong interface"
    verdict(found, expected=expected, observed="such a rule" if found else "no such rule")


@check(
    "firewall.blocks-inward",
    requirement="firewall.only-declared-flows",
    role=EVERY_HOST,
    vantage="outside",
    impact="local-active",
    title="Connections that nobody declared get no answer from the host",
    remedy="nft list table inet cjsm on the host that should drop it; cjsm apply puts the declared rules back",
)
def test_blocks_inward(seen: Seen, verdict: Verdict) -> None:
    are_blocked(seen, verdict, "in")


@check(
    "firewall.blocks-outward",
    requirement="firewall.egress",
    role=EVERY_HOST,
    impact="local-active",
    title="The host itself cannot reach what nobody declared",
    remedy="nft list chain inet cjsm output; cjsm apply puts the declared rules back",
)
def test_blocks_outward(seen: Seen, verdict: Verdict) -> None:
    are_blocked(seen, verdict, "out")
