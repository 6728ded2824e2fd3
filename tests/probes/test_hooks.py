"""What a status command must print, and what follows from it."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from cjsm_connect.organisation.policy import Policy
from cjsm_connect.probes import hooks
from tests.made_up import organisation

NOW = "2026-11-21T12:00:00Z"
CLOCK = datetime.fromisoformat(NOW).timestamp()
SCANNER = {
    "engine": "Vendor Scan",
    "version": "7.1",
    "signatures_updated": "2026-11-21T08:30:00Z",
    "last_update_check": "2026-11-21T11:30:00.25+00:00",
}


PATCHING = {
    "updates_pending": 3,
    "security_pending": 1,
    "oldest_security": "2026-11-10T08:30:00Z",
    "last_run": "2026-11-21T04:00:00Z",
    "reboot_required": True,
    "reboot_since": "2026-11-20T04:00:00Z",
}


def unmet(said: dict[str, Any], why: str = "", judge: hooks.Judge = hooks.scanner) -> dict[str, str]:
    findings = judge({"why": why, "said": said}, Policy(), CLOCK)
    return {one.name: one.observed for one in findings if not one.ok}


def test_a_scanner_that_says_all_and_is_current_meets_all() -> None:
    names = [one.name for one in hooks.scanner({"why": "", "said": SCANNER}, Policy(), CLOCK) if one.name != "answer"]
    assert names == ["engine", "signatures", "updates"] and unmet(SCANNER) == {}


@pytest.mark.parametrize(
    ("change", "name", "observed"),
    [
        ({"signatures_updated": "2026-11-19T11:59:00Z"}, "signatures", "48.0 hours ago"),
        ({"last_update_check": "2026-11-21T04:00:00Z"}, "updates", "8.0 hours ago"),
        ({"signatures_updated": "2026-11-21T12:06:00Z"}, "answer", "12:06"),
        ({"signatures_updated": "2026-11-21"}, "answer", "'2026-11-21'"),
        ({"signatures_updated": "2026-11-21T08:30:00"}, "answer", "08:30"),
        ({"signatures_updated": "2026-11-21T08:30:00+01:00"}, "answer", "+01:00"),
        ({"signatures_updated": "2026-13-21T08:30:00Z"}, "answer", "2026-13"),
        ({"signatures_updated": 1795262400}, "answer", "1795262400"),
        ({"signatures_updated": True}, "answer", "True"),
        ({"engine": None}, "answer", "None"),
        ({"engine": ""}, "answer", "''"),
        ({"version": 7}, "answer", "7"),
    ],
)
def test_one_wrong_field_is_told(change: dict[str, Any], name: str, observed: str) -> None:
    found = unmet({**SCANNER, **change})
    assert list(found) == [name] and observed in found[name]


@pytest.mark.parametrize("name", SCANNER)
def test_a_missing_field_is_told_and_nothing_else_is_met(name: str) -> None:
    said = {key: value for key, value in SCANNER.items() if key != name}
    assert unmet(said) == {"answer": f"{name} is missing"}


def test_a_command_that_could_not_be_run_meets_nothing() -> None:
    assert unmet({}, "it ended with 3") == {"answer": "it ended with 3"}


def test_a_system_that_patches_in_time_meets_all() -> None:
    assert unmet(PATCHING, judge=hooks.patching) == {}
    nothing = {"updates_pending": 0, "security_pending": 0, "oldest_security": None}
    assert unmet({**PATCHING, **nothing, "reboot_required": False, "reboot_since": None}, judge=hooks.patching) == {}


@pytest.mark.parametrize(
    ("change", "name", "observed"),
    [
        ({"oldest_security": "2026-11-07T11:00:00Z"}, "overdue", "since 14.0 days"),
        ({"last_run": "2026-11-19T11:00:00Z"}, "last-run", "49.0 hours ago"),
        ({"reboot_since": "2026-11-07T11:00:00Z"}, "reboot", "since 14.0 days"),
        ({"oldest_security": None}, "answer", "oldest_security None"),
        ({"security_pending": 0}, "answer", "security_pending 0"),
        ({"security_pending": 4}, "answer", "4 of 3"),
        ({"security_pending": True}, "answer", "True"),
        ({"updates_pending": -1}, "answer", "-1"),
        ({"reboot_since": None}, "answer", "reboot_since None"),
        ({"reboot_required": 1}, "answer", "1"),
        ({"last_run": None}, "answer", "None"),
        ({"last_run": "2026-11-21T12:06:00Z"}, "answer", "12:06"),
    ],
)
def test_one_wrong_field_of_patching_is_told(change: dict[str, Any], name: str, observed: str) -> None:
    found = unmet({**PATCHING, **change}, judge=hooks.patching)
    assert list(found) == [name] and observed in found[name]


@pytest.mark.parametrize("name", PATCHING)
def test_a_field_of_patching_may_be_null_but_not_missing(name: str) -> None:
    said = {key: value for key, value in PATCHING.items() if key != name}
    assert unmet(said, judge=hooks.patching) == {"answer": f"{name} is missing"}


def test_each_host_has_the_hooks_of_its_own() -> None:
    own = {"units": ["own.service"], "status": ["/opt/own"]}
    scanner = {"scanner": "hook", "hook": {**own, "milter": "unix:/run/own", "memory": 1}}
    where = organisation(antivirus=scanner, patching={"system": "hook", "hook": {**own, "hosts": ["mail"]}})
    assert [(one.host.name, one.concern) for one in hooks.configured(where)] == [
        ("relay", "antivirus"),
        ("mail", "patching"),
    ]
    everywhere = organisation(patching={"system": "hook", "hook": own})
    assert len(hooks.configured(everywhere)) == len(everywhere.hosts) and hooks.configured(organisation()) == ()
