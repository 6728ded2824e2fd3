"""What freshclam's log says is told apart: blocked, missing, not reached, rubbish, without an end, and well.

The logs in tests/remote/freshclam are those of freshclam 1.4.6 with a mirror that answered so; addresses and folders
were changed.
"""

from __future__ import annotations

import http.server
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cjsm_connect.remote import freshclam

LOGS = Path(__file__).with_name("freshclam")
MIRROR = "http://mirror.example.org/clamav"
GOOD = """\
Mon Nov 30 18:00:00 2026 -> ClamAV update process started at Mon Nov 30 18:00:00 2026
Mon Nov 30 18:00:00 2026 -> WARNING: Can't download lab.hdb from http://mirror.example.org/clamav/lab.hdb
Mon Nov 30 18:00:00 2026 -> Trying again in 5 secs...
Mon Nov 30 18:00:05 2026 -> lab.hdb is up-to-date (version: custom database, sigs: 4)
"""
BEGUN = "Mon Nov 30 21:00:00 2026 -> ClamAV update process started at Mon Nov 30 21:00:00 2026\n"


def at(text: str) -> float:
    return time.mktime(time.strptime(text, "%Y-%m-%d %H:%M:%S"))


def recorded(name: str) -> str:
    return (LOGS / f"{name}.log").read_text()


@pytest.fixture(autouse=True)
def nobody_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(freshclam, "answer", lambda url: (0, 0))


@pytest.mark.parametrize(
    ("log", "kind", "told"),
    [
        ("custom-403", "blocked", f"blocked by the mirror {MIRROR}/lab.hdb (HTTP 403)"),
        ("custom-429", "blocked", f"blocked by the mirror {MIRROR}/lab.ndb (HTTP 429)"),
        ("custom-still", "blocked", "blocked by the mirror (HTTP 429 or 403)"),
        ("custom-404", "missing", f"not on the mirror {MIRROR}/lab.hdb (HTTP 404)"),
        ("custom-half", "missing", f"not on the mirror {MIRROR}/lab.ndb (HTTP 404)"),
        ("public-404", "missing", f"not on the mirror {MIRROR}/daily.cvd (HTTP 404)"),
        ("custom-down", "unreachable", f"the mirror was not reached {MIRROR}/lab.hdb (Could not connect to server)"),
        ("public-down", "unreachable", f"the mirror was not reached {MIRROR}/daily.cvd (Could not connect to server)"),
        ("public-hang", "unreachable", f"the mirror was not reached {MIRROR}/daily.cvd (Timeout was reached)"),
        ("public-500", "refused", f"the mirror answered with an error {MIRROR} (HTTP 500)"),
        ("custom-rubbish", "rubbish", f"the mirror sent what is no signature database {MIRROR}/lab.hdb"),
        ("public-rubbish", "rubbish", f"the mirror sent what is no signature database {MIRROR}/daily.cvd"),
    ],
)
def test_what_stands_in_the_way_is_told_apart_with_its_address(log: str, kind: str, told: str) -> None:
    found = freshclam.updates(recorded(log))
    assert (found["trouble"]["kind"], found["last_success"]) == (kind, 0)
    assert found["trouble"]["told"].startswith(told)


@pytest.mark.parametrize(
    ("log", "until"),
    [("custom-429", "2026-11-30 20:5"), ("custom-403", "2026-12-01 19:5"), ("custom-still", "2026-11-30 23:56")],
)
def test_until_when_freshclam_asks_no_more_is_told(log: str, until: str) -> None:
    found = freshclam.updates(recorded(log))["trouble"]["until"]
    assert time.strftime("%Y-%m-%d %H:%M", time.localtime(found)).startswith(until)


def test_an_update_that_ends_well_after_a_second_try_is_well() -> None:
    found = freshclam.updates(GOOD)
    assert found["trouble"] == {}
    assert found["last"] == found["last_success"] == at("2026-11-30 18:00:00")


def test_trouble_is_told_since_the_first_of_the_failed_runs_in_a_row() -> None:
    found = freshclam.updates(recorded("custom-404") + GOOD + recorded("custom-429") + recorded("custom-still"))
    assert found["last_success"] == at("2026-11-30 18:00:00")
    since = time.strftime("%H:%M", time.localtime(found["trouble"]["since"]))
    assert since.startswith("19:5")


def test_a_run_that_has_just_begun_is_under_way_and_one_that_never_ended_is_trouble() -> None:
    begun = at("2026-11-30 21:00:00")
    assert freshclam.updates(GOOD + BEGUN, begun + 60)["trouble"] == {}
    assert freshclam.updates(GOOD + BEGUN, begun + 7200)["trouble"]["kind"] == "unfinished"


@pytest.mark.parametrize(
    ("path", "end", "kind"),
    [
        ("up-to-date", "", "unfinished"),
        ("cool-down", "main.cvd updated (version: 3)\n", ""),
        ("broken", "ERROR: Connection failed\nMessage: Couldn't connect to server\n", "unreachable"),
        ("error code 403", "main.cvd updated (version: 3)\n", ""),
    ],
)
def test_a_mirrors_address_says_nothing_of_what_happened(path: str, end: str, kind: str) -> None:
    run = f"Mon Nov 30 12:00:00 2026\nTrying to download http://mirror.example.org/{path.replace(' ', '-')}/main.cvd\n"
    assert freshclam.run_of(run + end)["kind"] == kind


def test_no_log_is_never() -> None:
    assert freshclam.updates("") == {"last": 0, "last_success": 0, "errors": [], "trouble": {}}


class Mirror(http.server.BaseHTTPRequestHandler):
    """Answers with a status, and when to come again."""

    status = 429

    def do_HEAD(self) -> None:
        self.send_response(self.status)
        self.send_header("Retry-After", "3600")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture
def mirror() -> Iterator[str]:
    with http.server.HTTPServer(("127.0.0.1", 0), Mirror) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.parametrize("status", [429, 403])
def test_a_page_of_refusal_that_freshclam_takes_for_a_database_is_told_as_blocked(
    mirror: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(Mirror, "status", status)
    found = freshclam.updates(recorded("public-rubbish").replace("http://mirror.example.org", mirror))["trouble"]
    assert (found["kind"], found["url"]) == ("blocked", f"{mirror}/clamav/daily.cvd")
    assert f"HTTP {status}" in found["told"]
    assert found["until"] > time.time() + 3000


def test_the_public_servers_are_not_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    def asked(url: str) -> tuple[int, int]:
        raise AssertionError(url)

    monkeypatch.setattr(freshclam, "answer", asked)
    text = recorded("public-rubbish").replace("http://mirror.example.org/clamav", "https://database.clamav.net")
    assert freshclam.updates(text)["trouble"]["kind"] == "rubbish"
