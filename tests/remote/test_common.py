"""What the programs on a host share."""

from __future__ import annotations

import pytest

from cjsm_connect.probes import attempts
from cjsm_connect.remote import common, delivery

PRESSURE = "some avg10=0.00 avg60=3.67 avg300=31.94 total={}\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=9\n"


class Clock:
    """A host on which something waits for a processor for a share of the time."""

    def __init__(self, stalled: float | None) -> None:
        self.stalled, self.now = stalled, 1000.0

    def monotonic(self) -> float:
        return self.now

    def read(self, _path: str) -> str:
        return "" if self.stalled is None else PRESSURE.format(int(self.now * self.stalled * 1e6))


@pytest.mark.parametrize(
    ("stalled", "seconds"),
    [(0.0, 8), (0.2, 10), (0.5, 16), (0.9, 16), (None, 16)],
    ids=["idle", "a fifth", "half", "nearly always", "not told"],
)
def test_a_busy_host_gets_twice_the_time_at_most(
    monkeypatch: pytest.MonkeyPatch, stalled: float | None, seconds: float
) -> None:
    clock = Clock(stalled)
    monkeypatch.setattr(common.time, "monotonic", clock.monotonic)
    monkeypatch.setattr(common, "read", clock.read)
    patience = common.Patience(8)
    clock.now += seconds - 0.1
    assert not patience.over
    clock.now += 0.2
    assert patience.over
    assert patience.waited == pytest.approx(seconds + 0.1)


def test_this_machine_says_how_long_something_waited_for_a_processor_or_that_it_does_not_count() -> None:
    found = common._stalled()
    assert found is None or found >= 0


def test_a_message_counts_as_lost_before_all_tries_end() -> None:
    assert 2 * common.ON_THE_WAY < attempts.SECONDS - 5


def test_the_log_is_read_from_before_the_first_tries_even_by_those_that_follow_them() -> None:
    assert delivery.BEFORE > attempts.SECONDS + attempts.READ_SECONDS
