"""What the organisation file accepts: waivers of requirements, and checks that it accepts as not tested."""

from __future__ import annotations

from collections.abc import Container, Iterable, Sequence
from dataclasses import replace
from datetime import date
from typing import Protocol

from cjsm_connect.results import Impact, Result, Severity, Status, Waived, WaiverEntry

WAIVABLE = (Status.FAIL, Status.WARN)
IN_FORCE = "in force"


class Waiver(Protocol):
    """A dated decision to live without a requirement, from `start` to the end of `expiry` (UTC, both included)."""

    @property
    def requirement(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def approver(self) -> str: ...
    @property
    def risk(self) -> str: ...
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
    in_force = {waiver.requirement: waiver for waiver in waivers if out_of_force(waiver, today) == ""}
    accepted = {entry.check: entry for entry in scope}
    return tuple(_scoped(_waived(one, in_force), accepted) for one in results)


def out_of_force(waiver: Waiver, today: date) -> str:
    """Why a waiver does not count on a day (UTC); "" if it does."""
    if today < waiver.start:
        return f"it does not start before {waiver.start} (UTC)"
    return f"it expired at the end of {waiver.expiry} (UTC)" if waiver.expiry < today else ""


def entries(
    waivers: Sequence[Waiver], requirements: Container[str], results: Sequence[Result], today: date
) -> tuple[WaiverEntry, ...]:
    """Every waiver of the organisation file, with its state and how many results it covers."""
    return tuple(_entry(waiver, requirements, results, today) for waiver in waivers)


def misplaced_waivers(waivers: Sequence[Waiver], requirements: Container[str], today: date) -> tuple[Result, ...]:
    """A failed result for each requirement with a waiver that has expired, has not begun, or waives nothing we know."""
    return _refused("waiver", [(waiver.requirement, _doubt(waiver, requirements, today)) for waiver in waivers])


def misplaced_scope(scope: Sequence[Scope], checks: Container[str]) -> tuple[Result, ...]:
    """A failed result for each entry that accepts a check which does not exist."""
    return _refused("scope", [(entry.check, "" if entry.check in checks else "no such name") for entry in scope])


def _entry(waiver: Waiver, requirements: Container[str], results: Sequence[Result], today: date) -> WaiverEntry:
    said = _said(waiver)
    covers = sum(one.waiver is not None and one.requirement == waiver.requirement for one in results)
    doubt = _doubt(waiver, requirements, today)
    return WaiverEntry(waiver.requirement, **said, state=doubt or IN_FORCE, covers=0 if doubt else covers)


def _doubt(waiver: Waiver, requirements: Container[str], today: date) -> str:
    return out_of_force(waiver, today) if waiver.requirement in requirements else "no such name"


def _said(waiver: Waiver) -> dict[str, str]:
    days = {"start": waiver.start.isoformat(), "expiry": waiver.expiry.isoformat()}
    return {"reason": waiver.reason, "approver": waiver.approver, "risk": waiver.risk, **days}


def _waived(one: Result, in_force: dict[str, Waiver]) -> Result:
    waiver = in_force.get(one.requirement)
    if waiver is None or one.status not in WAIVABLE:
        return one
    reason = (
        f"{one.status}, waived from {waiver.start} to the end of {waiver.expiry} (UTC) by {waiver.approver}: "
        f"{waiver.reason}; risk: {waiver.risk}"
    )
    return replace(one, status=Status.WAIVED, reason=reason, waiver=Waived(one.status, **_said(waiver)))


def _scoped(one: Result, accepted: dict[str, Scope]) -> Result:
    entry = accepted.get(one.check)
    if entry is None or one.status is not Status.NOT_TESTED:
        return one
    return replace(one, scoped=True, reason=f"{one.reason} (accepted by {entry.owner}: {entry.reason})")


def _refused(table: str, found: Iterable[tuple[str, str]]) -> tuple[Result, ...]:
    """One result for each name that something is wrong with, however often it stands in the file."""
    doubts: dict[str, list[str]] = {}
    for name, doubt in found:
        if doubt:
            doubts.setdefault(name, []).append(doubt)
    return tuple(_refusal(table, name, "; ".join(dict.fromkeys(said))) for name, said in doubts.items())


def _refusal(table: str, name: str, observed: str) -> Result:
    expected = {"waiver": "a waiver in force, of a known requirement", "scope": "a known check"}[table]
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
        why="an entry that counts for nothing hides that nobody decided",
    )
