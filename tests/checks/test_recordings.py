"""Every check judges its recordings as their names say, and every check has a good and a bad one."""

from __future__ import annotations

import importlib

import pytest

from checks.framework import REGISTRY
from cjsm_connect.results import Status
from cjsm_connect.results.catalogue import load
from cjsm_connect.results.judge import Verdict, judge
from tests.checks.recordings import Recording, recordings, seen
from tests.made_up import ROOT

for module in sorted((ROOT / "checks").glob("test_*.py")):
    importlib.import_module(f"checks.{module.stem}")

CATALOGUE = load(ROOT / "checks/requirements.toml")
RECORDINGS = recordings()
BAD = (Status.FAIL, Status.WARN)


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.path.name)
def test_the_verdict_is_the_one_in_the_file_name(recording: Recording) -> None:
    check, function = REGISTRY[recording.check].check, REGISTRY[recording.check].function
    what, verdict = seen(recording.path), Verdict()
    result = judge(check, CATALOGUE[check.requirement], what.name, verdict, lambda: function(what, verdict))
    assert result.status is recording.expected, result.reason or result.observed
    if result.status in (Status.PASS, *BAD):
        assert result.expected and result.observed


@pytest.mark.parametrize("identifier", sorted(REGISTRY))
def test_the_check_has_a_good_and_a_bad_recording(identifier: str) -> None:
    verdicts = {recording.expected for recording in RECORDINGS if recording.check == identifier}
    assert Status.PASS in verdicts
    assert verdicts & set(BAD)


@pytest.mark.parametrize("identifier", sorted(REGISTRY))
def test_the_check_names_a_requirement_of_the_catalogue_and_says_what_to_do(identifier: str) -> None:
    check = REGISTRY[identifier].check
    assert check.requirement in CATALOGUE.requirements
    assert check.remedy and check.title


@pytest.mark.parametrize("requirement", sorted(CATALOGUE.requirements))
def test_the_requirement_has_a_check(requirement: str) -> None:
    assert any(entry.check.requirement == requirement for entry in REGISTRY.values())
