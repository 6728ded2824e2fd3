"""What logrotate, rsyslog and chrony print, taken apart."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from cjsm_connect.remote.observe import logging

MAIL_LOG = "/var/log/cjsm/mail.log"
DEBUGGED = """\
rotating pattern: /var/log/apt/term.log monthly empty log files are not rotated, (12 rotations), old logs are removed
rotating pattern: /var/log/cjsm/mail.log after 1 days empty log files are rotated, (191 rotations), old logs are removed
considering log /var/log/cjsm/mail.log
"""
RSYSLOG = """\
module(load="imjournal"
       StateFile="imjournal.state"
       Ratelimit.Interval="0")
*.* action(type="omfwd" Target="syslog.council.example" port="6514" StreamDriverMode="1")
"""


def says(monkeypatch: pytest.MonkeyPatch, answers: dict[str, tuple[int, str, str]]) -> None:
    """Let programs answer as given; others are not installed."""
    missing = (127, "", "not installed")
    monkeypatch.setattr(logging, "attempt", lambda argv, **_: answers.get(f"{argv[0]} {argv[-1]}", missing))


def test_logrotates_own_view_of_the_mail_log() -> None:
    found = logging.pattern(DEBUGGED, MAIL_LOG)
    assert (found["daily"], found["rotations"]) == (True, 191)


def test_a_weekly_rotation_is_not_daily() -> None:
    assert not logging.pattern(DEBUGGED.replace("after 1 days", "weekly"), MAIL_LOG)["daily"]


def test_another_log_whose_name_begins_the_same_is_another_log() -> None:
    assert logging.pattern(DEBUGGED, "/var/log/cjsm/mail") == {}


def test_statements_of_rsyslogs_language_over_several_lines() -> None:
    (module,) = logging.statements("module", RSYSLOG)
    assert module == {"load": "imjournal", "statefile": "imjournal.state", "ratelimit.interval": "0"}
    (action,) = logging.statements("action", RSYSLOG)
    assert action["target"] == "syslog.council.example"


def test_each_kept_day_is_named_whether_compressed_or_not(tmp_path: Path) -> None:
    for name in ("mail.log", "mail.log-2026-11-19.gz", "mail.log-2026-11-20", "mail.log-notes", "other.log-2026-11-18"):
        (tmp_path / name).write_text("2026-11-21T00:00:03+00:00 relay postfix: x\n")
        (tmp_path / name).chmod(0o640)
    found = logging.files(str(tmp_path / "mail.log"))
    assert found["days"] == ["2026-11-19", "2026-11-20"]
    assert found["current"]["first"].startswith("2026-11-21T00:00:03")
    assert found["readable_by_all"] == []


def test_an_old_log_that_all_may_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "mail.log-2026-11-20").write_text("")
    (tmp_path / "mail.log-2026-11-20").chmod(0o644)
    assert logging.files(str(tmp_path / "mail.log"))["readable_by_all"] == [str(tmp_path / "mail.log-2026-11-20")]


def test_a_missing_log_is_said_to_be_missing(tmp_path: Path) -> None:
    assert logging.access(str(tmp_path / "mail.log")) == {"exists": False}
    assert logging.first_line(str(tmp_path / "mail.log")) == ""


def test_a_synchronised_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    row = "CB00711E,203.0.113.30,3,1795262400.1,0.000412,0.0004,0.0005,1.2,0.001,0.1,0.02,0.001,64.5,Normal\n"
    source = "^,*,203.0.113.30,2,6,377,12,0.0001,0.0001,0.001\n"
    says(monkeypatch, {"chronyc tracking": (0, row, ""), "chronyc sources": (0, source, "")})
    found = logging.synchronisation()
    assert (found["synchronised"], found["offset"], found["stratum"]) == (True, 0.000412, 3)
    assert found["follows"] == "203.0.113.30"
    assert found["sources"] == [{"state": "*", "address": "203.0.113.30", "reach": "377"}]


def test_a_chrony_that_was_started_a_moment_ago_gets_time_to_ask_its_servers(monkeypatch: pytest.MonkeyPatch) -> None:
    fresh = "00000000,,0,0.0,0.0,0.0,0.0,0.0,0.0,0.0,1.0,1.0,0.0,Not synchronised\n"
    settled = "CB00711E,203.0.113.30,3,1795262400.1,0.0004,0.0004,0.0005,1.2,0.001,0.1,0.02,0.001,64.5,Normal\n"
    asked: list[str] = []

    def answer(argv: list[str], **_: float) -> tuple[int, str, str]:
        asked.append(argv[2] if argv[2] == "waitsync" else argv[-1])
        return 0, settled if "waitsync" in asked else fresh, ""

    monkeypatch.setattr(logging, "attempt", answer)
    assert logging.synchronisation()["synchronised"] is True
    assert asked == ["tracking", "waitsync", "tracking", "sources"]


def test_a_chrony_that_does_not_answer_is_no_synchronised_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, {"chronyc tracking": (1, "506 Cannot talk to daemon\n", "")})
    found: dict[str, Any] = logging.synchronisation()
    assert (found["answered"], found["why"]) == (False, "506 Cannot talk to daemon")
