"""A check is told exactly why it cannot see something."""

from __future__ import annotations

from typing import Any

import pytest

from cjsm_connect.probes.arguments import topics
from cjsm_connect.probes.seen import OF_POSTFIX, Seen
from cjsm_connect.results.judge import CannotTell, NotTested
from tests.made_up import TODAY, lab_file, organisation

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


def test_of_another_mail_server_program_nothing_is_said_and_the_rest_is_still_read() -> None:
    """Every topic that it is not asked about, and no other, is not tested: never an error, and never a pass."""
    hosts = [host | ({"mta": "exim"} if host["role"] == "mail" else {}) for host in lab_file()["hosts"]]
    postfix, exim = organisation(), organisation(hosts=hosts)
    asked = topics(exim, exim.host("mail")).keys()
    assert topics(postfix, postfix.host("mail")).keys() - asked == OF_POSTFIX
    mail = Seen(exim, {"hosts": {"mail": {"facts": dict.fromkeys(asked)}}}, TODAY, exim.host("mail"))
    for topic in OF_POSTFIX:
        with pytest.raises(NotTested, match="mail runs exim by the organisation file: only Postfix is read"):
            mail.fact(topic, "anything")
    with pytest.raises(CannotTell, match="mail was not asked about nonsense"):
        mail.fact("nonsense")


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
