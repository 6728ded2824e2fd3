"""assess on the command line: before anything else exists."""

import json

from click.testing import CliRunner

from cjsm_connect.verbs.assess import command
from tests.made_up import ROOT

ALL = ["--mail-server", "on-premises", "--microsoft-365", "none", "--staff", "1200"]
ALL += ["--firewall", "yes", "--antivirus", "yes", "--patching", "yes"]


def run(*arguments):
    return CliRunner().invoke(command, [*arguments])


def test_a_server_connection_is_exit_0_and_the_helpdesk_is_asked_first():
    done = run(*ALL)
    assert done.exit_code == 0
    assert done.stdout.startswith("Server connection\n")
    assert "1. Ask the CJSM helpdesk whether new server connections are accepted" in " ".join(done.stdout.split())


def test_without_a_terminal_what_is_not_given_is_unknown():
    done = run("--json")
    found = json.loads(done.stdout)
    assert done.exit_code == 1
    assert found["route"] == "call the helpdesk"
    assert set(found["answers"]["prerequisites"].values()) == {"unknown"}


def test_an_organisation_file_answers_what_it_holds_and_no_prerequisite():
    found = json.loads(run("--json", "--org", str(ROOT / "inventories/example")).stdout)["answers"]
    assert found["mail_server"] == "on-premises"
    assert found["staff"] > 0
    assert set(found["prerequisites"].values()) == {"unknown"}


def test_a_word_that_is_no_choice_is_told_with_the_choices():
    done = run("--mail-server", "attic")
    assert done.exit_code == 2
    assert "uk-datacentre" in done.output
