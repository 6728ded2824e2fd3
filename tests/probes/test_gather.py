"""How far a look goes: on a real estate nothing reaches the hub unasked; content goes only where it is discarded."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any

import pytest

from cjsm_connect.organisation import Organisation
from cjsm_connect.probes import attempts
from cjsm_connect.probes import gather as module
from cjsm_connect.probes.connections import Place, Unreachable
from cjsm_connect.probes.gather import Options, gather
from cjsm_connect.probes.seen import Seen
from cjsm_connect.probes.tries import Try
from cjsm_connect.results import CjsmError
from cjsm_connect.results.judge import NotTested
from tests.made_up import organisation

TRIES = [
    Try("local", "outside", "relay", "local-active", "tcp"),
    Try("content", "hub", "relay", "local-active", "smtp", discards=True),
    Try("handshake", "relay", "relay", "hub-handshake", "smtp"),
    Try("message", "mail", "mail", "hub-mail", "submit"),
    Try("counters", "relay", "relay", "passive", "counters", around=True),
    Try("elsewhere", "nowhere", "relay", "local-active", "tcp"),
    Try("arrived", "hub", "mail", "hub-mail", "mailbox", {"user": "clerk"}, follows=("message",)),
]


@dataclass
class Estate:
    """Hosts that answer without a network."""

    organisation: Organisation
    looks: dict[str, dict[str, Any]]
    unreachable: tuple[str, ...] = ()
    asked: list[tuple[str, str]] = field(default_factory=list)
    made: list[list[str]] = field(default_factory=list)
    arguments: dict[str, dict[str, Any]] = field(default_factory=dict)
    log: list[str] = field(default_factory=list)
    opened: list[str] = field(default_factory=list)

    def open(self, place: Place) -> None:
        self.opened.append(place.name)

    def ask(self, place: Place, _names: object, entry: str, arguments: dict[str, Any], _seconds: int) -> Any:
        self.asked.append((place.name, entry))
        if place.name in self.unreachable:
            raise Unreachable("SSH does not reach it")
        if entry == "look:look":
            return self.looks[place.name] | {"readings": self.read(arguments)}
        if entry == "look:readings":
            return self.read(arguments)
        if entry == "tries:main":
            self.made.append(sorted(one["id"] for one in arguments["tries"]))
            self.arguments |= {one["id"]: one["arguments"] for one in arguments["tries"]}
            told = {"connection": "open", "tries so far": len(self.made), "log": self.log}
            return {one["id"]: told for one in arguments["tries"]}
        return {topic: {} for topic in arguments["topics"]}

    def read(self, arguments: dict[str, Any]) -> dict[str, Any]:
        return {one["id"]: {"tries so far": len(self.made)} for one in arguments["around"]}


def looks(marker: str = "", discards: bool = True, **markers: str) -> dict[str, dict[str, Any]]:
    names = ("firewall", "relay", "mail")
    return {name: {"marker": markers.get(name, marker), "discards": discards} for name in names}


@pytest.fixture
def estate(monkeypatch: pytest.MonkeyPatch) -> Estate:
    found = Estate(organisation(), looks())

    @contextmanager
    def opened(_: object) -> Iterator[Estate]:
        yield found

    monkeypatch.setattr(module, "opened", opened)
    monkeypatch.setattr(module, "HEAD_START", 0.05)
    monkeypatch.setattr(module, "all_tries", lambda _: TRIES)
    return found


def untried(observation: dict[str, Any]) -> dict[str, str]:
    return {name: outcome["not_tried"] for name, outcome in observation["tries"].items() if "not_tried" in outcome}


def test_on_a_real_estate_the_hub_is_left_alone(estate: Estate) -> None:
    observation = gather(estate.organisation)
    assert observation["lab"] == ""
    assert set(untried(observation)) == {"handshake", "message", "elsewhere", "arrived"}
    assert "--hub" in untried(observation)["handshake"]
    assert "--send-test-to" in untried(observation)["message"]
    assert not any("handshake" in made or "message" in made for made in estate.made)


def test_a_handshake_with_the_hub_is_made_when_asked_for_and_still_no_mail_is_sent(estate: Estate) -> None:
    assert set(untried(gather(estate.organisation, Options(hub=True)))) == {"message", "elsewhere", "arrived"}


def test_mail_is_sent_when_asked_for_and_permitted(estate: Estate) -> None:
    options = Options(send_test_to="someone@charity.example.cjsm.net")
    assert set(untried(gather(estate.organisation, options))) == {"handshake", "elsewhere"}


def test_mail_without_the_ministrys_permission_is_refused_before_anybody_is_asked(estate: Estate) -> None:
    unpermitted = organisation(declarations=[])
    with pytest.raises(CjsmError, match=r"clause 9 .*moj-permission-automated-mail"):
        gather(unpermitted, Options(send_test_to="someone@charity.example.cjsm.net"))
    assert estate.asked == []


def test_on_the_lab_everything_is_tried(estate: Estate) -> None:
    estate.looks = looks("h5")
    observation = gather(estate.organisation)
    assert observation["lab"] == "h5"
    assert set(untried(observation)) == {"elsewhere"}


@pytest.mark.parametrize("markers", [{"relay": ""}, {"relay": "other"}])
def test_one_host_without_the_same_marker_makes_it_a_real_estate(estate: Estate, markers: dict[str, str]) -> None:
    estate.looks = looks("h5", **markers)
    assert gather(estate.organisation)["lab"] == ""


def test_a_host_that_cannot_be_looked_at_makes_it_a_real_estate(estate: Estate) -> None:
    estate.looks, estate.unreachable = looks("h5"), ("mail",)
    assert gather(estate.organisation)["lab"] == ""


@pytest.mark.parametrize("marker", ["", "h5"])
def test_no_content_is_sent_where_it_would_not_be_discarded(estate: Estate, marker: str) -> None:
    estate.looks = looks(marker, discards=False)
    observation = gather(estate.organisation, Options(hub=True))
    assert "does not route discard@selftest.invalid to discard" in untried(observation)["content"]
    assert not any("content" in made for made in estate.made)


def test_a_try_from_a_vantage_that_was_not_declared_says_so(estate: Estate) -> None:
    assert "declares no vantage host 'nowhere'" in untried(gather(estate.organisation))["elsewhere"]


def test_a_vantage_that_cannot_be_reached_is_an_error_and_no_answer(estate: Estate) -> None:
    estate.unreachable = ("outside",)
    outcome = gather(estate.organisation)["tries"]["local"]
    assert outcome["error"] == "outside could not try it: SSH does not reach it"


def test_a_host_that_cannot_be_reached_is_asked_once_and_the_others_are_reported(estate: Estate) -> None:
    estate.unreachable = ("relay",)
    hosts = gather(estate.organisation)["hosts"]
    assert hosts["relay"] == {"facts": {}, "unreachable": "SSH does not reach it"}
    assert "system" in hosts["mail"]["facts"]
    assert estate.asked.count(("relay", "observe.host:observe")) == 0


def test_what_is_read_around_the_tries_is_read_before_all_of_them_and_after_all_of_them(estate: Estate) -> None:
    outcome = gather(estate.organisation)["tries"]["counters"]
    assert estate.made and not any("counters" in made for made in estate.made)
    assert (outcome["before"]["tries so far"], outcome["after"]["tries so far"]) == (0, len(estate.made))
    assert (outcome["at"], outcome["subject"]) == ("relay", "relay")


SENT = "4dBB: to=<a@b.example>, relay=hub[203.0.113.20]:25, status=sent (250 ok)"
PUT_OFF = "4dBB: to=<a@b.example>, relay=none, status=deferred (Server certificate not trusted)"
REFUSED = "4dBB: milter-reject: END-OF-MESSAGE from localhost: 5.7.1 Eicar found"
QUEUED = "4dBB: from=<>, size=1, nrcpt=1 (queue active)"


@pytest.mark.parametrize(
    ("log", "once"),
    [([], False), ([QUEUED], False), ([SENT], False), ([QUEUED, PUT_OFF], True), ([REFUSED], True),
     ([PUT_OFF, SENT], False)],
    ids=["nothing", "queued", "sent", "put off", "refused", "put off and sent"],
)  # fmt: skip
def test_a_mailbox_is_looked_into_once_when_the_log_says_that_the_message_waits(
    estate: Estate, log: list[str], once: bool
) -> None:
    estate.looks, estate.log = looks("h5"), log
    gather(estate.organisation)
    assert [made for made in estate.made if "arrived" in made] == [["arrived"]] == estate.made[-1:]
    assert estate.arguments["arrived"].get("seconds") == (0 if once else None)
    assert estate.arguments["arrived"]["token"] == estate.arguments["message"]["token"]


def test_a_mailbox_is_waited_for_when_nothing_is_known_of_the_message() -> None:
    assert attempts._in_haste(TRIES[-1], {"message": {"error": "mail could not try it"}}) == TRIES[-1]
    assert attempts._in_haste(TRIES[-1], {}) == TRIES[-1]
    assert attempts._in_haste(TRIES[-1], {"message": {"exit_code": 75, "log": []}}).arguments["seconds"] == 0


def test_a_mailbox_is_looked_into_once_when_the_relay_was_watched_as_long_and_saw_nothing() -> None:
    assert attempts._in_haste(TRIES[-1], {"message": {"log": [], "seconds": 3.4}}) == TRIES[-1]
    assert attempts._in_haste(TRIES[-1], {"message": {"log": [], "seconds": 12.2}}).arguments["seconds"] == 0


def test_each_host_is_observed_by_one_command_and_tried_by_one_more(estate: Estate) -> None:
    gather(estate.organisation)
    for host in estate.organisation.hosts:
        assert estate.asked.count((host.name, "observe.host:observe")) == 1
        assert estate.asked.count((host.name, "look:look")) == 1
        assert estate.asked.count((host.name, "tries:main")) <= 1  # and once more where a message is looked for
        assert estate.asked.count((host.name, "look:readings")) <= 1


def test_the_tries_begin_before_the_hosts_are_read(estate: Estate) -> None:
    gather(estate.organisation)
    entries = [entry for _, entry in estate.asked]
    last_try = max(index for index, entry in enumerate(entries) if entry == "tries:main")
    assert entries.index("look:look") < last_try < entries.index("observe.host:observe")


def test_the_vantages_are_connected_to_while_the_hosts_are_looked_at(estate: Estate) -> None:
    gather(estate.organisation)
    assert estate.opened == [place.name for place in estate.organisation.vantage]


def test_a_reading_that_failed_is_no_pair(estate: Estate) -> None:
    estate.unreachable = ("relay",)
    outcome = gather(estate.organisation)["tries"]["counters"]
    assert "before" not in outcome and "relay could not be read: SSH does not reach it" in outcome["error"]


def test_a_reading_that_could_not_tell_is_no_pair() -> None:
    one, doubt = TRIES[4], {"could_not_tell": "nft is busy"}
    assert attempts._pair(one, {"drop": 1}, doubt) == {
        "could_not_tell": "nft is busy",
        "kind": "counters",
        "at": "relay",
        "subject": "relay",
    }
    assert "before" not in attempts._pair(one, doubt, {"drop": 1})


def test_hosts_can_be_read_without_any_try_and_some_of_them_only(estate: Estate) -> None:
    observation = gather(estate.organisation, Options(tries=False, hosts=("relay",)))
    assert list(observation["hosts"]) == ["relay"] and observation["tries"] == {}
    assert estate.asked == [("relay", "observe.host:observe")]


def test_the_texts_of_the_configuration_are_only_read_when_they_are_wanted(estate: Estate) -> None:
    assert "configuration" not in gather(estate.organisation)["hosts"]["relay"]["facts"]
    assert "configuration" in gather(estate.organisation, Options(texts=True))["hosts"]["relay"]["facts"]


def test_lists_of_revoked_certificates_are_asked_for_while_the_tries_go_on(
    estate: Estate, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(module.chains, "ask_ahead", lambda *given: asked.append(given))
    monkeypatch.setattr(
        module.chains, "outcomes", lambda _, hosts, tries, lists: {"revocation": {"hosts": list(hosts), "tries": tries}}
    )
    observation = gather(estate.organisation, Options(hub=True))
    [(_, hosts, _)] = asked
    assert list(hosts) == ["firewall", "relay", "mail"] == observation["tries"]["revocation"]["hosts"]
    assert "handshake" in observation["tries"]["revocation"]["tries"]


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STARTING_EVERY", 0)
    monkeypatch.setattr(module, "STARTING_SECONDS", 0.2)


def test_a_host_that_has_just_started_is_waited_for_and_then_everything_is_tried(
    estate: Estate, impatient: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    estate.looks = looks("h5")
    at_first = [estate.looks["relay"] | {"starting": True}] * 2
    ask = estate.ask

    def young(place: Place, names: object, entry: str, arguments: dict[str, Any], seconds: int) -> Any:
        found = ask(place, names, entry, arguments, seconds)
        young_once = entry == "look:look" and place.name == "relay" and at_first
        return found | at_first.pop() if young_once else found

    monkeypatch.setattr(estate, "ask", young)
    said: list[str] = []
    observation = gather(estate.organisation, say=said.append)
    assert "relay has just started: waiting until it has started everything" in said
    assert estate.asked.count(("relay", "look:look")) == 3
    assert not observation["hosts"]["relay"].get("starting")
    assert set(untried(observation)) == {"elsewhere"}


@pytest.mark.parametrize("sign", ["its own word", "pam_nologin"])
def test_a_host_that_is_still_starting_is_not_judged_and_nothing_is_tried_across_it(
    estate: Estate, impatient: None, monkeypatch: pytest.MonkeyPatch, sign: str
) -> None:
    estate.looks = looks("h5")
    ask = estate.ask

    def young(place: Place, names: object, entry: str, arguments: dict[str, Any], seconds: int) -> Any:
        found = ask(place, names, entry, arguments, seconds)
        if place.name == "relay" and entry == "look:look":
            if sign == "pam_nologin":
                raise Unreachable("SSH failed (System is booting up. ... For technical details, see pam_nologin(8).)")
            return found | {"starting": True}
        return found

    monkeypatch.setattr(estate, "ask", young)
    observation = gather(estate.organisation)
    assert set(untried(observation)) == {one.id for one in TRIES} and not estate.made
    seen = Seen(estate.organisation, observation, date(2026, 11, 30), estate.organisation.host("relay"))
    for question in (lambda: seen.fact("system", "clock"), lambda: seen.tried("revocation.hub:relay")):
        with pytest.raises(NotTested, match=r"^relay is still starting: first look at \d\d:\d\d UTC$"):
            question()
    assert observation["hosts"]["mail"]["facts"]
