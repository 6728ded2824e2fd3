"""Results, requirements and the errors meant for people. Imports nothing of ours."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from enum import StrEnum
from typing import Any

SCHEMA = 1
"""Version of the form that `plain` gives a run; docs/check.schema.json describes it."""


class CjsmError(Exception):
    """Something a person has to know: what was expected, what was found, what to do. Shown without a traceback."""


class Status(StrEnum):
    """The six results, never folded into each other; only `pass` counts as passed."""

    PASS = "pass"  # noqa: S105
    FAIL = "fail"
    WARN = "warn"
    WAIVED = "waived"
    NOT_TESTED = "not_tested"
    ERROR = "error"


class Impact(StrEnum):
    """What a check does to the world outside; the default outside the lab is the first two."""

    PASSIVE = "passive"
    LOCAL_ACTIVE = "local-active"
    HUB_HANDSHAKE = "hub-handshake"
    HUB_MAIL = "hub-mail"


class Severity(StrEnum):
    """How much a failure matters for the connection."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


@dataclass(frozen=True, slots=True)
class Requirement:
    """One thing asked for by the seeds, the terms or a named UK rule; a row of checks/requirements.toml."""

    id: str
    concern: str
    title: str
    why: str
    source: str
    severity: Severity
    prerequisite: str = ""  # firewall | antivirus | patching: one of the three minimum prerequisites
    question: str = ""  # the application question that it answers, if any
    advice: bool = False  # advice never counts against the prerequisites


@dataclass(frozen=True, slots=True)
class Check:
    """What a check says of itself, before it has run."""

    id: str
    requirement: str
    title: str
    role: str  # the role judged: relay, mail, firewall or estate
    vantage: str  # from where it is seen: host, or the name of a vantage (hub, outside, mail, relay, admin)
    impact: Impact
    remedy: str


@dataclass(frozen=True, slots=True)
class Waived:
    """What stands behind a waived result: what was found, and who lives with it. Days are UTC, both included."""

    status: Status  # what it would be without the waiver: fail or warn
    reason: str
    approver: str
    risk: str
    start: str
    expiry: str


@dataclass(frozen=True, slots=True)
class WaiverEntry:
    """A waiver of the organisation file on the day of the run, whether it covers anything or not."""

    requirement: str
    reason: str
    approver: str
    risk: str
    start: str
    expiry: str
    state: str  # "in force", or why it is not
    covers: int  # how many results are waived by it


@dataclass(frozen=True, slots=True)
class Result:
    """A requirement judged against an observation on one subject."""

    check: str
    requirement: str
    title: str
    status: Status
    severity: Severity
    subject: str
    vantage: str
    impact: Impact
    expected: str
    observed: str
    remedy: str
    why: str = ""  # what goes wrong where the requirement is not met
    reason: str = ""  # why not_tested, waived (with its end) or error
    scoped: bool = False  # not_tested, and accepted by name in [[scope]]
    waiver: Waived | None = None  # only where the status is waived

    def plain(self) -> dict[str, Any]:
        """Builtin types, for JSON."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Run:
    """All results of one run of the checks, with when and how it was made. Times are UTC, ISO 8601."""

    results: tuple[Result, ...]
    started: str
    ended: str
    organisation: str
    organisation_digest: str
    tool_version: str
    catalogue_version: str
    laboratory: str = ""  # the lab's name, empty on a real estate
    notes: tuple[str, ...] = field(default=())
    narrowed: tuple[str, ...] = ()  # the requirements that were asked for, if not all were
    waivers: tuple[WaiverEntry, ...] = ()

    def totals(self) -> dict[str, int]:
        """How many results of each status; the sum is the number of results."""
        return {status.value: sum(r.status == status for r in self.results) for status in Status}

    @property
    def complete(self) -> bool:
        """Evidence is complete only when everything was asked for, nothing is not_tested and nothing is in error."""
        unknown = any(one.status in (Status.NOT_TESTED, Status.ERROR) for one in self.results)
        return bool(self.results) and not self.narrowed and not unknown

    def plain(self) -> dict[str, Any]:
        """The run as `cjsm check --json` shows it, in builtin types."""
        head = asdict(self)
        rows, waivers = head.pop("results"), head.pop("waivers")
        head |= {"complete": self.complete, "exit_code": self.exit_code}
        return {"schema": SCHEMA, "run": head, "totals": self.totals(), "waivers": waivers, "results": rows}

    @property
    def exit_code(self) -> int:
        """0 nothing to find, 1 findings, 2 could not tell (DESIGN decision 9). A run without results told nothing."""
        if not self.results or any(r.status is Status.ERROR for r in self.results):
            return 2
        return int(any(counts_against(r) for r in self.results))


def counts_against(result: Result) -> bool:
    """Does this result make `check` exit 1? Any fail, a warn of high severity, a not_tested nobody accepted."""
    match result.status:
        case Status.FAIL:
            return True
        case Status.WARN:
            return result.severity is Severity.HIGH
        case Status.NOT_TESTED:
            return not result.scoped
        case _:
            return False


def worst(statuses: Iterable[Status]) -> Status:
    """The worst of several statuses, for a summary line; an empty sequence is not_tested."""
    order = [Status.ERROR, Status.FAIL, Status.NOT_TESTED, Status.WARN, Status.WAIVED, Status.PASS]
    return min(statuses, key=order.index, default=Status.NOT_TESTED)
