"""The firewall's upkeep: what it will do after a reboot, what it records, and what others do beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from checks import nftables
from checks.framework import check
from checks.test_firewall import rules_apply
from cjsm_connect.organisation import addresses
from cjsm_connect.organisation.flows import for_host
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

EVERY_HOST = "firewall,relay,mail"
NO_ROUTERS = "relay,mail"
HANDED_OUT = 32768  # the first port of a client, unless net.ipv4.ip_local_port_range says otherwise


@check(
    "firewall.enabled-at-boot",
    requirement="firewall.never-disabled",
    role=EVERY_HOST,
    title="The rules are loaded at every boot",
    remedy="systemctl enable nftables; then cjsm apply, which has /etc/nftables.conf load /etc/nftables.d/cjsm.nft",
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
    remedy="cjsm plan shows the difference; cjsm apply puts the declared rules back",
)
def test_live_is_boot(seen: Seen, verdict: Verdict) -> None:
    same = seen.fact("firewall", "boot", "live_is_boot")
    verdict(same, expected="live rules as in the boot file", observed="the same" if same else "they differ")


@check(
    "firewall.change-confirmed",
    requirement="firewall.never-disabled",
    role=EVERY_HOST,
    title="No change of the rules is waiting to be undone",
    remedy="cjsm status; the host undoes it by itself within policy.confirm_seconds; then cjsm apply",
)
def test_change_confirmed(seen: Seen, verdict: Verdict) -> None:
    waiting = seen.fact("firewall", "unconfirmed")
    verdict(not waiting, expected="no unconfirmed change", observed="unconfirmed rules are live" if waiting else "none")


@check(
    "firewall.drops-recorded",
    requirement="firewall.drops-recorded",
    role=EVERY_HOST,
    title="Dropped packets are counted, and some of them logged",
    remedy="systemctl status ulogd2; then cjsm apply, which gives each drop a counter and a limited log",
)
def test_drops_recorded(seen: Seen, verdict: Verdict) -> None:
    rules_apply(seen, verdict)
    counters = seen.fact("firewall", "counters")
    for chain, rules in nftables.rules_of(seen).items():
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
    "firewall.foreign-tables",
    requirement="firewall.foreign-tables",
    role=EVERY_HOST,
    title="Tables of other programs do not redirect connections past the rules",
    remedy="nft list ruleset shows the table; stop the program that makes it, or nft delete table FAMILY NAME",
)
def test_foreign_tables(seen: Seen, verdict: Verdict) -> None:
    """A foreign accept cannot undo our drop (nft(8)), but it misleads; address translation changes whom a rule sees."""
    foreign = seen.fact("firewall", "foreign")
    expected = "no other tables, but for those that only count and log"
    for name, chains in foreign.items():
        translating = [chain["name"] for chain in chains if chain["type"] == "nat" and chain["rules"]]
        verdict(not translating, expected=expected, observed=f"{name} translates addresses ({', '.join(translating)})")
    acting = [name for name, chains in foreign.items() if not all(map(_only_watches, chains))]
    observed = ", ".join(acting or [f"{name} only watches" for name in foreign]) or "none"
    verdict(not acting, expected=expected, observed=observed, warn=True)


def _only_watches(chain: Mapping[str, Any]) -> bool:
    """Lets everything go on as it came: an agent's counters, an administrator's log."""
    return chain["policy"] == "accept" and chain.get("acts") == []


@check(
    "firewall.only-needed-services",
    requirement="firewall.only-needed-services",
    role=EVERY_HOST,
    title="Programs listen on the network only where a declared flow leads to them",
    remedy="`ss -lntup` names the program: whoever used it finds it closed. Declare the flow and why ([[flows]], "
    'direction = "in"), bind it to 127.0.0.1 or disable its unit',
)
def test_only_needed_services(seen: Seen, verdict: Verdict) -> None:
    declared = {port for flow in for_host(seen.organisation, seen.host).incoming for port in flow.ports}
    needed = declared | {seen.host.ssh.port}
    rows = [row for row in seen.fact("system", "listeners") if _is_served(row) and _is_open(row["address"])]
    others = sorted(
        {
            f"{row['address']} port {row['port']}/{row['protocol']} ({', '.join(row['processes'])})"
            for row in rows
            if row["port"] not in needed
        }
    )
    expected = f"ports {', '.join(map(str, sorted(needed)))} only"
    # the rules still drop what comes for it: one mistake away from being reached, and not reached yet
    verdict(not others, expected=expected, observed="; ".join(others) or "only those", warn=True)


def _is_served(row: Mapping[str, Any]) -> bool:
    """Not a UDP socket that waits for an answer, on one of the ports that the kernel hands out (ip(7))."""
    return row["protocol"] == "tcp" or (row["protocol"] == "udp" and row["port"] < HANDED_OUT)


def _is_open(address: str) -> bool:
    """Does a socket bound there hear others than this host? "*" is every address."""
    return address == "*" or not addresses.address(address).is_loopback


@check(
    "firewall.no-router",
    requirement="firewall.no-bypass",
    role=NO_ROUTERS,
    title="Only the firewall forwards packets between networks",
    remedy="sysctl -w net.ipv4.ip_forward=0 net.ipv6.conf.all.forwarding=0, and the same in a file of /etc/sysctl.d",
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
    remedy="sysctl -w net.ipv4.conf.all.accept_source_route=0, and the same in a file of /etc/sysctl.d",
)
def test_source_routes(seen: Seen, verdict: Verdict) -> None:
    found = seen.fact("firewall", "sysctls", "net.ipv4.conf.all.accept_source_route")
    verdict(found == "0", expected="source routes ignored", observed="ignored" if found == "0" else f"value {found}")


@check(
    "firewall.update-sources",
    requirement="firewall.update-sources",
    role="estate",
    title="Updates come from declared addresses, not from anywhere",
    remedy="name estate.mirrors or estate.proxy in organisation.toml in place of estate.egress; then cjsm apply",
    vantage="declaration",
)
def test_update_sources(seen: Seen, verdict: Verdict) -> None:
    egress = seen.organisation.estate.egress
    observed = f"{egress.to}, approved by {egress.approver}: {egress.reason}" if egress else "mirrors or proxy"
    verdict(egress is None, expected="mirrors or a proxy by their addresses", observed=observed, warn=True)
