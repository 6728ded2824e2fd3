"""A prerequisite is met when everything that belongs to it was seen to be so; never by a waiver, never by advice."""

from __future__ import annotations

import dataclasses

import pytest

from cjsm_connect.application.prerequisites import Stated, standings
from cjsm_connect.organisation.assessment import State
from cjsm_connect.results import Requirement, Result, Severity, Status, Waived
from tests.evidence.samples import result, run
from tests.made_up import TODAY

RULE = Requirement("firewall.deny", "firewall", "t", "w", "s", Severity.HIGH, "firewall")
NOTHING_STATED = Stated((), TODAY, 365)


def waived(status: Status) -> Result:
    said = Waived(status, "r", "a", "k", "2026-01-01", "2027-01-01")
    return result("firewall.deny", Status.WAIVED, waiver=said)


def firewall(*rows: Result, more: tuple[Requirement, ...] = ()) -> State:
    asked = {one.id: one for one in (RULE, *more)}
    return standings(run(*rows), asked, NOTHING_STATED)["firewall"].state


@pytest.mark.parametrize(
    ("row", "state"),
    [
        (result("firewall.deny"), State.MET),
        (result("firewall.deny", Status.FAIL), State.GAP),
        (result("firewall.deny", Status.WARN, severity=Severity.HIGH), State.GAP),
        (result("firewall.deny", Status.WARN, severity=Severity.LOW), State.MET),
        (result("firewall.deny", Status.NOT_TESTED), State.UNKNOWN),
        (result("firewall.deny", Status.NOT_TESTED, scoped=True), State.UNKNOWN),
        (result("firewall.deny", Status.ERROR), State.UNKNOWN),
        (waived(Status.FAIL), State.GAP),
        (waived(Status.WARN), State.MET),
    ],
)
def test_each_result_counts_as_what_it_is(row: Result, state: State) -> None:
    assert firewall(row) is state
    assert firewall(result("firewall.deny", subject="mail"), row) is state


def test_advice_makes_no_gap() -> None:
    advice = dataclasses.replace(RULE, id="firewall.nice", advice=True)
    assert firewall(result("firewall.deny"), result("firewall.nice", Status.FAIL), more=(advice,)) is State.MET


def test_a_run_that_looked_at_nothing_of_it_leaves_it_to_declarations() -> None:
    found = standings(run(result("tls.inner")), {RULE.id: RULE}, NOTHING_STATED)["firewall"]
    assert found.state is State.UNKNOWN
    assert found.basis == "neither checked nor declared (firewall-maintained)"
