"""`cjsm check` and plain `pytest checks` judge the same, and say what they found in words and exit code."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner
from jsonschema import Draft202012Validator

from cjsm_connect.results import Run, Status
from cjsm_connect.verbs import _last
from cjsm_connect.verbs._group import cjsm
from cli import Rooms
from tests.checks.recordings import observation
from tests.made_up import FINGERPRINT, ROOT, authority
from tests.results.made_up import made

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
    """`cjsm check` in this process: a process of its own takes a second and more, and there are many."""
    argv = ["check", "--org", str(folder), "--observed", str(folder / "seen.json"), *options]
    done = CliRunner().invoke(cjsm, argv, obj=Rooms(ROOT), prog_name="cjsm")
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return subprocess.CompletedProcess(argv, done.exit_code, done.stdout, done.stderr)


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
        (["--only", "estat"], "no such concern; did you mean estate?"),
        (["--observed", "/nonexistent"], "expected an observation of check --record"),
        (["--org", "/nonexistent"], "organisation"),
        (["--requirement", "estate.disk-spaec"], "no such requirement; did you mean estate.disk-space"),
        (["--since", "/nonexistent"], "--since /nonexistent: "),
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
    assert "test_risk_assessment[estate] PASSED" in done.stdout
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
    assert "to the end of 2027-01-01 (UTC) by R. S.: new disks; risk: small" in plain_pytest(*options).stdout


def test_plain_pytest_takes_the_organisation_from_the_environment(folder: Path) -> None:
    done = plain_pytest("--observed", str(folder / "seen.json"), "--only", "estate", CJSM_ORG=str(folder))
    assert "expected: trixie" in done.stdout


def test_plain_pytest_without_an_organisation_is_a_usage_error() -> None:
    done = plain_pytest()
    assert done.returncode == pytest.ExitCode.USAGE_ERROR
    assert "no organisation: give --org FOLDER" in done.stderr + done.stdout
    assert "Traceback" not in done.stderr + done.stdout


def test_json_is_as_the_published_schema_says(folder: Path) -> None:
    schema = Draft202012Validator(json.loads((ROOT / "docs/check.schema.json").read_text()))
    whole = check(folder, "--json").stdout
    schema.validate(json.loads(whole))
    (folder / "before.json").write_text(whole)
    schema.validate(json.loads(check(folder, "--json", "--since", str(folder / "before.json")).stdout))


def test_since_shows_only_what_changed_and_the_exit_code_is_that_of_the_whole_run(folder: Path) -> None:
    narrow = ("--only", "estate")
    (folder / "before.json").write_text(check(folder, *narrow, "--json").stdout)
    text = (folder / "organisation.toml").read_text()
    (folder / "organisation.toml").write_text(text.replace('release = "trixie"', 'release = "bookworm"'))
    done = check(folder, *narrow, "--json", "--since", str(folder / "before.json"))
    found = json.loads(done.stdout)
    assert found["since"]["changes"] == [
        {
            "check": "estate.release-as-declared",
            "subject": "relay",
            "title": "The host runs the declared release",
            "before": "fail",
            "after": "pass",
        }
    ]
    assert [one["status"] for one in found["results"]] == ["pass"]
    assert sum(found["totals"].values()) == sum(found["since"]["unchanged"].values()) + 1
    assert "the organisation file has changed since" in found["since"]["notes"]
    assert done.returncode == 2
    table = check(folder, *narrow, "--since", str(folder / "before.json")).stdout
    assert "fail -> pass  estate.release-as-declared on relay" in table
    assert "as before: " in table
    assert "No disk is about to be full" not in table


def test_since_nothing_changed_says_so_and_still_fails(folder: Path) -> None:
    (folder / "before.json").write_text(check(folder, "--json", "--only", "estate").stdout)
    done = check(folder, "--only", "estate", "--since", str(folder / "before.json"))
    assert ": 0" in next(line for line in done.stdout.splitlines() if line.startswith("changed since"))
    assert done.returncode == 2


def test_since_last_is_compared_with_the_kept_run_and_a_recording_does_not_replace_it(folder: Path) -> None:
    when = "2026-11-20T12:00:00+00:00"
    kept = Run((made(Status.PASS),), when, when, "Exampleshire Council", "d", "0", "c")
    _last.keep(kept, folder)
    file = folder / ".cjsm/last-check.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert (folder / ".cjsm/.gitignore").read_text() == "*\n"
    before = file.read_bytes()
    found = json.loads(check(folder, "--only", "firewall", "--json", "--since", "last").stdout)
    assert found["since"]["started"] == when
    gone = [one for one in found["since"]["changes"] if one["after"] is None]
    assert [(one["check"], one["subject"], one["before"]) for one in gone] == [("firewall.input", "relay", "pass")]
    assert file.read_bytes() == before


def test_since_last_without_a_last_run_shows_everything_and_says_so(folder: Path) -> None:
    found = json.loads(check(folder, "--only", "firewall", "--json", "--since", "last").stdout)
    assert found["since"]["notes"] == ["there is no earlier run: everything is new"]
    assert len(found["results"]) == sum(found["totals"].values())


def test_keeping_a_run_leaves_the_old_one_when_it_cannot_be_written(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    when = "2026-11-20T12:00:00+00:00"
    kept = Run((made(Status.PASS),), when, when, "Exampleshire Council", "d", "0", "c")
    _last.keep(kept, folder)
    before = (folder / ".cjsm/last-check.json").read_bytes()
    monkeypatch.setattr("os.fsync", _full)
    with pytest.raises(OSError, match="full"):
        _last.keep(kept, folder)
    assert (folder / ".cjsm/last-check.json").read_bytes() == before
    assert sorted(path.name for path in (folder / ".cjsm").iterdir()) == [".gitignore", "last-check.json"]


def _full(_descriptor: int) -> None:
    raise OSError("the disk is full")


def test_a_narrowed_run_never_looks_like_the_whole(folder: Path) -> None:
    done = check(folder, "--requirement", "estate.in-united-kingdom", "--json")
    found = json.loads(done.stdout)
    assert {one["requirement"] for one in found["results"]} == {"estate.in-united-kingdom"}
    assert found["run"]["narrowed"] == ["estate.in-united-kingdom"]
    assert found["run"]["complete"] is False
    assert done.returncode == 0
    assert "nothing is said of the rest. Next: cjsm check" in done.stderr
    table = check(folder, "--requirement", "estate.in-united-kingdom").stdout
    assert "NARROWED to requirement estate.in-united-kingdom: 1 of " in table
    assert "prerequisites were not judged" in table


def test_nagios_says_one_line_with_its_own_exit_code_and_nothing_else(folder: Path) -> None:
    done = check(folder, "--nagios")
    assert done.stdout.startswith("CJSM CRITICAL - Exampleshire Council: ")
    assert done.stdout.count("\n") == 1
    assert (done.returncode, done.stderr) == (2, "")
    narrow = check(folder, "--nagios", "--requirement", "estate.in-united-kingdom")
    assert (narrow.returncode, narrow.stdout.split(" - ")[0]) == (0, "CJSM OK")


@pytest.mark.parametrize(
    "options",
    [
        ["--org", "/nonexistent"],
        ["--observed", "/nonexistent"],
        ["--only", "estat"],
        ["--unheard-of"],
        ["--json"],
        ["--since", "last"],
    ],
)
def test_nagios_says_unknown_when_there_was_no_run(folder: Path, options: list[str]) -> None:
    done = check(folder, "--nagios", *options)
    assert done.returncode == 3
    assert done.stdout.startswith("CJSM UNKNOWN - ")
    assert done.stdout.count("\n") == 1


def test_nagios_says_unknown_for_a_bug_and_shows_it_on_standard_error(folder: Path) -> None:
    program = (
        "import sys, cli, cjsm_connect.probes.run as run\n"
        "def broken(*_): raise ZeroDivisionError('a bug')\n"
        f"run.run_checks = broken; sys.argv = ['cjsm', 'check', '--nagios', '--org', {str(folder)!r}]; cli.main()"
    )
    done = ran("-c", program)
    assert (done.returncode, done.stdout) == (3, "CJSM UNKNOWN - ZeroDivisionError: a bug\n")
    assert "Traceback" not in done.stderr
    assert "ZeroDivisionError" in Path(done.stderr.partition("details are in ")[2].partition(", ")[0]).read_text()


def test_a_waiver_is_told_in_full_in_table_json_and_junit(folder: Path) -> None:
    text = (folder / "organisation.toml").read_text()
    waiver = (
        '[[waivers]]\nrequirement = "estate.release-as-declared"\nreason = "new disks"\napprover = "R. S."\n'
        'risk = "old packages"\nstart = 2026-11-01\nexpiry = 2027-01-01\n\n'
    )
    (folder / "organisation.toml").write_text(text.replace("# [[waivers]]", f"{waiver}# [[waivers]]"))
    options = ("--requirement", "estate.release-as-declared", "--junit", str(folder / "junit.xml"))
    found = json.loads(check(folder, *options, "--json").stdout)
    statuses = {one["subject"]: one["status"] for one in found["results"]}
    assert statuses == {"relay": "waived", "mail": "error", "firewall": "error"}
    [waived] = [one for one in found["results"] if one["status"] == "waived"]
    said = {"reason": "new disks", "approver": "R. S.", "risk": "old packages"}
    days = {"start": "2026-11-01", "expiry": "2027-01-01"}
    assert waived["waiver"] == {"status": "fail", **said, **days}
    assert found["waivers"] == [
        {"requirement": "estate.release-as-declared", **said, **days, "state": "in force", "covers": 1}
    ]
    table = check(folder, *options).stdout
    skipped = ElementTree.parse(folder / "junit.xml").find("testsuite/testcase/skipped")
    assert skipped is not None
    for place in (table, str(skipped.get("message"))):
        assert all(word in place for word in (*said.values(), *days.values()))
