"""People's statements: signatures, declarations, waivers, accepted gaps, declared flows."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations

from ..hosts import Host
from ..problems import Problem
from .known import Known


def someone_may_sign(known: Known) -> Iterator[Problem]:
    """The application asks for a signatory of the terms."""
    if not known.signatories and known.whole("signatories"):
        yield known.said("signatories", "nobody", "[[signatories]] with name and position, to sign the terms")


def declarations_were_made(known: Known) -> Iterator[Problem]:
    """A statement has a day in the past, and is made once."""
    for made in known.declarations:
        if made.date > known.today:
            expected = f"a day up to today ({known.today}, UTC)"
            yield known.problem(f'declarations["{made.id}"].date', made.date, expected)
    for first, second in combinations(known.declarations, 2):
        if first.id == second.id:
            yield known.problem(f'declarations["{second.id}"].id', second.id, "each declaration once")


def waivers_run(known: Known) -> Iterator[Problem]:
    """A waiver has a first and a last day (UTC, both included).

    One that has expired is a finding of `check`, not a mistake here: who has to roll back must not be held up by it.
    """
    for waiver in known.waivers:
        if waiver.expiry < waiver.start:
            key = f'waivers["{waiver.requirement}"].expiry'
            yield known.problem(key, waiver.expiry, f"a day from its start ({waiver.start}) on")


def gaps_were_accepted(known: Known) -> Iterator[Problem]:
    """Accepting that something is not tested is a decision of the past."""
    for gap in known.scope:
        if gap.date > known.today:
            expected = f"a day up to today ({known.today}, UTC)"
            yield known.problem(f'scope["{gap.check}"].date', gap.date, expected)


def declared_flows_stay_narrow(known: Known) -> Iterator[Problem]:
    """A declared flow belongs to a host of ours; it opens neither SSH nor listeners that have rules of their own."""
    hosts = {host.name: host for host in known.hosts}
    for flow in known.flows if known.whole("hosts") else ():
        key = f'flows["{flow.name}"]'
        if flow.host not in hosts:
            yield known.problem(f"{key}.host", flow.host, f"one of: {', '.join(hosts)}")
            continue
        if flow.direction == "through" and hosts[flow.host].role != "firewall":
            firewalls = ", ".join(name for name, host in hosts.items() if host.role == "firewall")
            yield known.problem(
                f"{key}.host", flow.host, f"a firewall that it goes through: {firewalls or 'none here'}"
            )
        guarded = _guarded(known, hosts[flow.host]) if flow.direction == "in" else set()
        for port in sorted(guarded.intersection(flow.ports)):
            expected = "no port of SSH, hub or inner hop: who may use those follows from their own sections"
            yield known.problem(f"{key}.ports", port, expected)
    for first, second in combinations(known.flows, 2):
        if first.name == second.name:
            yield known.problem(f'flows["{second.name}"].name', second.name, "a name of its own")


def _guarded(known: Known, host: Host) -> set[int]:
    ports = {host.ssh.port}
    if known.hub and host.role == "relay":
        ports.add(known.hub.listen_port)
    if known.inner and host.role in ("relay", "mail"):
        ports.add(known.inner.relay_port if host.role == "relay" else known.inner.mail_port)
    return ports


STATEMENT_RULES = (
    someone_may_sign,
    declarations_were_made,
    waivers_run,
    gaps_were_accepted,
    declared_flows_stay_narrow,
)
