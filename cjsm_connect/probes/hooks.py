"""What the status command of a hook must print (docs/hooks.md), and how it is judged. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.hooks import Hook
from cjsm_connect.organisation.policy import Policy, Threshold

HOUR, DAY = 3600, 86400
LOOKED_HOURS = 24 / 4 + 1
"""Signatures are looked for at least four times a day; an hour for the look itself."""
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,9})?(Z|\+00:00)")
AHEAD_SECONDS = 300
"""Two clocks may differ so far; what lies further ahead has not happened."""


@dataclass(frozen=True)
class Finding:
    """One thing that a status was judged by."""

    name: str
    ok: bool
    expected: str
    observed: str


def moment(value: Any) -> bool:
    """Is this a time in UTC as RFC 3339 writes it?"""
    if not isinstance(value, str) or not MOMENT.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


def words(value: Any) -> bool:
    """Is this a text that says something?"""
    return isinstance(value, str) and bool(value.strip())


def amount(value: Any) -> bool:
    """Is this a whole number from 0 on?"""
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def truth(value: Any) -> bool:
    """Is this true or false?"""
    return isinstance(value, bool)


def moment_or_none(value: Any) -> bool:
    """Is this a time, or null?"""
    return value is None or moment(value)


Field = tuple[Callable[[Any], bool], str]
SCANNER: dict[str, Field] = {
    "engine": (words, "the scanner's name"),
    "version": (words, "the scanner's version"),
    "signatures_updated": (moment, "a time such as 2026-11-21T08:30:00Z"),
    "last_update_check": (moment, "a time such as 2026-11-21T08:30:00Z"),
}
PATCHING: dict[str, Field] = {
    "updates_pending": (amount, "a whole number"),
    "security_pending": (amount, "a whole number"),
    "oldest_security": (moment_or_none, "a time such as 2026-11-21T08:30:00Z, or null"),
    "last_run": (moment, "a time such as 2026-11-21T08:30:00Z"),
    "reboot_required": (truth, "true or false"),
    "reboot_since": (moment_or_none, "a time such as 2026-11-21T08:30:00Z, or null"),
}


def well_formed(report: Mapping[str, Any], fields: Mapping[str, Field], clock: float) -> Iterator[Finding]:
    """Did the command answer, with every field as it must be, and with no time that has not come yet?"""
    expected = f"one JSON object: {', '.join(fields)}"
    yield Finding("answer", not report["why"], expected, report["why"] or "one JSON object")
    if report["why"]:
        return
    for name, (fits, meaning) in fields.items():
        found = report["said"].get(name)
        there = name in report["said"]
        yield Finding(
            "answer", there and fits(found), f"{name}: {meaning}", f"{name} is {_shown(report['said'], name)}"
        )
        if name in report["said"] and moment(found):
            ahead = seconds(found) - clock
            yield Finding("answer", ahead <= AHEAD_SECONDS, f"{name} in the past", f"{name} is {found}")


def _shown(said: Mapping[str, Any], name: str) -> str:
    return repr(said[name]) if name in said else "missing"


def seconds(value: str) -> float:
    """A time of a status in seconds since 1970."""
    return datetime.fromisoformat(value).astimezone(UTC).timestamp()


def scanner(report: Mapping[str, Any], policy: Policy, clock: float) -> Iterator[Finding]:
    """How a scanner's status is judged: whole, its signatures new, and looked for several times a day."""
    whole = list(well_formed(report, SCANNER, clock))
    yield from whole
    if not all(one.ok for one in whole):
        return
    said, limit = report["said"], policy.signature_hours
    yield Finding("engine", True, "engine and version", f"{said['engine']} {said['version']}")
    age = (clock - seconds(said["signatures_updated"])) / HOUR
    expected = f"updated at most {limit.value} {limit.unit} ago ({limit.source})"
    yield Finding("signatures", age <= limit.value, expected, f"updated {age:.1f} hours ago")
    looked = (clock - seconds(said["last_update_check"])) / HOUR
    expected = f"looked for signatures in the last {LOOKED_HOURS:.0f} hours"
    yield Finding("updates", looked <= LOOKED_HOURS, expected, f"looked {looked:.1f} hours ago")


