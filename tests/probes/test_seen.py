"""A check is told exactly why it cannot see something."""

from __future__ import annotations

from typing import Any

import pytest

from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import CannotTell, NotTested
from tests.made_up import TODAY, organisation

OBSERVATION: dict[str, Any] = {
    "hosts": {
        "relay": {"facts": {"firewall": {"chains": {"input": {"policy": "drop"}}}, "relay": {"error": "no postconf"}}},
        "mail": {"facts": {}, "unreachable": "SSH does not reach it"},
    },
    "tries": {
        "done": {"connection": "open", "at": "hub"},
        "left out": {"not_tried": "only with --hub"},
        "unsure": {"could_not_tell": "timed out"},
        "broken": {"error": "hub could not try it"},
    },
}


def seen(host: str | None = "relay") -> Seen:
    where = organisation()
    return Seen(where, OBSERVATION, TODAY, where.host(host) if host else None)


def test_a_fact_is_found_by_its_path() -> None:
    assert seen().fact("firewall", "chains", "input", "policy") == "drop"


@pytest.mark.parametrize(
    ("host", "path", "said"),
    [
        ("relay", ("firewall", "chains", "forward", "policy"), "relay told nothing about firewall > chains > forward"),
        ("relay", ("firewall", "chains", "input", "policy", "deeper"), "firewall > chains > input > policy > deeper"),
        ("relay", ("patching", "held"), "relay was not asked about patching"),
        ("relay", ("relay", "maps"), "relay could not tell about relay: no postconf"),
        ("mail", ("relay", "maps"), "mail could not be asked: SSH does not reach it"),
        ("firewall", ("relay", "maps"), "firewall is not in the observation"),
    ],
)
def test_what_is_missing_is_an_error_with_its_place(host: str, path: tuple[str, ...], said: str) -> None:
    with pytest.raises(CannotTell) as raised:
        seen(host).fact(*path)
    assert said in str(raised.value)


def test_the_estate_has_no_single_host_but_each_can_be_looked_at() -> None:
    with pytest.raises(CannotTell, match="judges the estate"):
        seen(None).fact("firewall")
    assert seen(None).on("relay").fact("firewall", "chains", "input", "policy") == "drop"


def test_a_try_that_was_made_is_returned() -> None:
    assert seen().tried("done")["connection"] == "open"


@pytest.mark.parametrize(("name", "why"), [("left out", "only with --hub"), ("unsure", "timed out")])
def test_a_try_that_was_not_made_or_could_not_tell_is_not_tested(name: str, why: str) -> None:
    with pytest.raises(NotTested, match=why):
        seen().tried(name)


@pytest.mark.parametrize(("name", "why"), [("broken", "hub could not try it"), ("unheard of", "has no try")])
def test_a_try_that_broke_or_does_not_exist_is_an_error(name: str, why: str) -> None:
    with pytest.raises(CannotTell, match=why):
        seen().tried(name)
