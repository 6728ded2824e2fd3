"""The firewall: what it would let through, what it will do after a reboot, and what it really drops."""

from __future__ import annotations

from typing import Any

from checks import nftables
from checks.blocked import are_blocked
from checks.framework import check
from cjsm_connect.organisation.flows import Flow, for_host
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

EVERY_HOST = "firewall,relay,mail"
NO_ROUTERS = "relay,mail"
CHAINS = ("input", "output", "forward")
ANSWERS = {"input": "output", "output": "input", "forward": "forward"}  # where the other direction of a flow passes
APPLY = "cjsm apply --only firewall"


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
    remedy=APPLY,
)
def test_default_deny_input(seen: Seen, verdict: Verdict) -> None:
    drops_by_default(seen, verdict, "input")


@check(
    "firewall.default-deny-output",
    requirement="firewall.default-deny",
    role=EVERY_HOST,
    title="Connections from the host are dropped unless allowed",
    remedy=APPLY,
)
def test_default_deny_output(seen: Seen, verdict: Verdict) -> None:
    drops_by_default(seen, verdict, "output")


@check(
    "firewall.default-deny-forward",
    requirement="firewall.default-deny",
    role=EVERY_HOST,
    title="Connections through the host are dropped unless allowed",
    remedy=APPLY,
)
def test_default_deny_forward(seen: Seen, verdict: Verdict) -> None:
    drops_by_default(seen, verdict, "forward")


def flows_of(seen: Seen) -> dict[str, tuple[Flow, ...]]:
    """The declared flows by the chain that must let them through."""
    declared = for_host(seen.organisation, seen.host)
    return {"input": declared.incoming, "output": declared.outgoing, "forward": declared.forwarded}


def rules_of(seen: Seen) -> dict[str, list[dict[str, Any]]]:
    """All rules by hook, of whatever name the chains are; the rules behind a jump belong to no hook."""
    chains = seen.fact("firewall", "chains").values()
    return {hook: [rule for chain in chains if chain["hook"] == hook for rule in chain["rules"]] for hook in CHAINS}


@check(
    "firewall.only-declared-flows",
    requirement="firewall.only-declared-flows",
    role=EVERY_HOST,
    title="No rule lets through more than the organisation file implies",
    remedy=f"declare the flow in organisation.toml with its reason and approver, or remove it: {APPLY}",
)
def test_only_declared_flows(seen: Seen, verdict: Verdict) -> None:
    declared, judged = flows_of(seen), 0
    for chain, rules in rules_of(seen).items():
        for rule in nftables.accepting(rules):
            judged += 1
            known = nftables.is_declared(nftables.opening(rule), declared[chain], declared[ANSWERS[chain]])
            verdict(known, expected="only declared flows", observed=f"{chain}: {nftables.shown(rule)}")
    verdict(True, expected="only declared flows", observed=f"{judged} rules, each within a declared flow")


@check(
    "firewall.declared-flows-open",
    requirement="firewall.declared-flows-open",
    role=EVERY_HOST,
    title="Every declared flow is let through",
    remedy=APPLY,
)
def test_declared_flows_open(seen: Seen, verdict: Verdict) -> None:
    declared, rules = flows_of(seen), rules_of(seen)
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
    remedy=APPLY,
)
def test_ssh_from_administrators(seen: Seen, verdict: Verdict) -> None:
    port, administrators = seen.host.ssh.port, seen.organisation.estate.administered_from
    allowed = ", ".join(map(str, administrators))
    for rule in nftables.accepting(rules_of(seen)["input"]):
        opening = nftables.opening(rule)
        if opening is None or port in opening.ports:
            known = opening is not None and nftables.inside(opening.sources, administrators)
            verdict(known, expected=f"port {port} from {allowed}", observed=nftables.shown(rule))
    verdict(True, expected=f"port {port} from {allowed}", observed="no rule lets others in")


