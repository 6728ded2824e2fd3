"""assess on the command line: before anything else exists, and with what a file or a check has said since."""

import json
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner

from cjsm_connect.results import Result, Status, inputs
from cjsm_connect.results.catalogue import load
from cjsm_connect.verbs import _last
from cjsm_connect.verbs.assess import command
from tests.evidence import samples
from tests.made_up import ROOT

ALL = ["--mail-server", "on-premises", "--microsoft-365", "none", "--staff", "1200"]
ALL += ["--firewall", "yes", "--antivirus", "yes", "--patching", "yes"]


class Rooms:
    root = ROOT


MADE = datetime.now(UTC).date() - timedelta(days=30)  # of a statement that is young on any day


@pytest.fixture(autouse=True)
def elsewhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CJSM_ORG", raising=False)


@pytest.fixture
def council(tmp_path):
    """A copy of the example that somebody has begun to fill in: the declarations are their own."""
    folder = Path(shutil.copytree(ROOT / "inventories/example", tmp_path / "council"))
    text = (folder / "organisation.toml").read_text()
    text = text.replace('owner = "Toni Technical"\ndate = 2026-10-01', f'owner = "T. Teal"\ndate = {MADE}')
    (folder / "organisation.toml").write_text(text)
    return folder


def run(*arguments):
    return CliRunner().invoke(command, [*map(str, arguments)], obj=Rooms())


def found(*arguments):
    return json.loads(run("--json", *arguments).stdout)


def results(failing: dict[str, Status]) -> tuple[Result, ...]:
    """One result for each requirement of the catalogue: a pass, but for what fails."""
    rows = load(ROOT / "checks/requirements.toml").requirements.values()
    return tuple(samples.result(one.id, failing.get(one.id, Status.PASS)) for one in rows)


def checked(folder, failing: dict[str, Status]) -> None:
    _last.keep(samples.run(*results(failing)), folder)


def test_a_server_connection_is_exit_0_and_the_helpdesk_is_asked_first():
    done = run(*ALL)
    assert done.exit_code == 0
    assert done.stdout.startswith("Server connection\n")
    assert "1. Ask the CJSM helpdesk whether new server connections are accepted" in " ".join(done.stdout.split())


def test_without_a_terminal_what_is_not_given_is_unknown():
    done = run("--json")
    told = json.loads(done.stdout)
    assert done.exit_code == 1
    assert told["route"] == "call the helpdesk"
    assert set(told["answers"]["prerequisites"].values()) == {"unknown"}


def test_an_organisation_file_answers_with_its_declarations_while_nothing_was_checked(council):
    told = found("--org", council)
    assert (told["answers"]["mail_server"], told["answers"]["staff"]) == ("on-premises", 800)
    assert told["answers"]["microsoft_365"] == "none"
    assert set(told["bases"].values()) == {f"declared by T. Teal on {MADE}"}


def test_the_file_of_the_current_folder_is_taken(council, monkeypatch):
    monkeypatch.chdir(council)
    assert found()["answers"]["staff"] == 800


def test_a_file_that_is_half_written_serves_as_far_as_it_goes(council):
    text = (council / "organisation.toml").read_text()
    (council / "organisation.toml").write_text(text[: text.index("[hub]")].replace("users = 6", "users = 0"))
    done = run("--json", "--org", council)
    told = json.loads(done.stdout)
    assert told["answers"]["mail_server"] == "unknown"
    assert told["answers"]["microsoft_365"] == "none"
    assert "organisation.users: found 0; expected at least 1" in done.stderr
    assert "hub" not in done.stderr


def test_an_old_declaration_is_no_longer_one(council):
    text = (council / "organisation.toml").read_text()
    (council / "organisation.toml").write_text(text.replace(f"date = {MADE}", "date = 2024-10-01"))
    told = found("--org", council)
    assert set(told["answers"]["prerequisites"].values()) == {"unknown"}
    assert "more than 365 days ago" in told["bases"]["firewall"]


def test_a_check_counts_more_than_a_declaration_and_says_its_day(council):
    checked(council, {"antivirus.infected-refused": Status.FAIL, "firewall.default-deny": Status.NOT_TESTED})
    told = found("--org", council)
    assert told["answers"]["prerequisites"] == {"firewall": "unknown", "antivirus": "gap", "patching": "met"}
    assert told["bases"]["antivirus"].startswith("cjsm check of 2026-11-21: ")
    assert "1 fail" in told["bases"]["antivirus"]
    assert told["route"] == "mailbox"


def test_a_requirement_that_no_check_has_looked_at_leaves_its_prerequisite_unknown(council):
    rows = [one for one in results({}) if one.requirement != "patching.automatic"]
    assert len(rows) < len(results({}))
    _last.keep(samples.run(*rows), council)
    assert found("--org", council)["answers"]["prerequisites"]["patching"] == "unknown"


def test_what_is_said_now_counts_and_does_not_hide_what_was_found(council):
    checked(council, {"antivirus.infected-refused": Status.FAIL})
    told = found("--org", council, "--antivirus", "yes")
    assert told["answers"]["prerequisites"]["antivirus"] == "met"
    assert "but gap: cjsm check of 2026-11-21" in told["bases"]["antivirus"]


def test_a_last_check_that_is_damaged_is_told(council):
    checked(council, {})
    (council / ".cjsm/last-check.json").write_text('{"schema": 1}')
    done = run("--org", council)
    assert "last-check.json" in str(done.exception)
    assert "Remove it, then: cjsm check" in str(done.exception)


def test_a_last_check_that_is_no_run_by_its_size_is_not_read(council, monkeypatch):
    checked(council, {})
    monkeypatch.setattr(inputs, "RESULTS", inputs.Input("results", 100))
    assert "too large a file; expected results" in str(run("--org", council).exception)


def test_a_word_that_is_no_choice_is_told_with_the_choices():
    done = run("--mail-server", "attic")
    assert done.exit_code == 2
    assert "uk-datacentre" in done.output


def test_what_was_copied_from_the_example_is_named_and_declares_nothing(tmp_path):
    copy = shutil.copytree(ROOT / "inventories/example", tmp_path / "copy")
    done = run("--json", "--org", copy)
    assert set(json.loads(done.stdout)["answers"]["prerequisites"].values()) == {"unknown"}
    assert "cjsm: Still the example's, which belongs to nobody and counts as missing: " in done.stderr
    assert 'organisation.toml: organisation.name: "Example Borough Council"' in done.stderr


def test_who_has_a_file_already_is_not_told_to_copy_the_example(council):
    steps = " ".join(found("--org", council)["next_steps"])
    assert "Go on with organisation.toml" in steps and "copy inventories/example" not in steps
    assert "copy inventories/example" in " ".join(found(*ALL)["next_steps"])
