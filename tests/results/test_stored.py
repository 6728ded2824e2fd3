"""A run that was written down comes back as it was."""

from __future__ import annotations

import json

import pytest

from cjsm_connect.results import CjsmError, Run, Status, Waived, WaiverEntry
from cjsm_connect.results.stored import run_of
from tests.evidence.samples import result, run

WAIVED = Waived(Status.FAIL, "r", "a", "k", "2026-01-01", "2026-12-31")
ENTRY = WaiverEntry("tls.inner", "r", "a", "k", "2026-01-01", "2026-12-31", "in force", 1)


def through_json(made: Run) -> Run:
    return run_of(json.loads(json.dumps(made.plain())))


def test_a_run_comes_back_as_it_was() -> None:
    made = run(
        result("tls.inner", Status.WAIVED, waiver=WAIVED),
        result("firewall.deny", Status.NOT_TESTED, reason="container", scoped=True),
        notes=("a note",),
        narrowed=("tls.inner",),
        waivers=(ENTRY,),
    )
    assert through_json(made) == made


@pytest.mark.parametrize(
    "broken",
    [
        {},
        {"schema": 2},
        {"schema": 1, "run": [], "results": []},
        {**run().plain(), "results": [{}]},
        {**run().plain(), "results": [1]},
        {**run().plain(), "waivers": [{"else": 1}]},
        {**run().plain(), "run": {**run().plain()["run"], "more": 1}},
        {**run().plain(), "results": [{**result("tls.inner").plain(), "status": "passed"}]},
    ],
)
def test_what_is_no_run_is_said_to_be_none(broken: dict[str, object]) -> None:
    with pytest.raises(CjsmError, match="expected"):
        run_of(broken)
