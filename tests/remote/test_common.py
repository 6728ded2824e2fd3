"""What the programs on a host share."""

from __future__ import annotations

import pytest

from cjsm_connect.remote import common, delivery


@pytest.mark.parametrize(("load", "seconds"), [(0.0, 8), (2.0, 8), (3.0, 12), (50.0, 16)])
def test_a_busy_host_gets_twice_the_time_at_most(monkeypatch: pytest.MonkeyPatch, load: float, seconds: float) -> None:
    monkeypatch.setattr(common.os, "getloadavg", lambda: (load, 0, 0))
    monkeypatch.setattr(common.os, "cpu_count", lambda: 2)
    assert common.patience(8) == seconds


def test_a_message_counts_as_lost_before_all_tries_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "patience", lambda seconds: seconds * 3)
    assert delivery._limit({}, 12) < 25
    assert delivery._limit({"seconds": 1}, 12) == 1
