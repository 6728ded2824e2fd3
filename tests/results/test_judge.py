"""A check that says yes passes; one that says no, nothing, or breaks, never does."""

from __future__ import annotations

from collections.abc import Callable

from cjsm_connect.results import Result, Status
from cjsm_connect.results.judge import LONGEST, CannotTell, Verdict, judge, readable
from tests.results.made_up import CHECK, REQUIREMENT


def judged(function: Callable[[Verdict], None]) -> Result:
    verdict = Verdict()
    return judge(CHECK, REQUIREMENT, "relay", verdict, lambda: function(verdict))


def test_yes_is_a_pass_with_what_was_expected_and_seen() -> None:
    result = judged(lambda verdict: verdict(True, expected="drop", observed="drop"))
    assert (result.status, result.expected, result.observed) == (Status.PASS, "drop", "drop")


def test_no_is_a_failure_that_carries_the_remedy() -> None:
    result = judged(lambda verdict: verdict(False, expected="drop", observed="accept"))
    assert (result.status, result.observed, result.remedy) == (Status.FAIL, "accept", CHECK.remedy)


def test_no_can_be_a_warning() -> None:
    assert judged(lambda verdict: verdict(False, expected="a", observed="b", warn=True)).status is Status.WARN


def test_the_first_no_ends_the_check_and_a_later_yes_does_not_hide_it() -> None:
    def check(verdict: Verdict) -> None:
        verdict(True, expected="one", observed="one")
        verdict(False, expected="two", observed="three")
        verdict(True, expected="four", observed="four")

    result = judged(check)
    assert (result.status, result.expected) == (Status.FAIL, "two")


def test_a_check_that_says_nothing_is_an_error() -> None:
    assert judged(lambda _: None).status is Status.ERROR


def test_a_check_that_breaks_after_a_yes_is_an_error() -> None:
    def check(verdict: Verdict) -> None:
        verdict(True, expected="one", observed="one")
        raise KeyError("chains")

    result = judged(check)
    assert result.status is Status.ERROR
    assert "KeyError: 'chains'" in result.reason


def test_what_was_not_seen_is_an_error_and_what_was_not_tried_is_not_tested() -> None:
    def unseen(verdict: Verdict) -> None:
        raise CannotTell("relay told nothing about firewall")

    assert judged(unseen).reason == "relay told nothing about firewall"
    assert judged(unseen).status is Status.ERROR
    silent = judged(lambda verdict: verdict.not_tested("no vantage"))
    assert (silent.status, silent.reason) == (Status.NOT_TESTED, "no vantage")


def test_what_a_host_said_becomes_one_short_line_without_control_characters() -> None:
    assert readable("220 relay\r\n\x1b[2Jgone\u202e") == "220 relay \\x1b[2Jgone\\u202e"
    assert len(readable("x" * 100_000)) < LONGEST + 40
