"""Waivers and scope change how a result counts, never what was seen."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import pytest

from cjsm_connect.results import Result, Status, counts_against
from cjsm_connect.results.acceptance import accept, entries, misplaced_scope, misplaced_waivers
from tests.results.made_up import CHECK, REQUIREMENT, made

TODAY = date(2026, 11, 21)


@dataclass
class Waiver:
    requirement: str = REQUIREMENT.id
    reason: str = "replaced in spring"
    approver: str = "Robin Signatory"
    risk: str = "a port stays open"
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
    assert result.reason == (
        f"{status}, waived from 2026-11-01 to the end of 2026-11-30 (UTC) by Robin Signatory: replaced in spring; "
        "risk: a port stays open"
    )
    assert result.observed == "policy accept"
    assert result.waiver is not None
    assert result.waiver.status is status
    assert (result.waiver.risk, result.waiver.expiry) == ("a port stays open", "2026-11-30")


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


def test_waivers_that_are_over_not_begun_or_unknown_are_failures_of_their_own() -> None:
    waivers = (
        Waiver(),
        Waiver(requirement="firewall.over", expiry=date(2026, 11, 20)),
        Waiver(requirement="firewall.later", start=date(2026, 11, 22)),
        Waiver(requirement="firewall.typo"),
    )
    found = misplaced_waivers(waivers, {REQUIREMENT.id, "firewall.over", "firewall.later"}, TODAY)
    assert [(one.check, one.observed) for one in found] == [
        ("waiver.firewall.over", "it expired at the end of 2026-11-20 (UTC)"),
        ("waiver.firewall.later", "it does not start before 2026-11-22 (UTC)"),
        ("waiver.firewall.typo", "no such name"),
    ]
    assert all(counts_against(one) for one in found)


def test_two_bad_entries_of_one_name_are_one_result_so_that_each_name_stands_once() -> None:
    twice = (Waiver(expiry=date(2026, 11, 10)), Waiver(expiry=date(2026, 11, 20)))
    [found] = misplaced_waivers(twice, {REQUIREMENT.id}, TODAY)
    assert found.observed == "it expired at the end of 2026-11-10 (UTC); it expired at the end of 2026-11-20 (UTC)"


def test_accepting_a_check_that_does_not_exist_is_a_failure() -> None:
    [found] = misplaced_scope((Scope(), Scope(check="firewall.typo")), {CHECK.id})
    assert (found.check, found.observed) == ("scope.firewall.typo", "no such name")
    assert counts_against(found)


def test_every_waiver_is_listed_with_its_state_and_what_it_covers() -> None:
    waivers = (Waiver(), Waiver(requirement="firewall.typo"))
    results = accept([made(Status.FAIL), made(Status.PASS), made(Status.ERROR)], waivers, (), TODAY)
    listed = entries(waivers, {REQUIREMENT.id}, results, TODAY)
    assert [(one.requirement, one.state, one.covers) for one in listed] == [
        (REQUIREMENT.id, "in force", 1),
        ("firewall.typo", "no such name", 0),
    ]
    assert (listed[0].reason, listed[0].approver, listed[0].risk) == (
        "replaced in spring",
        "Robin Signatory",
        "a port stays open",
    )
