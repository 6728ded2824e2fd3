"""What was started on a host and has yet to run once, as its own programs tell it."""

import json

import pytest

from cjsm_connect.remote import collect, common, settle, settling

PENDING = "cjsm-pending-updates.timer"
NEXT = 1_796_065_320  # seconds since 1970
TIMERS = json.dumps([{"next": NEXT * 1_000_000, "unit": PENDING}])
TRACKING = "CB00711E,203.0.113.30,9,1796066242.9,0.0,0.0,0.0,0.0,0.0,0.2,0.0,0.0,65.0,{}"
UP, COMING_UP = {"SystemState": "running", "NFailedUnits": "0"}, {"SystemState": "starting"}
CLOCK = {"name": "the clock", "probe": "clock", "arguments": {}}


@pytest.fixture
def said(monkeypatch):
    """What the host's programs answer, by the first word that tells them apart; a list is answered one by one."""
    answers = {
        "show": (0, "SystemState=running\nNFailedUnits=0\n", ""),
        "list-units": (0, "", ""),
        "list-timers": (0, TIMERS, ""),
    }
    answers |= {"tracking": (0, TRACKING.format("Normal"), "")}

    def attempt(argv, _text="", seconds=30):
        found = next(answers[word] for word in argv if word in answers)
        return found.pop(0) if isinstance(found, list) else found

    monkeypatch.setattr(common, "attempt", attempt)
    return answers


def first_look(path):
    arguments = {"path": str(path), "timer": PENDING}
    return {"name": "the first look", "probe": "first_look", "arguments": arguments}


def test_a_host_that_has_looked_once_and_heard_a_time_server_is_settled(said, tmp_path):
    seen = tmp_path / "first-seen.json"
    seen.write_text('{"looked": 1796065561, "pending": {}}')
    assert settling.rows([first_look(seen), CLOCK], {"x.service": {"active": "active"}}, UP) == []


def test_the_first_look_that_has_not_happened_is_told_with_the_time_of_the_timer(said, tmp_path):
    (row,) = settling.rows([first_look(tmp_path / "none")], {}, UP)
    assert row == {"name": "the first look", "why": "has not happened yet", "until": NEXT}


@pytest.mark.parametrize("answer", [(1, "", "no such timer"), (0, "[]", ""), (0, '[{"next": null}]', ""), (0, "", "")])
def test_a_timer_that_will_not_elapse_gives_no_time(said, tmp_path, answer):
    said["list-timers"] = answer
    (row,) = settling.rows([first_look(tmp_path / "none")], {}, UP)
    assert row["until"] == 0


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ((0, TRACKING.format("Not synchronised"), ""), "no time server has been heard yet"),
        ((1, "506 Cannot talk to daemon\n", ""), "chrony does not answer"),
    ],
)
def test_a_clock_that_nobody_has_set_is_not_settled(said, answer, why):
    said["tracking"] = answer
    assert [row["why"] for row in settling.rows([CLOCK], {}, UP)] == [why]


@pytest.mark.parametrize(
    ("files", "missing"),
    [
        ({}, "main.c[lv]d and daily.c[lv]d"),
        ({"main.cvd": "x"}, "daily.c[lv]d"),
        ({"main.cvd": "x", "daily.cld": ""}, "daily.c[lv]d"),
        ({"main.cvd": "x", "daily.cld": "x"}, ""),
    ],
)
def test_signatures_are_settled_when_every_database_is_there_and_has_content(
    said, monkeypatch, tmp_path, files, missing
):
    monkeypatch.setattr(settling, "SIGNATURES", str(tmp_path))
    for name, text in files.items():
        (tmp_path / name).write_text(text)
    arguments = {"databases": ["main.c[lv]d", "daily.c[lv]d"], "source": "mirror.example"}
    found = settling.rows([{"name": "virus signatures", "probe": "signatures", "arguments": arguments}], {}, UP)
    assert [row["why"] for row in found] == ([f"mirror.example has not brought {missing} yet"] if missing else [])


def test_a_host_on_its_way_up_and_a_unit_that_is_starting_are_not_settled(said):
    found = settling.rows(
        [], {"clamav-daemon.service": {"active": "activating"}, "x.service": {"active": "failed"}}, COMING_UP
    )
    assert [row["name"] for row in found] == [settling.STILL_STARTING, "clamav-daemon.service"]


def test_a_degraded_host_has_settled_and_its_failed_units_are_told_but_not_what_was_masked(said):
    said["show"] = (0, "SystemState=degraded\nNFailedUnits=3\n", "")
    degraded = settling.system_state()
    said["list-units"] = (
        0,
        "x.service       loaded failed failed X y z\nold.service     masked failed failed old.service\n"
        "gone.service not-found failed failed gone\n",
        "",
    )
    assert settling.rows([], {}, degraded) == []
    assert settling.failed_units(degraded) == ["x.service", "gone.service"]


def test_settling_ends_as_soon_as_everything_is_settled(said, monkeypatch):
    monkeypatch.setattr(collect, "units", lambda _: {})
    monkeypatch.setattr(settle, "LOOK_EVERY", 0)
    not_yet = (0, TRACKING.format("Not synchronised"), "")
    said["tracking"] = [not_yet, not_yet, (0, TRACKING.format("Normal"), "")]
    assert settle.settle({"seconds": 3600, "awaited": [CLOCK], "units": {}}) == []
    assert said["tracking"] == []


def test_what_does_not_settle_in_time_is_the_answer(said, monkeypatch):
    monkeypatch.setattr(collect, "units", lambda _: {})
    said["tracking"] = (1, "", "")
    (row,) = settle.settle({"seconds": 0, "awaited": [CLOCK], "units": {}})
    assert row["name"] == "the clock"
