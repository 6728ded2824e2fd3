"""Hosts among each other: roles, names, ports, reboots."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import combinations

from ..hosts import Host, Vantage
from ..problems import Problem
from .known import Known, at

SMTP = 25


def hosts_are_told_apart(known: Known) -> Iterator[Problem]:
    """Names, full names and addresses belong to one host each."""
    machines = [("hosts", host) for host in known.hosts] + [("vantage", host) for host in known.vantage]
    yield from _twice(known, machines, "name", lambda host: (host.name,))
    yield from _twice(known, machines, "address", _addresses)
    hosts = [("hosts", host) for host in known.hosts]
    yield from _twice(known, hosts, "fqdn", lambda host: (getattr(host, "fqdn", ""),))


def _addresses(host: Host | Vantage) -> tuple[str, ...]:
    found = (*host.addresses, host.address) if isinstance(host, Host) else (host.address,)
    return tuple(dict.fromkeys(map(str, found)))


def _twice(
    known: Known,
    machines: Sequence[tuple[str, Host | Vantage]],
    key: str,
    values: Callable[[Host | Vantage], tuple[str, ...]],
) -> Iterator[Problem]:
    for (_, first), (section, second) in combinations(machines, 2):
        for value in values(second):
            if value in values(first):
                expected = f'another {key} than that of host "{first.name}"'
                yield known.problem(at(second, key, section), value, expected)


def roles_are_filled(known: Known) -> Iterator[Problem]:
    """A connection needs a relay, and behind a separated relay a mail server."""
    if not known.whole("estate", "hosts"):
        return
    needed = ("relay",) if known.co_located else ("relay", "mail")
    for role in needed:
        if not known.of_role(role):
            expected = f'a host with role = "{role}"' + ("" if known.co_located else " (topology separated)")
            yield known.said("hosts", f"no host of role {role}", expected)


def relays_reboot_one_by_one(known: Known) -> Iterator[Problem]:
    """Two relays that restart together are no better than one."""
    for first, second in combinations(known.of_role("relay"), 2):
        if first.reboot_time == second.reboot_time:
            expected = f'another time than relay "{first.name}", so that one of them always answers'
            yield known.problem(at(second, "reboot_time"), second.reboot_time, expected)


def internet_mail_stays_off_the_relay(known: Known) -> Iterator[Problem]:
    """On a separated relay nothing may ever go by MX (the default transport is an error there)."""
    if known.estate is None:
        return
    allowed = ("mail", "relay") if known.co_located else ("mail",)
    for host in known.hosts:
        if host.internet_mail and host.role not in allowed:
            expected = 'internet_mail only on hosts of role "mail" (or on a co-located relay)'
            yield known.problem(at(host, "internet_mail"), host.internet_mail, expected)


def administrators_can_change_things(known: Known) -> Iterator[Problem]:
    """Without sudo only root can install anything."""
    for host in known.hosts:
        if host.ssh.sudo == "none" and host.ssh.user != "root":
            expected = '"passwordless" or "password", or user = "root"'
            yield known.problem(at(host, "ssh.sudo"), host.ssh.sudo, expected)


def ports_are_free(known: Known) -> Iterator[Problem]:
    """Each listener of a host has a port of its own."""
    for host in known.hosts if known.hub and known.inner and known.estate else ():
        listeners = _listeners(known, host)
        for (first, port), (second, other) in combinations(listeners, 2):
            if port == other:
                expected = f"another port than {first} on host {host.name}"
                yield known.problem(second, other, expected)


def _listeners(known: Known, host: Host) -> list[tuple[str, int]]:
    """Key and port of what listens on a host."""
    assert known.hub and known.inner
    listeners = [(at(host, "ssh.port"), host.ssh.port)]
    if host.internet_mail:
        listeners.append((at(host, "internet_mail"), SMTP))
    if host.role == "relay":
        listeners.append(("hub.listen_port", known.hub.listen_port))
    if host.role == "relay" and not known.co_located:
        listeners.append(("inner.relay_port", known.inner.relay_port))
    if host.role == "mail":
        listeners.append(("inner.mail_port", known.inner.mail_port))
    return listeners


def hooks_scan_in_postfix(known: Known) -> Iterator[Problem]:
    """A hook is reached by the milter protocol, which Exim does not speak."""
    if known.antivirus is None or known.antivirus.hook is None:
        return
    for host in known.of_role("relay"):
        if host.mta == "exim":
            expected = 'mta = "postfix": Exim has no milter, so a scanner by antivirus.hook would never be asked'
            yield known.problem(at(host, "mta"), host.mta, expected)


def patched_hosts_exist(known: Known) -> Iterator[Problem]:
    """A host that the hook of patching names is one of ours."""
    hook = known.patching.hook if known.patching and known.whole("hosts") else None
    names = [host.name for host in known.hosts]
    for name in hook.hosts if hook else ():
        if name not in names:
            yield known.problem("patching.hook.hosts", name, f"some of: {', '.join(names)}")


HOST_RULES = (
    hosts_are_told_apart,
    roles_are_filled,
    relays_reboot_one_by_one,
    internet_mail_stays_off_the_relay,
    administrators_can_change_things,
    ports_are_free,
    hooks_scan_in_postfix,
    patched_hosts_exist,
)
