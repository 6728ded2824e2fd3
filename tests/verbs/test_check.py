"""`cjsm check` and plain `pytest checks` judge the same, and say what they found in words and exit code."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.checks.recordings import observation
from tests.made_up import FINGERPRINT, ROOT, authority

pytestmark = pytest.mark.slow


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The lab's organisation as a folder on disk, with made-up keys and certificates."""
    (tmp_path / "hub").mkdir()
    (tmp_path / "ssh").mkdir()
    (tmp_path / "organisation.toml").write_text((ROOT / "inventories/lab/organisation.toml").read_text())
    for name in ("hub/ca.pem", "hub/inner-ca.pem"):
        (tmp_path / name).write_text(authority())
    (tmp_path / "hub/fingerprints.txt").write_text(FINGERPRINT)
    (tmp_path / "ssh/id_ed25519").touch(0o600)
    seen = observation({"host": "relay", "facts": {"system": {"release": {"version_codename": "bookworm"}}}})
    (tmp_path / "seen.json").write_text(json.dumps(seen))
    return tmp_path


def ran(*argv: str, **environment: str) -> subprocess.CompletedProcess[str]:
    clean: Mapping[str, str] = {
        name: text for name, text in os.environ.items() if name not in ("CJSM_ORG", "PYTEST_ADDOPTS")
    }
    return subprocess.run(
        [sys.executable, *argv], cwd=ROOT, env={**clean, **environment}, capture_output=True, text=True, check=False
    )


def check(folder: Path, *options: str) -> subprocess.CompletedProcess[str]:
    return ran("cli.py", "check", "--org", str(folder), "--observed", str(folder / "seen.json"), *options)


def plain_pytest(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return ran("-m", "pytest", "checks", "-q", "--continue-on-collection-errors", *options, **environment)


def test_json_has_the_run_the_totals_and_every_result(folder: Path) -> None:
    done = check(folder, "--only", "estate", "--json")
    found = json.loads(done.stdout)
    assert found["run"]["organisation"] == "Exampleshire Council"
    assert sum(found["totals"].values()) == len(found["results"])
    release = [one for one in found["results"] if one["check"] == "estate.release-as-declared"]
    assert {one["subject"]: one["status"] for one in release} == {"relay": "fail", "mail": "error", "firewall": "error"}
    assert done.returncode == found["run"]["exit_code"] == 2


def test_the_table_goes_to_standard_output_and_the_next_command_to_standard_error(folder: Path) -> None:
    done = check(folder, "--only", "estate")
    assert "The host runs the declared release" in done.stdout
    assert "bookworm" in done.stdout
    assert done.stderr.splitlines()[-1].endswith("Next: cjsm check")


def test_junit_is_written_beside_the_table(folder: Path) -> None:
    check(folder, "--only", "estate", "--junit", str(folder / "junit.xml"))
    cases = ElementTree.parse(folder / "junit.xml").findall("testsuite/testcase")
    assert "estate.release-as-declared[relay]" in {case.get("name") for case in cases}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--only", "estat"], "no such concern; there are:"),
        (["--observed", "/nonexistent"], "expected a file of `cjsm check --record`"),
        (["--org", "/nonexistent"], "organisation"),
        (["--junit", "/nonexistent/junit.xml", "--only", "estate"], "expected a file that can be written"),
    ],
)
def test_what_cannot_run_is_a_sentence_and_exit_code_2(folder: Path, options: list[str], said: str) -> None:
    done = check(folder, *options)
    assert done.returncode == 2
    assert said in done.stderr
    assert "Traceback" not in done.stderr


def test_plain_pytest_judges_the_same_items(folder: Path) -> None:
    done = plain_pytest("--org", str(folder), "--observed", str(folder / "seen.json"), "--only", "estate", "-vv")
    assert "test_release_as_declared[relay] FAILED" in done.stdout
    assert "test_declared_risk_assessment[estate] PASSED" in done.stdout
    assert "expected: trixie" in done.stdout
    assert "observed: bookworm" in done.stdout
    assert done.returncode == 1


def test_plain_pytest_shows_not_tested_as_skipped_with_the_reason(folder: Path) -> None:
    text = (folder / "organisation.toml").read_text()
    declared = 'id = "encryption-at-rest"'
    waiver = '[[waivers]]\nrequirement = "estate.encryption-at-rest"\nreason = "new disks"\napprover = "R. S."\n'
    waiver += 'risk = "small"\nstart = 2026-11-01\nexpiry = 2027-01-01\n\n'
    text = text.replace(declared, 'id = "encryption-elsewhere"').replace("# [[waivers]]", f"{waiver}# [[waivers]]")
    (folder / "organisation.toml").write_text(text)
    options = ("--org", str(folder), "--observed", str(folder / "seen.json"), "--only", "estate", "-rs")
    assert "waived until 2027-01-01 by R. S.: new disks" in plain_pytest(*options).stdout


def test_plain_pytest_takes_the_organisation_from_the_environment(folder: Path) -> None:
    done = plain_pytest("--observed", str(folder / "seen.json"), "--only", "estate", CJSM_ORG=str(folder))
    assert "expected: trixie" in done.stdout


def test_plain_pytest_without_an_organisation_is_a_usage_error() -> None:
    done = plain_pytest()
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no organisation: give --org FOLDER" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout
