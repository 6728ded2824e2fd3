"""Waivers and scope change how a result counts, never what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest

from cjsm_connect.results import Result, Status, counts_against
from cjsm_connect.results.acceptance import accept, misplaced
from tests.results.made_up import CHECK, REQUIREMENT, made

TODAY = date(2026, 11, 21)


@dataclass
class Waiver:
    requirement: str = REQUIREMENT.id
    reason: str = "replaced in spring"
    approver: str = "Robin Signatory"
    start: date = date(2026, 11, 1)
    expiry: date = date(2026, 11, 30)


@dataclass
class Scope:
    check: str = CHECK.id
    reason: str = "no vantage"
    owner: str = "Chris Technical"


def accepted(one: Result, waivers: tuple[Waiver, ...] = (Waiver(),), today: date = TODAY) -> Result:
    [result] = accept([one], waivers, (Scope(),), today)
    return result


@pytest.mark.parametrize("status", [Status.FAIL, Status.WARN])
def test_a_waiver_in_force_waives_and_says_until_when_and_by_whom(status: Status) -> None:
    result = accepted(made(status))
    assert result.status is Status.WAIVED
    assert result.reason == "waived until 2026-11-30 by Robin Signatory: replaced in spring"
    assert result.observed == "policy accept"


@pytest.mark.parametrize("status", [Status.PASS, Status.ERROR])
def test_a_pass_stays_a_pass_and_an_error_stays_an_error(status: Status) -> None:
    assert accepted(made(status)).status is status


@pytest.mark.parametrize(
    ("today", "status"),
    [
        (date(2026, 10, 31), Status.FAIL),
        (date(2026, 11, 1), Status.WAIVED),
        (date(2026, 11, 30), Status.WAIVED),
        (date(2026, 12, 1), Status.FAIL),
    ],
)
def test_a_waiver_counts_from_its_first_to_its_last_day(today: date, status: Status) -> None:
    assert accepted(made(Status.FAIL), today=today).status is status


def test_a_check_accepted_by_name_may_stay_untested_but_is_not_passed() -> None:
    result = accepted(made(Status.NOT_TESTED, reason="no vantage"))
    assert (result.status, result.scoped) == (Status.NOT_TESTED, True)
    assert not counts_against(result)
    assert "accepted by Chris Technical" in result.reason


def test_scope_does_not_cover_a_failure() -> None:
    result = accepted(made(Status.FAIL), waivers=())
    assert result.status is Status.FAIL
    assert counts_against(result)


def test_expired_and_unknown_entries_are_failures_of_their_own() -> None:
    waivers = (Waiver(), Waiver(expiry=date(2026, 11, 20)), Waiver(requirement="firewall.typo"))
    found = misplaced(waivers, (Scope(), Scope(check="firewall.typo")), {REQUIREMENT.id}, {CHECK.id}, TODAY)
    assert [(one.check, one.observed) for one in found] == [
        ("waiver.firewall.typo", "no such name"),
        ("waiver.firewall.default-deny", "it expired on 2026-11-20"),
        ("scope.firewall.typo", "no such name"),
    ]
    assert all(counts_against(one) for one in found)