@check(
    "firewall.reasons",
    requirement="firewall.reasons",
    role=EVERY_HOST,
    title="Every rule that lets something in says why",
    remedy=APPLY,
)
def test_reasons(seen: Seen, verdict: Verdict) -> None:
    accepting = [rule for rules in rules_of(seen).values() for rule in nftables.accepting(rules)]
    for rule in accepting:
        verdict(bool(rule["comment"]), expected="a comment with the reason", observed=nftables.shown(rule))
    verdict(True, expected="a comment with the reason", observed=f"{len(accepting)} rules, each with its reason")


@check(
    "firewall.enabled-at-boot",
    requirement="firewall.never-disabled",
    role=EVERY_HOST,
    title="The rules are loaded at every boot",
    remedy=APPLY,
)
def test_enabled_at_boot(seen: Seen, verdict: Verdict) -> None:
    boot = seen.fact("firewall", "boot")
    expected = "nftables.service enabled, loading our file before the network is up"
    verdict(boot["file"], expected=expected, observed="there is no boot file")
    verdict(
        boot["enabled"], expected=expected, observed="the unit is not enabled, or nftables.conf does not load our file"
    )
    verdict(True, expected=expected, observed="enabled")


@check(
    "firewall.live-is-boot",
    requirement="firewall.never-disabled",
    role=EVERY_HOST,
    title="The live rules are the ones that a reboot would load",
    remedy="cjsm plan shows the difference; cjsm apply --only firewall puts the declared rules back",
)
def test_live_is_boot(seen: Seen, verdict: Verdict) -> None:
    same = seen.fact("firewall", "boot", "live_is_boot")
    verdict(same, expected="live rules as in the boot file", observed="the same" if same else "they differ")


@check(
    "firewall.change-confirmed",
    requirement="firewall.never-disabled",
    role=EVERY_HOST,
    title="No change of the rules is waiting to be undone",
    remedy="wait two minutes for the host to undo it, then cjsm apply --only firewall",
)
def test_change_confirmed(seen: Seen, verdict: Verdict) -> None:
    waiting = seen.fact("firewall", "unconfirmed")
    verdict(not waiting, expected="no unconfirmed change", observed="unconfirmed rules are live" if waiting else "none")


@check(
    "firewall.drops-recorded",
    requirement="firewall.drops-recorded",
    role=EVERY_HOST,
    title="Dropped packets are counted, and some of them logged",
    remedy=f"{APPLY}; then look at `systemctl status ulogd2`",
)
def test_drops_recorded(seen: Seen, verdict: Verdict) -> None:
    counters = seen.fact("firewall", "counters")
    for chain, rules in rules_of(seen).items():
        dropping = [rule for rule in rules if rule["verdict"] == "drop" and not rule["match"]]
        counted = bool(dropping) and dropping[-1]["counter"] in counters
        verdict(counted, expected="a named counter for every drop", observed=f"drops in {chain} are not counted")
        logged = [rule for rule in rules if rule["log_group"] is not None]
        verdict(bool(logged), expected="drops logged to a group", observed=f"drops in {chain} are not logged")
        limited = all(rule["limited"] for rule in logged)
        verdict(limited, expected="logging limited in rate", observed=f"a flood fills the log of {chain}")
    recorder = seen.fact("firewall", "log", "recorder")
    verdict(recorder == "active", expected="ulogd2 running", observed=f"ulogd2 is {recorder}")
    verdict(seen.fact("firewall", "log", "exists"), expected="a log of dropped packets", observed="ulogd2 writes none")
    verdict(True, expected="counted, and logged at a limited rate", observed="in, out and through")


