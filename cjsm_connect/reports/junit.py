"""Results as JUnit XML, the form that CI servers show. One test case a result; our own words as properties."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cjsm_connect.results import Result, Run, Status, counts_against

PROPERTIES = ("requirement", "status", "severity", "subject", "vantage", "impact", "expected", "observed", "remedy")


def xml(run: Run) -> str:
    """The whole run as one test suite. What does not make `check` exit 1 is no failure here either."""
    root = Element("testsuites", name="cjsm check")
    suite = SubElement(root, "testsuite", name=run.organisation, timestamp=run.started, time=f"{_seconds(run):.0f}")
    suite.attrib.update(_counts(run.results))
    for result in run.results:
        _case(suite, result)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _counts(results: Iterable[Result]) -> dict[str, str]:
    kinds = [_kind(result) for result in results]
    counted = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return {"tests": str(len(kinds)), **{name: str(kinds.count(kind)) for name, kind in counted.items()}}


def _kind(result: Result) -> str:
    """JUnit's word for a result; "" for a test case that went well."""
    if result.status is Status.ERROR:
        return "error"
    if counts_against(result):
        return "failure"
    return "skipped" if result.status in (Status.NOT_TESTED, Status.WAIVED) else ""


def _case(suite: Element, result: Result) -> None:
    case = SubElement(suite, "testcase", classname=result.requirement, name=f"{result.check}[{result.subject}]")
    properties = SubElement(case, "properties")
    for name in PROPERTIES:
        SubElement(properties, "property", name=name, value=str(getattr(result, name)))
    if kind := _kind(result):
        message = result.reason or f"expected {result.expected}, observed {result.observed}"
        SubElement(case, kind, message=message).text = f"{result.title}\n{result.remedy}"


def _seconds(run: Run) -> float:
    return (datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.started)).total_seconds()
