"""JUnit XML folds nothing: its four outcomes, each with the status it stands for, and the totals of all six."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree

from cjsm_connect.reports import junit
from cjsm_connect.results import Result, Run, Severity, Status
from tests.results.made_up import made

EVERY = (
    made(Status.PASS),
    made(Status.FAIL),
    replace(made(Status.WARN), severity=Severity.LOW),
    made(Status.WARN),
    made(Status.WAIVED, reason="until spring"),
    made(Status.NOT_TESTED, reason="no vantage"),
    replace(made(Status.NOT_TESTED, reason="no vantage"), scoped=True),
    made(Status.ERROR, reason="relay is down"),
)


def suite(*results: Result) -> ElementTree.Element:
    run = Run(results, "2026-11-21T12:00:00+00:00", "2026-11-21T12:00:09+00:00", "Exampleshire", "d", "0", "c")
    found = ElementTree.fromstring(junit.xml(run)).find("testsuite")
    assert found is not None
    return found


def said(case: ElementTree.Element) -> tuple[str, str]:
    """The outcome of a case, and its type."""
    return next(((child.tag, child.get("type", "")) for child in case if child.tag != "properties"), ("", ""))


def test_each_status_has_an_outcome_of_its_own() -> None:
    assert [said(case) for case in suite(*EVERY).iter("testcase")] == [
        ("", ""),
        ("failure", "fail"),
        ("system-out", ""),
        ("failure", "warn"),
        ("skipped", "waived"),
        ("skipped", "not_tested"),
        ("skipped", "not_tested"),
        ("error", "error"),
    ]


def test_a_skip_says_why_and_a_warning_that_does_not_count_is_seen() -> None:
    found = suite(*EVERY)
    assert [one.get("message") for one in found.iter("skipped")] == ["until spring", "no vantage", "no vantage"]
    assert [one.text for one in found.iter("system-out")] == [
        "WARNING: Input is dropped: expected policy drop, observed policy accept\ncjsm apply"
    ]


def test_the_suite_carries_all_six_totals_and_the_exit_code() -> None:
    properties = {entry.get("name"): entry.get("value") for entry in suite(*EVERY).findall("properties/property")}
    assert properties == {
        "pass": "1",
        "fail": "1",
        "warn": "2",
        "waived": "1",
        "not_tested": "2",
        "error": "1",
        "exit_code": "2",
        "complete": "false",
    }


def test_the_numbers_at_the_head_are_those_of_the_cases() -> None:
    found = suite(*EVERY)
    assert {name: found.get(name) for name in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "8",
        "failures": "2",
        "errors": "1",
        "skipped": "3",
        "time": "9",
    }


def test_a_case_carries_requirement_status_and_what_was_seen() -> None:
    case = suite(made(Status.FAIL)).find("testcase")
    assert case is not None
    assert case.get("classname") == "firewall.default-deny"
    assert case.get("name") == "firewall.input[relay]"
    properties = {entry.get("name"): entry.get("value") for entry in case.iter("property")}
    assert properties["status"] == "fail"
    assert properties["remedy"] == "cjsm apply"
    failure = case.find("failure")
    assert failure is not None
    assert failure.get("message") == "expected policy drop, observed policy accept"


def test_markup_from_a_host_stays_text() -> None:
    hostile = replace(made(Status.FAIL), observed='</failure><script>&"')
    failure = suite(hostile).find("testcase/failure")
    assert failure is not None
    assert "</failure><script>" in str(failure.get("message"))