@check(
    "firewall.path-mtu-discovery",
    requirement="firewall.path-mtu-discovery",
    role=EVERY_HOST,
    title="Messages about too large packets pass, and neighbour discovery works",
    remedy=APPLY,
)
def test_path_mtu_discovery(seen: Seen, verdict: Verdict) -> None:
    needed = (("icmp code", nftables.FRAGMENTATION_NEEDED), ("icmpv6 type", {"packet-too-big"}))
    neighbours = (("icmpv6 type", {"nd-neighbor-solicit"}), ("icmpv6 type", {"nd-neighbor-advert"}))
    for chain, rules in rules_of(seen).items():
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
    remedy=APPLY,
)
def test_anti_spoofing(seen: Seen, verdict: Verdict) -> None:
    early = (chain for chain in seen.fact("firewall", "chains").values() if chain["hook"] == "prerouting")
    rules = [rule for chain in early for rule in chain["rules"] if rule["verdict"] == "drop"]
    found = any("fib saddr . iif oif" in rule["match"] for rule in rules)
    expected = "a rule that drops what came through the wrong interface"
    verdict(found, expected=expected, observed="such a rule" if found else "no such rule")


@check(
    "firewall.foreign-tables",
    requirement="firewall.foreign-tables",
    role=EVERY_HOST,
    title="Tables of other programs do not redirect connections past the rules",
    remedy="find out which program made it (`nft list ruleset`), and remove what is not needed",
)
def test_foreign_tables(seen: Seen, verdict: Verdict) -> None:
    """A foreign accept cannot undo our drop (nft(8)), but it misleads; address translation changes whom a rule sees."""
    foreign = seen.fact("firewall", "foreign")
    expected = "no other tables"
    for name, chains in foreign.items():
        translating = [chain["name"] for chain in chains if chain["type"] == "nat" and chain["rules"]]
        verdict(not translating, expected=expected, observed=f"{name} translates addresses ({', '.join(translating)})")
    verdict(not foreign, expected=expected, observed=", ".join(foreign) or "none", warn=True)


@check(
    "firewall.no-router",
    requirement="firewall.no-bypass",
    role=NO_ROUTERS,
    title="Only the firewall forwards packets between networks",
    remedy="switch forwarding off in /etc/sysctl.d (net.ipv4.ip_forward and net.ipv6.conf.all.forwarding)",
)
def test_no_router(seen: Seen, verdict: Verdict) -> None:
    names = ("net.ipv4.ip_forward", "net.ipv6.conf.all.forwarding")
    found = {name: seen.fact("firewall", "sysctls", name) for name in names}
    on = [name for name, value in found.items() if value not in ("0", "")]
    verdict(not on, expected="forwarding off", observed=f"on: {', '.join(on)}" if on else "off")


@check(
    "firewall.source-routes",
    requirement="firewall.no-bypass",
    role=EVERY_HOST,
    title="Senders cannot choose the way of their packets",
    remedy="set net.ipv4.conf.all.accept_source_route = 0 in /etc/sysctl.d",
)
def test_source_routes(seen: Seen, verdict: Verdict) -> None:
    found = seen.fact("firewall", "sysctls", "net.ipv4.conf.all.accept_source_route")
    verdict(found == "0", expected="source routes ignored", observed="ignored" if found == "0" else f"value {found}")


@check(
    "firewall.update-sources",
    requirement="firewall.update-sources",
    role="estate",
    title="Updates come from declared addresses, not from anywhere",
    remedy="declare estate.mirrors or estate.proxy instead of estate.egress",
    vantage="declaration",
)
def test_update_sources(seen: Seen, verdict: Verdict) -> None:
    egress = seen.organisation.estate.egress
    observed = f"{egress.to}, approved by {egress.approver}: {egress.reason}" if egress else "mirrors or proxy"
    verdict(egress is None, expected="mirrors or a proxy by their addresses", observed=observed, warn=True)


@check(
    "firewall.blocks-inward",
    requirement="firewall.only-declared-flows",
    role=EVERY_HOST,
    vantage="outside",
    impact="local-active",
    title="Connections that nobody declared get no answer from the host",
    remedy=APPLY,
)
def test_blocks_inward(seen: Seen, verdict: Verdict) -> None:
    are_blocked(seen, verdict, "in")


@check(
    "firewall.blocks-outward",
    requirement="firewall.egress",
    role=EVERY_HOST,
    impact="local-active",
    title="The host itself cannot reach what nobody declared",
    remedy=APPLY,
)
def test_blocks_outward(seen: Seen, verdict: Verdict) -> None:
    are_blocked(seen, verdict, "out")
