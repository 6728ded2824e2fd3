"""What should be refused is tried, by leave of somebody, without a message; and a refusal has its positive control."""

import asyncio
import re
from datetime import UTC, date, datetime, timedelta

import pytest
from click.testing import CliRunner

from cjsm_connect.engineer import active, ciphers, line, probe
from cjsm_connect.engineer.session import Manner
from cjsm_connect.engineer.targets import Permission, Target, TargetError, load
from cjsm_connect.verbs.probe import command
from tests.remote.servers import Authority, conversing, serving

TODAY = datetime.now(UTC).date()
BEFORE = 5  # EHLO: two of the look, two of the session that asks, one in clear text
LEAVE = Permission("Jo Bloggs", TODAY, TODAY + timedelta(2), "council.example", "targets")  # midnight may come


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(line.Line.reply, "__defaults__", (1.0,))


class Relay:
    """Refuses what it should, and remembers what it was told; a test changes one answer."""

    def __init__(self, **wrong):
        self.wrong = wrong
        self.seen = []

    def __call__(self, command, over_tls):
        self.seen.append(command)
        verb = command.split(" ")[0]
        if verb == "EHLO":
            return b"250-test\r\n250-SIZE 1000000\r\n250 STARTTLS\r\n"
        if verb == "MAIL":
            return self._mail(command, over_tls)
        if verb == "RCPT":
            return self._rcpt(re.search("<(.*)>", command)[1])
        return b"250 ok\r\n"

    def _mail(self, command, over_tls):
        if not over_tls and "clear" not in self.wrong:
            return self.wrong.get("mail", b"530 5.7.0 Must issue a STARTTLS command first\r\n")
        if size := re.search("SIZE=([0-9]+)", command):
            return b"552 too big\r\n" if int(size[1]) > 1000000 and "size" not in self.wrong else b"250 ok\r\n"
        return b"250 ok\r\n"

    def _rcpt(self, recipient):
        local, _, domain = recipient.rpartition("@")
        if domain != "council.example":
            return self.wrong.get("relay", b"554 relay access denied\r\n")
        if local == "postmaster":
            return self.wrong.get("postmaster", b"250 ok\r\n")
        if local.startswith("no-such-mailbox-"):
            return self.wrong.get("unknown", b"550 unknown\r\n")
        return self.wrong.get("rewritten", b"550 unknown\r\n")


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "An authority")


def tried(authority, relay, permission=LEAVE, *, demands=False, ours=True):
    context = authority.server("relay.test", clients=demands)
    certificate = str(authority.chain_file("probe.test")) if ours else None
    with serving(conversing(relay, context)) as port, ciphers.wrong("probe.example") as wrong:
        manner = Manner("probe.example", certificate, versions=False, wrong=wrong)
        return asyncio.run(probe.probe(Target("127.0.0.1", port, permission), manner))["active"]


def results(found):
    return {name: test["result"] for name, test in found["tests"].items()}


def test_a_relay_as_it_should_be_refuses_everything_and_hears_of_no_message(authority):
    relay = Relay()
    found = tried(authority, relay, demands=True)
    assert results(found) == dict.fromkeys(active.TESTS, "refused"), found
    assert found["control"]["result"] == "accepted"
    assert found["authorised"] == f"Jo Bloggs, {TODAY} (targets)"
    assert {command.split(" ")[0] for command in relay.seen} <= {"EHLO", "STARTTLS", "MAIL", "RCPT", "RSET", "QUIT"}
    senders = {command.split(">")[0] for command in relay.seen if command.startswith("MAIL")}
    assert senders <= {"MAIL FROM:<", "MAIL FROM:<postmaster@council.example"}


@pytest.mark.parametrize(
    ("wrong", "test"),
    [
        ({"clear": True}, "clear_text"),
        ({"size": True}, "size"),
        ({"unknown": b"250 ok\r\n"}, "unknown_recipient"),
        ({"relay": b"250 ok\r\n"}, "relay"),
        ({"rewritten": b"250 ok\r\n"}, "relay"),
    ],
)
def test_each_thing_that_is_accepted_and_should_not_be_is_found_alone(authority, wrong, test):
    found = tried(authority, Relay(**wrong), demands=True)
    assert results(found) == dict.fromkeys(active.TESTS, "refused") | {test: "accepted"}, found


def test_who_accepts_every_name_is_not_called_a_relay_for_it(authority):
    found = tried(authority, Relay(unknown=b"250 ok\r\n", rewritten=b"250 ok\r\n"))
    assert results(found)["relay"] == "refused"
    assert results(found)["unknown_recipient"] == "accepted"


def test_a_certificate_that_nobody_vouches_for_and_is_taken_is_found(authority):
    """A server that asks for a certificate and looks at none."""
    context = authority.server("relay.test", clients=True)
    with serving(conversing(Relay(), context)) as port, ciphers.wrong("probe.example") as wrong:
        context.load_verify_locations(cafile=wrong)
        manner = Manner("probe.example", str(authority.chain_file("probe.test")), versions=False, wrong=wrong)
        found = asyncio.run(probe.probe(Target("127.0.0.1", port, LEAVE), manner))["active"]
    assert found["tests"]["wrong_certificate"]["result"] == "accepted"


