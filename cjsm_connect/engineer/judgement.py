"""One bundle judged by the criteria. Pure: the same bundle, criteria and moment give the same decision."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from cjsm_connect.engineer.criteria import Criteria, Criterion, Effect
from cjsm_connect.evidence.statement import Predicate, moment
from cjsm_connect.printable import shown
from cjsm_connect.results import Status
from cjsm_connect.results.catalogue import Catalogue

MOST_EVIDENCE = 20  # rows shown for a reason; their number is always said


class Decision(StrEnum):
    """What the engineer says. `not judged`: the bundle itself cannot be relied on, which says nothing of the system."""

    COMPATIBLE = "compatible"
    CONDITIONS = "compatible with conditions"
    NOT_COMPATIBLE = "not compatible"
    NOT_JUDGED = "not judged"


class Outcome(StrEnum):
    """Of one criterion. `not shown` is never taken for met, nor for not met."""

    MET = "met"
    LIMITED = "met with limits"
    NOT_MET = "not met"
    NOT_SHOWN = "not shown"


@dataclass(frozen=True, slots=True)
class Reason:
    """A criterion, what became of it, and the results that say so. `effect` is empty when nothing follows."""

    criterion: str
    text: str
    source: str
    outcome: Outcome
    effect: Effect | None
    because: str
    evidence: tuple[str, ...]


def decision(reasons: Iterable[Reason]) -> Decision:
    """The worst that follows from any reason."""
    effects = {reason.effect for reason in reasons}
    if "refuse" in effects:
        return Decision.NOT_COMPATIBLE
    return Decision.CONDITIONS if "condition" in effects else Decision.COMPATIBLE


def reasons(
    criteria: Criteria, catalogue: Catalogue, said: Predicate, rows: Sequence[Mapping[str, Any]], now: datetime
) -> tuple[Reason, ...]:
    """Every criterion judged, after what is asked of the bundle as a whole."""
    by_requirement: dict[str, list[Mapping[str, Any]]] = {}
    for row in rows:
        by_requirement.setdefault(str(row.get("requirement")), []).append(row)
    judged = (_judged(one, one.named(catalogue), by_requirement) for one in criteria.criteria)
    return (*_of_the_bundle(criteria, said, now), *judged)


def _of_the_bundle(criteria: Criteria, said: Predicate, now: datetime) -> Iterator[Reason]:
    limits, source = criteria.bundle, f"{criteria.title} {criteria.version}"
    if said.laboratory:
        yield Reason(
            "laboratory", "It is about a real organisation", source, Outcome.NOT_MET, limits.laboratory,
            f"made on the test laboratory {shown(said.laboratory)}", (),
        )  # fmt: skip
    ended = moment(said.ended)
    if ended is None or now - ended > timedelta(days=limits.max_age_days):
        yield Reason(
            "age", f"Its hosts were looked at within {limits.max_age_days} days", source, Outcome.NOT_MET, "refuse",
            f"looked at until {shown(said.ended)}; ask for new evidence", (),
        )  # fmt: skip


def _judged(
    criterion: Criterion, requirements: Sequence[str], by_requirement: Mapping[str, list[Mapping[str, Any]]]
) -> Reason:
    rows = [row for name in requirements for row in by_requirement.get(name, [])]
    lacking = [name for name in requirements if name not in by_requirement]
    outcome, because = _outcome([str(row.get("status")) for row in rows], lacking)
    effect: Effect | None = {
        Outcome.MET: None,
        Outcome.LIMITED: "condition",
        Outcome.NOT_MET: criterion.not_met,
        Outcome.NOT_SHOWN: criterion.not_shown,
    }[outcome]
    telling = [row for row in rows if row.get("status") != Status.PASS]
    return Reason(
        criterion.id, criterion.text, criterion.source, outcome, effect, because, tuple(_evidence(telling or rows))
    )


def _outcome(found: Sequence[str], lacking: Sequence[str]) -> tuple[Outcome, str]:
    """A failure outweighs what is not shown: it is known."""
    statuses = set(found)
    if Status.FAIL in statuses:
        return Outcome.NOT_MET, f"{found.count(Status.FAIL)} of {len(found)} results are fail"
    if lacking:
        return Outcome.NOT_SHOWN, f"the bundle holds no result for {', '.join(lacking)}"
    if unclear := sorted(statuses - {Status.PASS, Status.WARN, Status.WAIVED}):
        return Outcome.NOT_SHOWN, f"results are {' and '.join(one.replace('_', ' ') for one in unclear)}"
    if limits := sorted(statuses & {Status.WARN, Status.WAIVED}):
        return Outcome.LIMITED, f"results are {' and '.join(limits)}"
    return Outcome.MET, f"all {len(found)} results passed" if len(found) > 1 else "its one result passed"


def _evidence(rows: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for row in rows[:MOST_EVIDENCE]:
        what = row.get("reason") if row.get("status") in (Status.NOT_TESTED, Status.WAIVED) else row.get("observed")
        yield (
            f"{shown(row.get('check'))} on {shown(row.get('subject'))}, seen from {shown(row.get('vantage'))}: "
            f"{shown(row.get('status'))}: {shown(what, 300)}"
        )
    if len(rows) > MOST_EVIDENCE:
        yield f"and {len(rows) - MOST_EVIDENCE} more in results.json"
