"""Each clause has what serves it, and the terms are due again after a year."""

from __future__ import annotations

import re
from datetime import date

import pytest

from cjsm_connect.application.prerequisites import Stated
from cjsm_connect.application.terms import checklist, renewal, terms
from cjsm_connect.organisation.statements import Declaration
from cjsm_connect.results.catalogue import load
from tests.evidence.samples import result
from tests.made_up import ROOT, TODAY

REQUIREMENTS = load(ROOT / "checks/requirements.toml").requirements


def accepted(day: str) -> Stated:
    made = Declaration(id="terms-accepted", statement="s", owner="Robin Signatory", date=date.fromisoformat(day))
    return Stated((made,), TODAY, 365)


def test_each_clause_is_served_by_requirements_or_by_people() -> None:
    for item in checklist(REQUIREMENTS, ()):
        assert item.requirements or item.clause.by_people, item.clause.number


def test_each_clause_that_a_requirement_names_is_on_the_list() -> None:
    sources = " ".join(one.source for one in REQUIREMENTS.values())
    named = set(re.findall(r"Terms v10\.2 clause (\d+)", sources))
    listed = {number for one in terms().clause for number in one.number.split(", ")}
    assert named <= listed
    assert len(named) >= 10


def test_clause_2_is_not_clause_21_and_results_follow_their_requirement() -> None:
    rows = (result("firewall.default-deny"), result("patching.automatic"))
    items = {one.clause.number: one for one in checklist(REQUIREMENTS, rows)}
    assert items["21"].results == rows[:1]
    assert items["23"].results == rows[1:]
    assert items["4"].results == ()


@pytest.mark.parametrize(
    ("day", "due", "late"),
    [("2026-11-01", "2027-11-01", False), ("2025-11-21", "2026-11-21", False), ("2025-11-20", "2026-11-20", True)],
)
def test_the_terms_are_due_a_year_after_they_were_accepted(day: str, due: str, late: bool) -> None:
    found = renewal(accepted(day))
    assert (found.owner, str(found.due), found.late) == ("Robin Signatory", due, late)


def test_a_leap_day_has_a_year_too() -> None:
    assert renewal(accepted("2024-02-29")).due == date(2025, 2, 28)


def test_terms_that_nobody_accepted_are_late() -> None:
    assert renewal(Stated((), TODAY, 365)).late
