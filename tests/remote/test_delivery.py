"""A test message handed in, and found again in the log; sendmail and journal are scripts of the test."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from cjsm_connect.remote import common, delivery

pytestmark = pytest.mark.slow

SUBMITTED = {"token": "t", "mark": "m", "sender": "", "recipient": "discard@selftest.invalid", "seconds": 0.2}
JOURNAL = """\
Nov 21 12:00:01 relay postfix/cleanup[1]: 4dAAAAAA: message-id=<other.m@selftest.invalid>
Nov 21 12:00:01 relay postfix/smtp[1]: 4dAAAAAA: to=<x@y.example>, status=sent (250 ok)
Nov 21 12:00:02 relay postfix/cleanup[1]: 4dBBBBBB: message-id=<t.m@selftest.invalid>
Nov 21 12:00:02 relay postfix/discard[1]: 4dBBBBBB: to=<discard@selftest.invalid>, status=sent (\x1b[31mred)
Nov 21 12:00:03 relay postfix/smtpd[1]: connect from 4dBBBBBB.example
"""


@pytest.fixture
def journal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What journalctl says; tests may replace it."""
    said = [JOURNAL]
    monkeypatch.setattr(common, "attempt", lambda argv, **options: (0, said[0], ""))
    monkeypatch.setattr(delivery, "LOG_FILES", ())
    return said


@pytest.fixture
def sendmail(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """What sendmail(1) was called with."""
    calls: list[Any] = []

    def run(argv: list[str], **options: Any) -> subprocess.CompletedProcess[bytes]:
        calls.append((argv, options["input"]))
        return subprocess.CompletedProcess(argv, 0, b"", b"")

    monkeypatch.setattr(subprocess, "run", run)
    return calls


@pytest.mark.usefixtures("journal")
def test_the_log_lines_are_those_of_the_messages_own_queue_id() -> None:
    lines = delivery.log(SUBMITTED)["log"]
    assert len(lines) == 2
    assert all(": 4dBBBBBB: " in line for line in lines)


@pytest.mark.usefixtures("journal")
def test_what_others_wrote_into_the_log_cannot_drive_a_terminal() -> None:
    assert not [line for line in delivery.log(SUBMITTED)["log"] if "\x1b" in line]


def test_a_message_that_was_never_seen_has_no_lines_and_is_waited_for_only_so_long(journal: list[str]) -> None:
    journal[0] = ""
    assert delivery.log(SUBMITTED) == {"log": []}


def test_without_a_journal_the_file_is_read(
    journal: list[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    journal[0] = ""
    (tmp_path / "mail.log").write_text(JOURNAL)
    monkeypatch.setattr(delivery, "LOG_FILES", (str(tmp_path / "mail.log"),))
    assert len(delivery.log(SUBMITTED)["log"]) == 2


@pytest.mark.usefixtures("journal")
def test_a_recipient_cannot_become_an_option_of_sendmail(sendmail: list[Any]) -> None:
    delivery.submit({**SUBMITTED, "recipient": "-Xlog@selftest.invalid"})
    [(argv, _)] = sendmail
    assert argv[-2:] == ["--", "-Xlog@selftest.invalid"]


@pytest.mark.usefixtures("journal")
def test_sendmail_gets_the_whole_message_with_local_line_ends(sendmail: list[Any]) -> None:
    outcome = delivery.submit({**SUBMITTED, "content": "clean"})
    [(argv, message)] = sendmail
    assert argv[:4] == ["/usr/sbin/sendmail", "-i", "-f", ""]
    assert b"Message-ID: <t.m@selftest.invalid>\n" in message
    assert b"\r" not in message
    assert outcome["exit_code"] == 0
    assert outcome["text_sha256"] and outcome["attachment_sha256"]


def test_a_host_without_sendmail_tells_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(argv: list[str], **options: Any) -> None:
        raise FileNotFoundError(argv[0])

    monkeypatch.setattr(subprocess, "run", missing)
    assert "could_not_tell" in delivery.submit(SUBMITTED)


def test_a_mailbox_that_nobody_named_tells_nothing() -> None:
    assert (
        "names no mailbox for x@y.example"
        in delivery.mailbox({**SUBMITTED, "recipient": "x@y.example"})["could_not_tell"]
    )
    assert "no local user" in delivery.mailbox({**SUBMITTED, "user": "no-such-user-here"})["could_not_tell"]


def test_a_message_is_settled_when_each_counted_recipient_has_its_end(journal: list[str]) -> None:
    counted = "Nov 21 12:00:02 relay postfix/qmgr[1]: 4dBBBBBB: from=<>, size=1, nrcpt=2 (queue active)\n"
    ended = JOURNAL.splitlines()[3] + "\n"
    assert not delivery._settled((counted + ended).splitlines())
    assert delivery._settled((counted + ended + ended).splitlines())
    assert delivery._settled(ended.splitlines())
    assert not delivery._settled([])


def test_without_patience_a_mailbox_is_looked_into_once_all_the_same(tmp_path: Path) -> None:
    asked = {"token": "t", "mark": "m", "folder": str(tmp_path), "seconds": 0}
    assert delivery.mailbox(asked) == {"found": False, "folder": str(tmp_path)}
    (tmp_path / "new").mkdir()
    (tmp_path / "new/1").write_text("Message-ID: <t.m@selftest.invalid>\n\ntext\n")
    assert delivery.mailbox(asked)["found"]


def test_the_log_of_a_message_that_arrives_is_watched_as_long_as_its_mailbox(tmp_path, monkeypatch):
    asked = []
    patience = common.Patience
    monkeypatch.setattr(common, "Patience", lambda seconds: asked.append(seconds) or patience(0))
    monkeypatch.setattr(delivery, "_recent_log", lambda since: [])
    delivery.log({"token": "t", "mark": "m"})
    delivery.mailbox({"token": "t", "mark": "m", "folder": str(tmp_path)})
    assert len(asked) == 2 and asked[0] == asked[1]
