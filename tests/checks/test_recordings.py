"""Every check judges its recordings as their names say, and every check has a good and a bad one."""

from __future__ import annotations

import importlib
import re

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
    assert check.title and check.vantage


# a command that can be typed, a file that can be opened, or a key of the organisation file that can be changed
COMMANDS = (
    *("cjsm apply", "cjsm plan", "cjsm status", "cjsm check", "systemctl", "journalctl", "postconf", "postmap"),
    *("postqueue", "ss -", "nft", "sysctl", "chronyc", "chmod", "openssl", "apt-get", "apt-mark", "unattended-upgrade"),
    *("needrestart", "less", "rsyslogd", "freshclam", "ip address", "du -x", "grep", "cryptsetup", "newaliases"),
)
FILE = r"(?<![\w.])/(etc|var)/[\w./*-]+"
KEY = (
    r"\b(organisation|contacts|domains|destinations|mail|estate|hosts|hub|inner|syslog|tests|policy)\.[a-z_]{3,}"
    r"|\[\[?(declarations|waivers|flows|signatories)\]"
)
OTHERS = ("CJSM helpdesk", "the engineer", "the owner of the address block", "CA's owner", "DNS zone")
"""Whose turn it is where no command of ours helps."""


@pytest.mark.parametrize("identifier", sorted(REGISTRY))
def test_the_remedy_names_the_command_or_the_line_to_change(identifier: str) -> None:
    remedy = REGISTRY[identifier].check.remedy
    command = any(word in remedy for word in COMMANDS)
    assert command or re.search(FILE, remedy) or re.search(KEY, remedy) or any(who in remedy for who in OTHERS), remedy
    assert remedy != "cjsm apply", "say what it changes, for a host that is not ours to configure"
    assert "apply," not in remedy.replace("apply, which", ""), remedy


@pytest.mark.parametrize("requirement", sorted(CATALOGUE.requirements))
def test_the_requirement_has_a_check(requirement: str) -> None:
    assert any(entry.check.requirement == requirement for entry in REGISTRY.values())
