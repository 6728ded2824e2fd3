"""Done means settled: what an apply waits for, for how long, and what it says of the rest."""

import pytest

from cjsm_connect.desired.change import Change
from cjsm_connect.operations import ssh
from cjsm_connect.verbs import _settling, apply, status
from cjsm_connect.verbs._hosts import Subject
from tests.desired.hosts import DESIRED, as_wanted
from tests.made_up import organisation

LOOK = {"name": "the first look for pending updates", "why": "has not happened yet", "until": 1_796_065_321}
CLOCK = {"name": "the clock", "why": "no time server has been heard yet", "until": 0}
SIGNATURES = {"name": "virus signatures", "why": "mirror.example has not brought daily.c[lv]d yet", "until": 0}


def subject(name="relay", *rows, failed=()):
    return Subject(name, DESIRED, as_wanted() | {"unsettled": list(rows), "failed": list(failed)}, Change())


@pytest.fixture
def hosts(monkeypatch):
    """What the hosts answer, look by look; `asked` has which were asked."""

    class Hosts:
        def __init__(self):
            self.answers, self.asked = [], []

        def run(self, _organisation, names, program_of):
            assert all(program_of(name).entry == "settle:settle" for name in names)
            self.asked.append(names)
            return self.answers.pop(0)

    made = Hosts()
    monkeypatch.setattr(ssh, "run_everywhere", made.run)
    return made


def test_hosts_that_are_settled_are_not_asked_again(hosts):
    assert _settling.awaited(organisation(), [subject()]) == {}
    assert hosts.asked == []


def test_each_host_is_waited_for_until_it_is_settled_and_what_for_is_said_when_it_changes(hosts, capsys):
    hosts.answers = [{"relay": [CLOCK], "mail": []}, {"relay": [CLOCK]}, {"relay": []}]
    assert _settling.awaited(organisation(), [subject("relay", LOOK, CLOCK), subject("mail", CLOCK)]) == {}
    assert hosts.asked == [["relay", "mail"], ["relay"], ["relay"]]
    assert capsys.readouterr().err.splitlines() == [
        "settling: relay: the first look for pending updates, the clock; mail: the clock ...",
        "settling: relay: the clock ...",
    ]


def test_a_mirror_that_needs_minutes_is_named_after_a_bounded_wait(hosts, monkeypatch):
    clock = iter(range(0, 1000, 50))
    monkeypatch.setattr(_settling.time, "monotonic", lambda: next(clock))
    hosts.answers = [{"relay": [SIGNATURES]}] * 20
    assert _settling.awaited(organisation(), [subject("relay", SIGNATURES)]) == {"relay": [SIGNATURES]}
    assert len(hosts.asked) == 1


def test_a_host_that_cannot_be_asked_any_more_ends_the_wait(hosts):
    hosts.answers = [{"relay": ssh.HostError("relay: no route")}]
    assert _settling.awaited(organisation(), [subject("relay", CLOCK)]) == {"relay": [CLOCK]}


def end(*after, settling=None, **other):
    rows = settling if settling is not None else _settling.unsettled(after)
    return apply.End(list(after), list(after), other.get("outcome", {}), [], rows, 0)


def test_what_is_not_settled_is_named_with_the_time_of_the_next_look_and_the_apply_is_done():
    found = end(subject("relay", LOOK, CLOCK))
    lines = "\n".join(apply.told(found))
    assert "relay: not settled yet: the first look for pending updates: has not happened yet; next at 19:03" in lines
    assert "relay: not settled yet: the clock: no time server has been heard yet" in lines
    assert lines.endswith("Next: cjsm check, after 19:03 UTC")
    assert apply.exit_code(found.outcome, found.failed, found.left) == 0
    told = apply.as_data(found)["settling"]["relay"]
    assert [row["until"] for row in told] == ["2026-11-30T19:02:01Z", ""]


def test_a_failed_unit_is_told_by_apply_and_by_status_whosever_it_is():
    item = subject(failed=["backup.service"])
    assert "relay: attention: backup.service has failed" in "\n".join(apply.told(end(item)))
    assert any(line.startswith("attention: backup.service has failed") for line in status.lines(organisation(), item))
    assert status.as_data(organisation(), item)["attention"]


def test_status_tells_what_is_not_settled():
    assert "not settled yet: the clock: no time server has been heard yet" in status.lines(
        organisation(), subject("relay", CLOCK)
    )
