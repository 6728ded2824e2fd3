"""The run in OSCAL 1.2, for programs that read no other form: catalogue, assessment plan, assessment results. Pure.

https://pages.nist.gov/OSCAL/; identifiers are UUIDv5 (RFC 9562) of what they stand for, so that the same run gives the
same documents. OSCAL knows two states of a control; which of the six results it was stays in the property `result`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from cjsm_connect.printable import escaped, everywhere
from cjsm_connect.results import Impact, Requirement, Result, Run, Status, worst

VERSION = "1.2.1"
NAMESPACE = "tag:cjsm-connect.example,2026:oscal"  # RFC 4151: of our properties
ROOT = uuid5(NAMESPACE_URL, NAMESPACE)
CATALOGUE, PLAN, RESULTS = "oscal/catalog.json", "oscal/assessment-plan.json", "oscal/assessment-results.json"

Document = dict[str, Any]


def documents(run: Run, requirements: Mapping[str, Requirement]) -> dict[str, Document]:
    """The three documents by their names in the bundle; they refer to each other by these."""
    run = everywhere(run)
    return {CATALOGUE: catalogue(run, requirements), PLAN: plan(run), RESULTS: assessment_results(run, requirements)}


def catalogue(run: Run, requirements: Mapping[str, Requirement]) -> Document:
    """Every requirement as a control, in a group for its concern."""
    concerns = list(dict.fromkeys(one.concern for one in requirements.values()))
    groups = [
        {"id": name, "title": name, "controls": [_control(one) for one in requirements.values() if one.concern == name]}
        for name in concerns
    ]
    identifier = _uuid("catalogue", run.catalogue_version)
    return {"catalog": {"uuid": identifier, "metadata": _metadata(run, "Requirements of a CJSM server connection"),
                        "groups": groups}}  # fmt: skip


def _control(requirement: Requirement) -> Document:
    return {
        "id": requirement.id,
        "title": _line(requirement.title),
        "props": [_property("source", requirement.source), _property("severity", requirement.severity)],
        "parts": [
            {"id": f"{requirement.id}_smt", "name": "statement", "prose": _line(requirement.title)},
            {"id": f"{requirement.id}_gdn", "name": "guidance", "prose": _line(requirement.why)},
        ],
    }


def plan(run: Run) -> Document:
    """What was to be looked at: everything that the catalogue asks, or the part that was asked for."""
    return {
        "assessment-plan": {
            "uuid": _of(run, "plan"),
            "metadata": _metadata(run, f"Checks of {run.organisation}"),
            "import-ssp": {
                "href": "../organisation.json",
                "remarks": "The organisation's own description of its estate; not an OSCAL document.",
            },
            "reviewed-controls": _reviewed(run.narrowed),
            "assessment-subjects": [{"type": "component", "include-all": {}}],
        }
    }


def assessment_results(run: Run, requirements: Mapping[str, Requirement]) -> Document:
    """What was found: an observation for each result, a finding for each requirement."""
    by_requirement: dict[str, list[Result]] = {}
    for one in run.results:
        if one.requirement in requirements:
            by_requirement.setdefault(one.requirement, []).append(one)
    components = [_component(run, name) for name in _subjects(run.results)]
    found: Document = {
        "uuid": _of(run, "result"),
        "title": _line(f"Checks of {run.organisation}"),
        "description": _line(_outcome(run)),
        "start": run.started,
        "end": run.ended,
        "props": [_property("complete", "yes" if run.complete else "no"), _property("exit-code", str(run.exit_code))],
        "local-definitions": components and {"components": components},
        "reviewed-controls": _reviewed(by_requirement),
        "observations": [_observation(run, one) for one in run.results],
        "findings": [_finding(run, requirements[name], results) for name, results in by_requirement.items()],
    }
    document = {
        "uuid": _of(run, "results"),
        "metadata": _metadata(run, f"Results of checks of {run.organisation}"),
        "import-ap": {"href": PLAN.rpartition("/")[2]},
        "results": [{name: value for name, value in found.items() if value}],  # OSCAL has no empty arrays
    }
    return {"assessment-results": document}


def _outcome(run: Run) -> str:
    counted = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in run.totals().items() if number)
    laboratory = f" Made on the test laboratory {run.laboratory}: says nothing about an organisation." * bool(
        run.laboratory
    )
    return f"{'Complete' if run.complete else 'Incomplete'}: {counted or 'no results'}.{laboratory}"


def _subjects(results: Iterable[Result]) -> list[str]:
    return sorted({result.subject for result in results})


def _component(run: Run, subject: str) -> Document:
    return {
        "uuid": _of(run, "component", subject),
        "type": "system" if subject == "estate" else "host",
        "title": _line(subject),
        "description": _line(f"{subject}, as organisation.json names it"),
        "status": {"state": "operational"},
    }


def _observation(run: Run, result: Result) -> Document:
    told = {"result": result.status, "severity": result.severity, "vantage": result.vantage, "impact": result.impact}
    return {
        "uuid": _of(run, "observation", result.check, result.subject),
        "title": _line(result.title),
        "description": _line(f"Expected: {result.expected}. Observed: {result.observed or result.reason}"),
        "props": [_property("check", result.check), *(_property(name, value) for name, value in told.items())],
        "methods": [_method(result)],
        "subjects": [{"subject-uuid": _of(run, "component", result.subject), "type": "component"}],
        "collected": run.ended,
        "relevant-evidence": [{"href": "../observations.json", "description": "What the probes saw, unjudged."}],
        "remarks": _line(result.remedy),
    }


def _method(result: Result) -> str:
    if result.vantage == "declaration":
        return "INTERVIEW"
    return "EXAMINE" if result.impact is Impact.PASSIVE else "TEST"


def _finding(run: Run, requirement: Requirement, results: list[Result]) -> Document:
    """Satisfied only when everything about it passed."""
    status = worst(result.status for result in results)
    reason = {Status.PASS: "pass", Status.FAIL: "fail"}.get(status, "other")
    related = [{"observation-uuid": _of(run, "observation", one.check, one.subject)} for one in results]
    return {
        "uuid": _of(run, "finding", requirement.id),
        "title": _line(requirement.title),
        "description": _line(requirement.why),
        "props": [_property("result", status), _property("severity", requirement.severity)],
        "target": {
            "type": "statement-id",
            "target-id": f"{requirement.id}_smt",
            "status": {"state": "satisfied" if status is Status.PASS else "not-satisfied", "reason": reason},
        },
        "related-observations": related,
    }


def _reviewed(names: Iterable[str]) -> Document:
    listed = [{"control-id": name} for name in names]
    return {"control-selections": [{"include-controls": listed} if listed else {"include-all": {}}]}


def _metadata(run: Run, title: str) -> Document:
    return {
        "title": _line(title),
        "last-modified": run.ended,
        "version": run.catalogue_version,
        "oscal-version": VERSION,
        "props": [_property("made-with", f"cjsm-connect {run.tool_version}")],
    }


def _property(name: str, value: str) -> Document:
    return {"name": name, "ns": NAMESPACE, "value": _line(value)}


def _line(text: str) -> str:
    """Text on one line that is not empty; OSCAL's titles and values want that."""
    return escaped(" ".join(text.split())) or "-"


def _of(run: Run, *parts: str) -> str:
    """The identifier of something in this run."""
    return _uuid(run.organisation_digest, run.started, *parts)


def _uuid(*parts: str) -> str:
    found: UUID = ROOT
    for part in parts:
        found = uuid5(found, part)
    return str(found)
