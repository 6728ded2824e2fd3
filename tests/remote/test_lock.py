"""Two operators at once: the second is told who, from where and since when; a lock whose holder died goes by itself."""

import time

import pytest

from cjsm_connect.remote import common, lock, sessions

ONE = {"token": "one", "who": "alex@desk"}
TWO = {"token": "two", "who": "sam@laptop"}


@pytest.fixture(autouse=True)
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(lock, "PATH", str(tmp_path / "state" / "lock"))
    monkeypatch.setattr(sessions, "own_connection", lambda: ("192.0.2.100", 40000, "192.0.2.10", 22))


def test_the_second_is_told_who_from_where_and_since_when():
    with lock.held(ONE), pytest.raises(common.Failed) as told, lock.held(TWO):
        pass
    assert "alex@desk from 192.0.2.100, since 20" in str(told.value)


def test_it_holds_between_two_steps_of_the_same_apply():
    with lock.held(ONE):
        pass
    with pytest.raises(common.Failed, match="another apply"), lock.held(TWO):
        pass
    with lock.held(ONE):
        pass


def test_the_last_step_gives_it_back():
    with lock.held(ONE, last=True):
        pass
    with lock.held(TWO):
        assert lock.holder()["who"] == "sam@laptop"


def test_a_step_that_failed_gives_it_back():
    with pytest.raises(common.Failed), lock.held(ONE):
        raise common.Failed("the disk is full")
    with lock.held(TWO):
        pass


def test_it_goes_by_itself_when_the_controller_has_died(monkeypatch):
    with lock.held(ONE):
        pass
    later = time.time() + lock.BETWEEN + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert lock.holder() == {}
    with lock.held(TWO):
        pass


def test_a_clock_that_was_set_back_does_not_hold_it_for_ever(monkeypatch):
    with lock.held(ONE):
        pass
    earlier = time.time() - 86400
    monkeypatch.setattr(time, "time", lambda: earlier)
    assert lock.holder() == {}


def test_a_step_that_takes_long_holds_it_whatever_the_time(monkeypatch):
    with lock.held(ONE):
        later = time.time() + 10 * lock.BETWEEN
        monkeypatch.setattr(time, "time", lambda: later)
        assert lock.holder()["who"] == "alex@desk"
        with pytest.raises(common.Failed), lock.held(TWO):
            pass


def test_since_is_the_beginning_of_the_apply_not_of_its_last_step(monkeypatch):
    with lock.held(ONE):
        since = lock.holder()["since"]
    later = time.time() + 60
    monkeypatch.setattr(time, "time", lambda: later)
    with lock.held(ONE):
        assert lock.holder()["since"] == since


def test_what_was_left_half_written_is_free(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state/lock").write_text('{"token": "o')
    with lock.held(TWO):
        pass


def test_it_is_never_followed_through_a_link(tmp_path):
    (tmp_path / "state").mkdir()
    (tmp_path / "state/lock").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(OSError), lock.held(ONE):
        pass
    assert not (tmp_path / "elsewhere").exists()
