"""What the organisation file accepts: waivers of requirements, and checks that it accepts as not tested."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Protocol

from cjsm_connect.results import Impact, Result, Severity, Status

WAIVABLE = (Status.FAIL, Status.WARN)


class Waiver(Protocol):
    """A dated decision to live without a requirement; `expiry` is the last day, in UTC."""

    @property
    def requirement(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def approver(self) -> str: ...
    @property
    def start(self) -> date: ...
    @property
    def expiry(self) -> date: ...


class Scope(Protocol):
    """A check that is accepted as not tested, by name."""

    @property
    def check(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def owner(self) -> str: ...


def accept(
    results: Iterable[Result], waivers: Sequence[Waiver], scope: Sequence[Scope], today: date
) -> tuple[Result, ...]:
    """The results with waivers and scope applied. A pass stays a pass, an error stays an error."""
    in_force = {w.requirement: w for w in waivers if w.start <= today <= w.expiry}
    accepted = {entry.check: entry for entry in scope}
    return tuple(_scoped(_waived(one, in_force), accepted) for one in results)


def misplaced(
    waivers: Sequence[Waiver],
    scope: Sequence[Scope],
    requirements: Container[str],
    checks: Container[str],
    today: date,
) -> tuple[Result, ...]:
    """A failed result for each waiver that has expired, and for each waiver or scope that names nothing we know."""
    found = [
        _refused("waiver", w.requirement, "a known requirement") for w in waivers if w.requirement not in requirements
    ]
    found += [
        _refused("waiver", w.requirement, "a waiver in force", f"it expired on {w.expiry}")
        for w in waivers
        if w.expiry < today
    ]
    found += [_refused("scope", entry.check, "a known check") for entry in scope if entry.check not in checks]
    return tuple(found)


def _waived(one: Result, in_force: dict[str, Waiver]) -> Result:
    waiver = in_force.get(one.requirement)
    if waiver is None or one.status not in WAIVABLE:
        return one
    reason = f"waived until {waiver.expiry} by {waiver.approver}: {waiver.reason}"
    return replace(one, status=Status.WAIVED, reason=reason)


def _scoped(one: Result, accepted: dict[str, Scope]) -> Result:
    entry = accepted.get(one.check)
    if entry is None or one.status is not Status.NOT_TESTED:
        return one
    return replace(one, scoped=True, reason=f"{one.reason} (accepted by {entry.owner}: {entry.reason})")


def _refused(table: str, name: str, expected: str, observed: str = "no such name") -> Result:
    return Result(
        check=f"{table}.{name}",
        requirement=name,
        title=f"The {table} entry for {name} is valid",
        status=Status.FAIL,
        severity=Severity.HIGH,
        subject="estate",
        vantage="organisation.toml",
        impact=Impact.PASSIVE,
        expected=expected,
        observed=observed,
        remedy=f"correct or remove the [[{'waivers' if table == 'waiver' else 'scope'}]] entry in organisation.toml",
    )
