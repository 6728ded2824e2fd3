"""The published schema describes what `check --json` says, all of it and nothing else."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cjsm_connect.results import Run, Status
from cjsm_connect.results.acceptance import accept, entries
from tests.made_up import ROOT
from tests.results.made_up import REQUIREMENT, made
from tests.results.test_acceptance import TODAY, Scope, Waiver

SCHEMA = json.loads((ROOT / "docs/check.schema.json").read_text())
WHEN = "2026-11-21T12:00:00+00:00"


def document() -> dict[str, Any]:
    """A run with every status, a waiver in force and one that is over, as it comes out of JSON."""
    waivers = (Waiver(), Waiver(requirement="firewall.over", expiry=date(2026, 11, 1)))
    untested = made(Status.NOT_TESTED, reason="no vantage")
    given = [made(Status.PASS), made(Status.FAIL), made(Status.ERROR, reason="down"), untested]
    results = (*accept(given, waivers, (Scope(),), TODAY), made(Status.WARN), made(Status.FAIL), untested)
    listed = entries(waivers, {REQUIREMENT.id}, results, TODAY)
    run = Run(results, WHEN, WHEN, "Exampleshire", "d", "0", "c", "h5", ("a note",), ("firewall.default-deny",), listed)
    found: dict[str, Any] = json.loads(json.dumps(run.plain()))
    return found


def mistakes(found: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(SCHEMA).iter_errors(found)]


def test_the_schema_is_a_schema() -> None:
    Draft202012Validator.check_schema(SCHEMA)


def test_every_status_and_every_state_of_a_waiver_is_described() -> None:
    found = document()
    assert {one["status"] for one in found["results"]} == set(Status)
    assert mistakes(found) == []


def test_a_run_without_anything_is_described() -> None:
    assert mistakes(json.loads(json.dumps(replace(Run((), WHEN, WHEN, "x", "d", "0", "c")).plain()))) == []


def test_every_object_of_the_schema_is_closed_and_says_what_it_needs() -> None:
    for name, part in {"": SCHEMA, **SCHEMA["$defs"]}.items():
        if part.get("type") == "object":
            assert part["additionalProperties"] is False, name
            assert set(part["required"]) == set(part["properties"]) - {"since"}, name


@pytest.mark.parametrize(
    "spoil",
    [
        lambda found: found.update(schema=2),
        lambda found: found.update(more=1),
        lambda found: found.pop("waivers"),
        lambda found: found["run"].update(more=1),
        lambda found: found["run"].pop("narrowed"),
        lambda found: found["run"].update(exit_code=3),
        lambda found: found["run"].update(started="yesterday"),
        lambda found: found["totals"].update(skipped=1),
        lambda found: found["totals"].pop("error"),
        lambda found: found["results"][0].update(status="passed"),
        lambda found: found["results"][0].update(more=1),
        lambda found: found["results"][1].update(waiver=None),
        lambda found: found["results"][1]["waiver"].pop("approver"),
        lambda found: found["results"][0].update(waiver=found["results"][1]["waiver"]),
        lambda found: found["results"][2].update(reason=""),
        lambda found: found["results"][0].update(scoped=True),
    ],
)
def test_what_we_never_say_is_refused(spoil: Callable[[dict[str, Any]], Any]) -> None:
    found = document()
    spoil(found)
    assert mistakes(found)
