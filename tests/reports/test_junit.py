"""JUnit XML says the same as the exit code of `check`."""

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


def test_what_counts_against_is_a_failure_and_what_is_accepted_is_skipped() -> None:
    found = suite(*EVERY)
    kinds = [next((child.tag for child in case if child.tag != "properties"), "") for case in found.iter("testcase")]
    assert kinds == ["", "failure", "", "failure", "skipped", "failure", "skipped", "error"]


def test_the_numbers_at_the_head_are_those_of_the_cases() -> None:
    found = suite(*EVERY)
    assert {name: found.get(name) for name in ("tests", "failures", "errors", "skipped", "time")} == {
        "tests": "8",
        "failures": "3",
        "errors": "1",
        "skipped": "2",
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
