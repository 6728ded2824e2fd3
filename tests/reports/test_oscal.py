"""The OSCAL documents: valid by compliance-trestle's models, true to the results, and the same each time."""

import json
import subprocess
import uuid

import pytest

from cjsm_connect.bench import environment
from cjsm_connect.reports import oscal
from cjsm_connect.results import Impact, Status
from tests.evidence.samples import REQUIREMENTS, result, run
from tests.made_up import ROOT

HOSTILE = result("logging.forward", Status.FAIL, title="", observed="\x00\n</prose>", subject="estate")
MADE = run(
    result("tls.inner"),
    result("tls.inner", Status.NOT_TESTED, subject="mail", observed="", reason="no vantage"),
    result("firewall.deny", Status.FAIL, impact=Impact.LOCAL_ACTIVE),
    result("antivirus.fresh", vantage="declaration"),
    result("organisation.waivers", Status.FAIL),
    HOSTILE,
)
VALIDATE = """
import sys
from pathlib import Path
from trestle.oscal.assessment_plan import AssessmentPlan
from trestle.oscal.assessment_results import AssessmentResults
from trestle.oscal.catalog import Catalog
models = {"catalog": Catalog, "assessment-plan": AssessmentPlan, "assessment-results": AssessmentResults}
for path in sorted(Path(sys.argv[1]).glob("*/oscal/*.json")):
    models[path.stem].oscal_read(path)
    print(path.parent.parent.name, path.stem)
"""


def results(made=MADE):
    return oscal.documents(made, REQUIREMENTS)[oscal.RESULTS]["assessment-results"]["results"][0]


@pytest.mark.slow  # the first time makes an environment of its own: compliance-trestle needs another paramiko than we
def test_the_documents_are_valid_also_for_runs_that_found_little(tmp_path):
    runs = {"all": MADE, "narrowed": run(result("tls.inner"), narrowed=("tls.inner",)),
            "unknown": run(result("organisation.waivers")), "lab": run(laboratory="lab")}  # fmt: skip
    for folder, made in runs.items():
        for name, document in oscal.documents(made, REQUIREMENTS).items():
            path = tmp_path / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(document))
    trestle = environment.made(ROOT, "oscal", ROOT / "tests/reports/requirements-oscal.txt")
    argv = [trestle / "bin" / "python", "-c", VALIDATE, tmp_path]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    assert len(done.stdout.splitlines()) == 3 * len(runs)


def test_only_what_passed_everywhere_is_satisfied():
    states = {one["target"]["target-id"]: one["target"]["status"] for one in results()["findings"]}
    assert states == {
        "tls.inner_smt": {"state": "not-satisfied", "reason": "other"},
        "firewall.deny_smt": {"state": "not-satisfied", "reason": "fail"},
        "antivirus.fresh_smt": {"state": "satisfied", "reason": "pass"},
        "logging.forward_smt": {"state": "not-satisfied", "reason": "fail"},
    }


def test_every_result_is_an_observation_with_its_own_status():
    told = [{one["name"]: one["value"] for one in row["props"]} for row in results()["observations"]]
    assert [(row["check"], row["result"]) for row in told] == [(one.check, one.status) for one in MADE.results]


def test_declared_looked_at_and_tried_are_told_apart():
    methods = [row["methods"] for row in results()["observations"][1:4]]
    assert methods == [["EXAMINE"], ["TEST"], ["INTERVIEW"]]


def test_every_reference_leads_somewhere():
    found = results()
    components = {one["uuid"] for one in found["local-definitions"]["components"]}
    assert {one["subject-uuid"] for row in found["observations"] for one in row["subjects"]} == components
    known = {row["uuid"] for row in found["observations"]}
    assert {one["observation-uuid"] for row in found["findings"] for one in row["related-observations"]} <= known


def test_identifiers_are_the_same_for_the_same_run_and_others_for_another():
    assert oscal.documents(MADE, REQUIREMENTS) == oscal.documents(MADE, REQUIREMENTS)
    assert {uuid.UUID(row["uuid"]).version for row in results()["observations"]} == {5}
    another = results(run(*MADE.results, started="2026-11-22T00:00:00+00:00"))
    assert not {row["uuid"] for row in another["observations"]} & {row["uuid"] for row in results()["observations"]}