def patching(report: Mapping[str, Any], policy: Policy, clock: float) -> Iterator[Finding]:
    """How the status of a system that patches is judged: whole, it ran lately, and nothing has waited too long."""
    whole = list(well_formed(report, PATCHING, clock))
    if all(one.ok for one in whole):
        whole += _agreeing(report["said"])
    yield from whole
    if not all(one.ok for one in whole):
        return
    said, limit = report["said"], policy.package_list_hours
    hours = (clock - seconds(said["last_run"])) / HOUR
    expected = f"ran at most {limit.value} {limit.unit} ago ({limit.source})"
    yield Finding("last-run", hours <= limit.value, expected, f"ran {hours:.1f} hours ago, without error")
    told = f"{said['updates_pending']} updates pending, {said['security_pending']} of them for security"
    expected, age, limit = (
        "no security update has waited longer than allowed",
        said["oldest_security"],
        policy.patch_days,
    )
    yield _waited("overdue", expected, limit, age, clock, told)
    told = "a reboot is required" if said["reboot_required"] else "no reboot is required"
    expected = "no reboot has waited longer than allowed"
    yield _waited("reboot", expected, policy.reboot_days, said["reboot_since"], clock, told)


def _agreeing(said: Mapping[str, Any]) -> Iterator[Finding]:
    """Do the fields agree with each other? Without a time nobody can say how long something has waited."""
    security, updates = said["security_pending"], said["updates_pending"]
    expected = "security_pending: not more than updates_pending"
    yield Finding("answer", security <= updates, expected, f"{security} of {updates}")
    for name, time, waits in (
        ("security_pending", "oldest_security", security > 0),
        ("reboot_required", "reboot_since", said["reboot_required"]),
    ):
        expected = f"{time}: a time exactly when {name} says that something waits"
        yield Finding(
            "answer", waits == (said[time] is not None), expected, f"{name} {said[name]}, {time} {said[time]}"
        )


def _waited(  # noqa: PLR0913, PLR0917 - one parameter for each part of the sentence
    name: str, what: str, limit: Threshold, since: str | None, clock: float, told: str
) -> Finding:
    """Nothing waits, or not too long."""
    days = (clock - seconds(since)) / DAY if since else 0.0
    observed = f"{told}; since {days:.1f} days" if since else told
    return Finding(name, days <= limit.value, f"{what}: {limit.value} {limit.unit} ({limit.source})", observed)


Judge = Callable[[Mapping[str, Any], Policy, float], Iterator[Finding]]


@dataclass(frozen=True)
class Configured:
    """A hook of a host: which concern it stands in for, and how its status is judged."""

    host: Host
    concern: str
    hook: Hook
    fields: Mapping[str, Field]
    judge: Judge

    @property
    def question(self) -> dict[str, Any]:
        """What remote/hook.py is asked."""
        return question(self.hook, self.fields)


def question(hook: Hook, fields: Mapping[str, Field]) -> dict[str, Any]:
    """What remote/hook.py is asked: the command, and the names that its answer may have."""
    return {"status": list(hook.status), "fields": list(fields)}


def configured(organisation: Organisation) -> tuple[Configured, ...]:
    """Every hook of every host, in the order of the organisation file."""
    return tuple(_configured(organisation))


def _configured(organisation: Organisation) -> Iterator[Configured]:
    scans = organisation.antivirus.hook
    for host in organisation.hosts:
        if scans and host.role == "relay":
            yield Configured(host, "antivirus", scans, SCANNER, scanner)
        if patches := organisation.patching.of(host.name):
            yield Configured(host, "patching", patches, PATCHING, patching)
