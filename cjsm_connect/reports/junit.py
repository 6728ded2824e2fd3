"""Results as JUnit XML, the form that CI servers show. One test case a result; our own words as properties.

JUnit knows four outcomes and we six, so each case also carries its status: as the property `status`, and as the `type`
of its failure, error or skip. The suite's properties hold the six totals and the exit code.

| status | JUnit |
|---|---|
| `pass` | a case without more |
| `fail` | failure |
| `warn` | failure of type `warn` where it counts (high severity), else a case that says WARNING in its output |
| `error` | error |
| `not_tested`, `waived` | skipped, with the reason |
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from cjsm_connect.printable import everywhere
from cjsm_connect.results import Result, Run, Status, counts_against

PROPERTIES = ("requirement", "status", "severity", "subject", "vantage", "impact", "expected", "observed", "remedy")
WAIVER = ("status", "reason", "approver", "risk", "start", "expiry")
KINDS = {
    Status.FAIL: "failure",
    Status.ERROR: "error",
    Status.NOT_TESTED: "skipped",
    Status.WAIVED: "skipped",
}


def xml(run: Run) -> str:
    """The whole run as one test suite. XML 1.0 cannot hold control characters in any spelling."""
    run = everywhere(run)
    root = Element("testsuites", name="cjsm check")
    suite = SubElement(root, "testsuite", name=run.organisation, timestamp=run.started, time=f"{_seconds(run):.0f}")
    suite.attrib.update(_counts(run.results))
    told = {**run.totals(), "exit_code": run.exit_code, "complete": str(run.complete).lower()}
    _properties(suite, told | {f"note.{number}": note for number, note in enumerate(run.notes, 1)})
    for result in run.results:
        _case(suite, result)
    indent(root)
    return '<?xml version="1.0" encoding="utf-8"?>\n' + tostring(root, encoding="unicode") + "\n"


def _properties(parent: Element, told: Mapping[str, object]) -> None:
    properties = SubElement(parent, "properties")
    for name, value in told.items():
        SubElement(properties, "property", name=name, value=str(value))


def _counts(results: Iterable[Result]) -> dict[str, str]:
    kinds = [_kind(result) for result in results]
    counted = {"failures": "failure", "errors": "error", "skipped": "skipped"}
    return {"tests": str(len(kinds)), **{name: str(kinds.count(kind)) for name, kind in counted.items()}}


def _kind(result: Result) -> str:
    """JUnit's word for a result; "" for a test case that went well."""
    if result.status is Status.WARN:
        return "failure" if counts_against(result) else ""
    return KINDS.get(result.status, "")


def _case(suite: Element, result: Result) -> None:
    case = SubElement(suite, "testcase", classname=result.requirement, name=f"{result.check}[{result.subject}]")
    told = {name: getattr(result, name) for name in PROPERTIES}
    if result.waiver:
        told |= {f"waiver.{name}": getattr(result.waiver, name) for name in WAIVER}
    _properties(case, told)
    message = result.reason or f"expected {result.expected}, observed {result.observed}"
    if kind := _kind(result):
        SubElement(case, kind, type=result.status, message=message).text = f"{result.title}\n{result.remedy}"
    elif result.status is Status.WARN:
        SubElement(case, "system-out").text = f"WARNING: {result.title}: {message}\n{result.remedy}"


def _seconds(run: Run) -> float:
    return (datetime.fromisoformat(run.ended) - datetime.fromisoformat(run.started)).total_seconds()