@pytest.mark.parametrize(("said", "result"), [("421 4.7.1 not trusted", "refused"), ("421 4.3.2 busy", "not_tested")])
def test_postfix_says_421_to_a_wrong_certificate_and_another_421_is_no_refusal(authority, said, result):
    class Asked(Relay):
        def __call__(self, command, over_tls):
            reply = super().__call__(command, over_tls)
            late = over_tls and sum(one.startswith("EHLO") for one in self.seen) > BEFORE
            return f"{said}\r\n".encode() if late and command.startswith("EHLO") else reply

    context = authority.server("relay.test", clients=True)
    with serving(conversing(Asked(), context)) as port, ciphers.wrong("probe.example") as wrong:
        context.load_verify_locations(cafile=wrong)
        manner = Manner("probe.example", str(authority.chain_file("probe.test")), versions=False, wrong=wrong)
        found = asyncio.run(probe.probe(Target("127.0.0.1", port, LEAVE), manner))["active"]
    assert found["tests"]["wrong_certificate"]["result"] == result, found


def test_without_a_certificate_that_is_accepted_nothing_is_said_of_a_wrong_one(authority):
    found = tried(authority, Relay(), ours=False)
    assert found["tests"]["wrong_certificate"] == active.untested("no client certificate is asked for")
    found = tried(authority, Relay(), ours=False, demands=True)
    assert "--certificate" in str(found)
    assert set(results(found).values()) <= {"not_tested", "refused"}
    assert found["tests"]["relay"]["result"] == "not_tested"


def test_who_refuses_its_own_postmaster_too_has_proved_nothing(authority):
    found = tried(authority, Relay(postmaster=b"554 not you\r\n", mail=b"554 not you\r\n"))
    assert results(found) == {
        "clear_text": "not_tested",
        "relay": "not_tested",
        "size": "refused",
        "unknown_recipient": "not_tested",
        "wrong_certificate": "not_tested",
    }
    assert "own postmaster is not accepted" in found["tests"]["relay"]["said"]


def test_what_is_put_off_is_neither_accepted_nor_refused(authority):
    found = tried(authority, Relay(relay=b"450 later\r\n"))
    assert results(found)["relay"] == "not_tested"


def test_a_session_that_ends_leaves_what_was_not_asked_untold(authority):
    found = tried(authority, Relay(unknown=b"421 too many\r\n"))
    assert results(found)["unknown_recipient"] == "not_tested"


@pytest.mark.parametrize(
    ("permission", "said"),
    [
        (None, "not authorised"),
        (
            Permission("Jo", TODAY - timedelta(9), TODAY - timedelta(1), "council.example", "f"),
            "not authorised any more",
        ),
        (Permission("Jo", TODAY + timedelta(2), TODAY + timedelta(9), "council.example", "f"), "not authorised yet"),
    ],
)
def test_without_leave_no_address_is_tried(authority, permission, said):
    relay = Relay()
    found = tried(authority, relay, permission)
    assert found.keys() == {"not_tested"}
    assert found["not_tested"].startswith(said)
    assert {command.split(" ")[0] for command in relay.seen} <= {"EHLO", "STARTTLS", "QUIT"}


@pytest.mark.parametrize("command", ["DATA", "BDAT 10 LAST", "VRFY x", "data"])
def test_what_could_carry_a_message_is_never_said(command):
    with pytest.raises(AssertionError, match="never said"):
        asyncio.run(active.say(None, command))


def test_the_leave_stands_in_the_file_of_targets_with_name_and_date(tmp_path):
    file = tmp_path / "targets"
    file.write_text('a.example:4545 authorised-by="Jo Bloggs" on=2026-11-01 domain=Council.example\nb.example\n')
    first, second = load(file)
    assert second.permission is None
    assert first.permission == Permission(
        "Jo Bloggs", date(2026, 11, 1), date(2027, 1, 30), "council.example", "targets"
    )


@pytest.mark.parametrize(
    "words",
    [
        "authorised-by=Jo",
        "authorised-by=Jo on=yesterday domain=c.example",
        "on=2026-11-01 domain=c.example",
        "nonsense",
    ],
)
def test_a_leave_without_name_or_date_is_no_leave(tmp_path, words):
    file = tmp_path / "targets"
    file.write_text(f"a.example {words}\n")
    with pytest.raises(TargetError, match="line 1"):
        load(file)


def test_the_verb_tries_only_who_has_given_leave_and_says_what_was_accepted(authority, tmp_path):
    open_relay, other = Relay(relay=b"250 ok\r\n"), Relay()
    with (
        serving(conversing(open_relay, authority.server("relay.test"))) as one,
        serving(conversing(other, authority.server("relay.test"))) as two,
    ):
        file = tmp_path / "targets"
        leave = f'authorised-by="Jo Bloggs" on={TODAY} domain=council.example'
        file.write_text(f"127.0.0.1:{one} {leave}\n127.0.0.1:{two}\n")
        words = ["--targets", str(file), "--active", "--ciphers", "--no-versions", "--at-once", "1"]
        done = CliRunner().invoke(command, words)
    assert done.exit_code == 1, done.output
    assert "relaying       ACCEPTED: from <> to <nobody@example.org>: 250 ok" in done.stdout
    assert "active         not tested: not authorised" in done.stdout
    assert "1.2 accepts    ECDHE-" in done.stdout
    assert not any(said.startswith("MAIL") for said in other.seen)
