"""The three minimum prerequisites: what the last check found of them, else what was declared, else unknown. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, timedelta

from cjsm_connect.organisation.assessment import State
from cjsm_connect.organisation.statements import Declaration
from cjsm_connect.results import Requirement, Result, Run, Status, counts_against
from cjsm_connect.results.catalogue import PREREQUISITES

DECLARED_BY = {"firewall": "firewall-maintained", "antivirus": "antivirus-policy", "patching": "patching-policy"}
"""Which declaration states a prerequisite, before there is a host to look at."""


@dataclass(frozen=True, slots=True)
class Standing:
    """Whether a prerequisite is met, and how that is known."""

    state: State
    basis: str


@dataclass(frozen=True, slots=True)
class Stated:
    """The declarations of an organisation, on a day, with the days after which one is stale."""

    declarations: tuple[Declaration, ...]
    today: date
    days: int

    def find(self, identifier: str) -> Declaration | None:
        """The declaration of that id, stale or not."""
        return next((made for made in self.declarations if made.id == identifier), None)

    def stale(self, made: Declaration) -> bool:
        """Whether it was made too long ago to count."""
        return self.today - made.date > timedelta(days=self.days)


def standings(run: Run | None, requirements: Mapping[str, Requirement], stated: Stated) -> dict[str, Standing]:
    """Each prerequisite by its name. What was looked at counts more than what somebody declared."""
    return {name: _observed(run, requirements, name) or _declared(stated, name) for name in PREREQUISITES}


def _observed(run: Run | None, requirements: Mapping[str, Requirement], name: str) -> Standing | None:
    """What the results of a run say; None where it did not look."""
    asked = {one.id for one in requirements.values() if one.prerequisite == name and not one.advice}
    results = [one for one in run.results if one.requirement in asked] if run else []
    if run is None or not results:
        return None
    unseen = asked - {one.requirement for one in results}
    state = State.UNKNOWN if unseen and judged(results) is State.MET else judged(results)
    return Standing(state, f"cjsm check of {run.ended[:10]}: {counted(results)}")


def judged(results: Iterable[Result]) -> State:
    """Met when everything passed (a warning of low weight counts as such); a waived failure is still a gap."""
    results = list(results)
    if any((one.status is not Status.NOT_TESTED and counts_against(one)) or _waived_failure(one) for one in results):
        return State.GAP
    if any(one.status in (Status.ERROR, Status.NOT_TESTED) for one in results) or not results:
        return State.UNKNOWN
    return State.MET


def _waived_failure(one: Result) -> bool:
    return one.waiver is not None and one.waiver.status is Status.FAIL


def counted(results: Iterable[Result]) -> str:
    """How many results there are of each status, in words."""
    found = [one.status for one in results]
    return ", ".join(f"{found.count(one)} {one.value.replace('_', ' ')}" for one in Status if one in found)


def _declared(stated: Stated, name: str) -> Standing:
    made = stated.find(DECLARED_BY[name])
    if made is None:
        return Standing(State.UNKNOWN, f"neither checked nor declared ({DECLARED_BY[name]})")
    said = f"declared by {made.owner} on {made.date}"
    if stated.stale(made):
        return Standing(State.UNKNOWN, f"{said}, which is more than {stated.days} days ago")
    return Standing(State.MET, said)
