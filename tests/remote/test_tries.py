"""The live tries against servers on loopback that behave, misbehave, and say nothing."""

from __future__ import annotations

import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from aiosmtpd.controller import Controller
from aiosmtpd.handlers import Message

from cjsm_connect import remote
from cjsm_connect.probes import programs
from cjsm_connect.remote import handshake, messages, smtp, smuggling, tries
from tests.remote.servers import Authority, scripted, serving, starttls

ENVELOPE = {"sender": "a@council.example", "recipients": ["discard@selftest.invalid"]}
pytestmark = [
    pytest.mark.filterwarnings("ignore:ssl.TLSVersion"),  # asking for old versions is the point
    pytest.mark.slow,
]
CLEAN = {"token": "t1", "message": {"content": "clean", "mark": "m"}}


def tried(kind: str, port: int, **arguments: Any) -> dict[str, Any]:
    each = {"id": "x", "kind": kind, "arguments": {"address": "127.0.0.1", "port": port, **arguments}}
    outcome = tries.run([each], 30)["x"]
    assert 0 <= outcome.pop("seconds") < 30
    return outcome


def codes(outcome: dict[str, Any]) -> list[tuple[str, int]]:
    return [(reply["command"].split(" ")[0], reply["code"]) for reply in outcome["replies"]]


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "RETRY_SECONDS", 0)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "REPLY_SECONDS", 0.15)
    monkeypatch.setattr(smtp, "DATA_SECONDS", 1)
    monkeypatch.setattr(smuggling, "QUIET_SECONDS", 0.1)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path, "Test CA")


class Kept(Message):
    """An aiosmtpd handler that keeps the messages it got."""

    def __init__(self) -> None:
        super().__init__()
        self.bodies: list[bytes] = []

    def handle_message(self, message: Any) -> None:
        self.bodies.append(message.as_bytes())


@pytest.fixture
def mail_server() -> Iterator[tuple[int, Kept]]:
    kept = Kept()
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    controller = Controller(kept, hostname="127.0.0.1", port=port)
    controller.start()
    yield port, kept
    controller.stop()


# --- ports


def test_an_open_port_is_open_and_a_closed_one_is_refused() -> None:
    with serving(scripted({})) as port:
        assert tried("tcp", port) == {"connection": "open"}
    assert tried("tcp", port) == {"connection": "refused"}


def test_a_port_that_drops_gives_no_answer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "CONNECT_SECONDS", 0.3)
    with socket.socket() as full:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        waiting = [socket.socket() for _ in range(3)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(full.getsockname())
        assert tried("tcp", full.getsockname()[1]) == {"connection": "no_answer"}
        for each in waiting:
            each.close()


def test_an_address_that_is_not_ours_to_send_from_tells_nothing() -> None:
    with serving(scripted({})) as port:
        assert "could_not_tell" in tried("tcp", port, source="192.0.2.77")


def test_a_closed_port_is_a_fact_and_not_a_doubt() -> None:
    with serving(scripted({})) as port:
        pass
    outcome = tried("smtp", port, **ENVELOPE)
    assert (outcome["reachable"], outcome["connection"]) == (False, "refused")
    assert "could_not_tell" not in outcome


# --- replies


def test_a_message_reaches_a_real_server_as_it_was_built(mail_server: tuple[int, Kept]) -> None:
    port, kept = mail_server
    outcome = tried("smtp", port, **ENVELOPE, **CLEAN)
    assert codes(outcome)[-2:] == [("message", 250), ("QUIT", 221)]
    sent = messages.build({**CLEAN["message"], "recipient": "discard@selftest.invalid", "token": "t1"})
    arrived = messages.fingerprint(kept.bodies[0])
    assert arrived == messages.fingerprint(sent)
    assert arrived["extra"] == ""


def test_without_a_message_nothing_is_ever_sent_as_data(mail_server: tuple[int, Kept]) -> None:
    port, kept = mail_server
    outcome = tried("smtp", port, **ENVELOPE)
    assert codes(outcome) == [("connect", 220), ("EHLO", 250), ("MAIL", 250), ("RCPT", 250), ("QUIT", 221)]
    assert kept.bodies == []


def test_a_refused_recipient_gets_no_data() -> None:
    seen: list[str] = []
    refusing = {"MAIL": b"250 ok\r\n", "RCPT": b"554 5.7.1 Relay access denied\r\n"}
    with serving(scripted(refusing, seen)) as port:
        outcome = tried("smtp", port, **ENVELOPE, **CLEAN)
    assert ("RCPT", 554) in codes(outcome)
    assert "DATA" not in seen


def test_the_size_that_a_server_announces_is_a_fact() -> None:
    with serving(scripted({})) as port:
        assert tried("smtp", port)["announces_size"] == 1000


@pytest.mark.usefixtures("impatient")
def test_silence_is_never_a_refusal() -> None:
    with serving(scripted({"MAIL": b"250 ok\r\n"})) as port:
        outcome = tried("smtp", port, **ENVELOPE)
    assert outcome["could_not_tell"].startswith("no reply to RCPT TO")
    assert ("RCPT", 554) not in codes(outcome)


@pytest.mark.usefixtures("impatient")
def test_a_drip_of_single_bytes_ends_with_the_time_for_one_reply() -> None:
    dripped = []

    def drip(connection: socket.socket) -> None:
        for _ in range(600):
            connection.sendall(b"2")
            dripped.append(b"2")
            time.sleep(0.05)

    with serving(drip) as port:
        assert "could_not_tell" in tried("smtp", port)
    assert 1 < len(dripped) < 600, "nobody waited for the last of the bytes"


def test_hanging_up_is_told_apart_from_silence() -> None:
    with serving(scripted({"MAIL": b""})) as port:
        outcome = tried("smtp", port, **ENVELOPE)
    assert codes(outcome)[-1] == ("MAIL", 0)
    assert "could_not_tell" not in outcome


def test_a_server_that_is_busy_is_asked_a_second_time() -> None:
    greetings = iter([b"421 4.3.2 busy\r\n", b"220 ready\r\n"])

    def handle(connection: socket.socket) -> None:
        scripted({"connect": next(greetings)})(connection)

    with serving(handle) as port:
        outcome = tried("smtp", port)
    assert outcome["attempts"] == 2
    assert codes(outcome) == [("connect", 220), ("EHLO", 250), ("QUIT", 221)]


def test_a_certificate_that_is_not_wanted_is_not_shown_twice() -> None:
    with serving(scripted({"EHLO": b"421 4.7.1 Error: No client certificate presented\r\n"})) as port:
        outcome = tried("smtp", port)
    assert codes(outcome) == [("connect", 220), ("EHLO", 421)]
    assert "attempts" not in outcome


@pytest.mark.parametrize("banner", [b"SSH-2.0-OpenSSH_10\r\n", b"x" * 5000, b"220-more\r\n" * 5000])
def test_what_is_not_smtp_tells_nothing(banner: bytes) -> None:
    with serving(scripted({"connect": banner})) as port:
        assert "could_not_tell" in tried("smtp", port)


def test_a_hostile_reply_is_cut_and_cannot_drive_a_terminal() -> None:
    with serving(scripted({"connect": b"220 \x1b[2J\x07" + b"a" * 1000 + b"\r\n"})) as port:
        text = tried("smtp", port)["replies"][0]["text"]
    assert "\x1b" not in text
    assert text.startswith("\\x1b[2J\\x07aaa")
    assert len(text) < 320


def test_a_command_cannot_be_smuggled_in_through_a_value() -> None:
    seen: list[str] = []
    with serving(scripted({}, seen)) as port:
        outcome = tried("smtp", port, sender="a@b.example>\r\nRCPT TO:<c@d.example", recipients=[])
    assert "could_not_tell" in outcome
    assert not [command for command in seen if command.startswith("RCPT")]


# --- TLS


def test_chain_and_name_are_facts_of_their_own(authority: Authority) -> None:
    server = starttls(authority.server("relay.council.example"), {})
    with serving(server) as port:
        right = {"authorities": authority.pem, "names": ["relay.council.example"]}
        both = tried("smtp", port, tls=right)["tls"]
        other_name = tried("smtp", port, tls={**right, "names": ["hub.cjsm.example"]})["tls"]
    assert (both["chain_verified"], both["name_matches"], both["error"]) == (True, True, "")
    assert (other_name["chain_verified"], other_name["name_matches"]) == (True, False)
    assert both["version"] == "TLSv1.3"


def test_a_chain_to_another_authority_fails_and_the_certificate_is_still_seen(
    authority: Authority, tmp_path: Path
) -> None:
    seen: list[str] = []
    server = starttls(authority.server("relay.council.example"), {})
    other = Authority(tmp_path, "Other CA").pem
    with serving(server) as port:
        outcome = tried("smtp", port, tls={"authorities": other, "names": ["relay.council.example"]}, **ENVELOPE)
    facts = outcome["tls"]
    assert (facts["chain_verified"], facts["name_matches"]) == (False, True)
    assert facts["error"]
    assert facts["peer_certificate_pem"].startswith("-----BEGIN CERTIFICATE")
    assert not [command for command, _ in codes(outcome) if command == "MAIL"]
    assert seen == []


def test_the_wish_for_tls_is_never_met_by_clear_text() -> None:
    seen: list[str] = []
    with serving(scripted({"MAIL": b"250 ok\r\n"}, seen)) as port:
        outcome = tried("smtp", port, tls={}, **ENVELOPE)
        wished = tried("smtp", port, tls={"names": []}, **ENVELOPE)
    assert outcome["offers_starttls"] is False
    assert wished["offers_starttls"] is False
    assert wished["tls"] is None
    assert not [command for command in seen if command.startswith("MAIL")]


def test_a_client_certificate_is_presented(authority: Authority) -> None:
    chain = authority.chain_file("hub.cjsm.example")
    server = starttls(authority.server("relay.council.example", clients=True), {"MAIL": b"250 ok\r\n"})
    with serving(server) as port:
        outcome = tried("smtp", port, tls={"certificate": str(chain)}, sender="", recipients=[])
    assert ("MAIL", 250) in codes(outcome)


def test_the_whole_chain_that_was_presented_is_kept_and_what_we_offered_said(authority: Authority) -> None:
    context = authority.server("relay.council.example")
    chain = authority.folder / "relay.council.example.pem"
    chain.write_text(chain.read_text() + authority.pem)
    context.load_cert_chain(chain)
    with serving(starttls(context, {})) as port:
        facts = tried("smtp", port, tls={"names": []})["tls"]
        offered = tried("smtp", port, tls={"certificate": str(chain)})["tls"]
    assert facts["peer_issuers_pem"] == authority.pem and facts["peer_certificate_pem"] not in facts["peer_issuers_pem"]
    assert (facts["own_certificate"], offered["own_certificate"]) == (False, True)


def test_a_missing_client_certificate_is_refused_by_an_alert(authority: Authority) -> None:
    with serving(starttls(authority.server("relay.council.example", clients=True), {})) as port:
        outcome = tried("smtp", port, tls={"names": []}, **ENVELOPE)
    assert "CERTIFICATE_REQUIRED" in outcome["tls"]["error"]
    assert "could_not_tell" not in outcome


def test_a_certificate_that_cannot_be_loaded_is_no_refusal(authority: Authority) -> None:
    with serving(starttls(authority.server("relay.council.example"), {})) as port:
        outcome = tried("smtp", port, tls={"certificate": "/nonexistent/hub.pem"}, **ENVELOPE)
    assert "/nonexistent/hub.pem" in outcome["could_not_tell"]


def test_an_old_version_is_refused_only_by_a_client_that_speaks_it(authority: Authority) -> None:
    modern = authority.server("relay.council.example")
    modern.minimum_version = ssl.TLSVersion.TLSv1_2
    old = {"minimum": "TLSv1", "maximum": "TLSv1.1", "ciphers": handshake.EVERY_CIPHER, "control": True}
    with serving(starttls(modern, {})) as port:
        able = tried("smtp", port, tls=old)
        unable = tried("smtp", port, tls={**old, "ciphers": "ECDHE-ECDSA-AES256-GCM-SHA384"})
    assert able["tls"]["version"] is None
    assert "VERSION" in able["tls"]["error"] or "PROTOCOL" in able["tls"]["error"]
    assert unable["could_not_tell"].startswith("this client cannot offer TLSv1.1 itself")


def test_a_certificate_is_read_once_however_many_sessions_saw_it(
    authority: Authority, monkeypatch: pytest.MonkeyPatch
) -> None:
    pem = authority.pem
    asked: list[list[str]] = []
    real = handshake.common.attempt
    monkeypatch.setattr(handshake.common, "attempt", lambda argv, *rest: asked.append(argv) or real(argv, *rest))
    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(handshake.key_fingerprint, [pem] * 8))
    assert len(asked) == 1 and len(found) == 1 and len(found.pop()) == 95


def test_what_openssl_could_not_tell_once_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = iter([(124, "", "no end within 10 seconds"), (0, "Hostname x.example does match certificate\n", "")])
    monkeypatch.setattr(handshake.common, "attempt", lambda *_: next(answers))
    assert handshake.name_matches("a busy moment", ["x.example"]) is None
    assert handshake.name_matches("a busy moment", ["x.example"]) is True


def test_a_server_that_speaks_an_old_version_is_found(authority: Authority) -> None:
    lax = authority.server("relay.council.example")
    lax.set_ciphers(handshake.EVERY_CIPHER)
    lax.minimum_version = ssl.TLSVersion.TLSv1
    old = {"minimum": "TLSv1", "maximum": "TLSv1.1", "ciphers": handshake.EVERY_CIPHER, "control": True}
    with serving(starttls(lax, {})) as port:
        assert tried("smtp", port, tls=old)["tls"]["version"] == "TLSv1.1"


# --- smuggling


def _data_server(endings: tuple[bytes, ...]) -> Any:
    """A server that takes any of `endings` as the end of DATA, and executes what follows as commands."""

    def handle(connection: socket.socket) -> None:
        connection.sendall(b"220 test\r\n")
        unread, in_data = b"", False
        while data := connection.recv(4096):
            unread += data
            while True:
                marks = endings if in_data else (b"\r\n",)
                found = [(unread.find(mark), mark) for mark in marks if mark in unread]
                if not found:
                    break
                position, mark = min(found)
                command, unread = unread[:position], unread[position + len(mark) :]
                connection.sendall(b"354 go\r\n" if command == b"DATA" else b"250 ok\r\n")
                in_data = command == b"DATA"

    return handle


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(("ending", "mark"), smuggling.ENDINGS.items())
def test_a_server_that_takes_a_bare_line_feed_for_the_end_gives_itself_away(ending: str, mark: bytes) -> None:
    with serving(_data_server((b"\r\n.\r\n", mark))) as port:
        outcome = tried("smuggle", port, ending=ending, **ENVELOPE)
    assert outcome["answers"] == 5


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("ending", smuggling.ENDINGS)
def test_a_strict_server_answers_one_message_once(ending: str) -> None:
    with serving(_data_server((b"\r\n.\r\n",))) as port:
        assert tried("smuggle", port, ending=ending, **ENVELOPE)["answers"] == 1


@pytest.mark.usefixtures("impatient")
def test_smuggling_that_was_never_begun_tells_nothing() -> None:
    with serving(scripted({"MAIL": b"250 ok\r\n", "RCPT": b"554 no\r\n"})) as port:
        outcome = tried("smuggle", port, ending="LF.LF", **ENVELOPE)
    assert "554 no" in outcome["could_not_tell"]


# --- messages


def _mime(**arguments: Any) -> bytes:
    return messages.build({"recipient": "a@b.example", "token": "t", "mark": "m", **arguments})


def test_the_sample_is_the_official_one() -> None:
    assert len(messages.EICAR) == 68
    # published beside the file by eicar.org
    assert messages._sha256(messages.EICAR) == "275a021bbfb6489e54d471899f7db9d1663fc695ec2fe2a2c4538aabf651fd0f"


def test_no_file_of_ours_holds_the_sample() -> None:
    folder = Path(messages.__file__).parent
    assert not [path for path in folder.rglob("*.py") if messages.EICAR in path.read_bytes()]


@pytest.mark.parametrize("packing", ["none", "zip", "nested"])
def test_a_large_message_stays_just_under_its_size_and_ends_with_the_sample(packing: str) -> None:
    message = _mime(content="eicar", packing=packing, size=300_000)
    assert 298_000 < len(message) < 300_000
    assert message.rfind(b"sample.bin") > 290_000


def test_a_message_survives_the_way_with_a_footer_and_shows_it() -> None:
    sent = _mime()
    footer = sent.replace(b"\r\n--=_", b"\r\nThis message was scanned.\r\n--=_", 2)
    seen, original = messages.fingerprint(footer), messages.fingerprint(sent)
    assert seen["text_sha256"] == original["text_sha256"]
    assert seen["extra"] == "This message was scanned."


def test_a_harmed_line_or_attachment_changes_the_fingerprint() -> None:
    sent = _mime()
    original = messages.fingerprint(sent)
    assert messages.fingerprint(sent.replace(b"From here", b">From here"))["text_sha256"] != original["text_sha256"]
    harmed = messages.fingerprint(sent.replace(b"AAECAwQF", b"AAECAwQG"))
    assert harmed["attachment_sha256"] != original["attachment_sha256"]


# --- mailboxes


def test_a_message_is_found_again_in_its_mailbox(tmp_path: Path) -> None:
    (tmp_path / "new").mkdir()
    (tmp_path / "new" / "1").write_bytes(_mime(token="other"))
    (tmp_path / "new" / "2").write_bytes(_mime())
    look = {"folder": str(tmp_path), "token": "t", "mark": "m", "seconds": 1}
    found = tries.run([{"id": "x", "kind": "mailbox", "arguments": look}], 5)["x"]
    assert found["found"] is True
    assert found["headers"]["To"] == "a@b.example"
    assert found["text_sha256"] == messages.fingerprint(_mime())["text_sha256"]


def test_a_message_that_does_not_come_is_not_found(tmp_path: Path) -> None:
    look = {"folder": str(tmp_path), "token": "t", "mark": "m", "seconds": 0.1}
    assert tries.run([{"id": "x", "kind": "mailbox", "arguments": look}], 5)["x"]["found"] is False


# --- all together


def test_one_broken_and_one_endless_try_do_not_touch_the_others() -> None:
    def silent(connection: socket.socket) -> None:
        connection.recv(1)
        time.sleep(5)

    with serving(silent) as endless, serving(scripted({})) as port:
        arguments = {"address": "127.0.0.1", "port": port}
        outcomes = tries.run(
            [
                {"id": "broken", "kind": "no such kind", "arguments": {}},
                {"id": "endless", "kind": "smtp", "arguments": {**arguments, "port": endless}},
                {"id": "good", "kind": "tcp", "arguments": arguments},
            ],
            0.3,
        )
    assert outcomes["broken"]["could_not_tell"].startswith("KeyError")
    assert outcomes["endless"] == {"could_not_tell": "no end within 0.3 seconds"}
    assert outcomes["good"]["connection"] == "open"


def test_the_program_runs_alone_and_ends_in_time_with_a_try_that_hangs() -> None:
    def silent(connection: socket.socket) -> None:
        connection.recv(1)
        time.sleep(20)

    with serving(silent) as port:
        each = {"id": "x", "kind": "smtp", "arguments": {"address": "127.0.0.1", "port": port}}
        program = remote.program(programs.modules("tries"), "tries:main", {"tries": [each], "seconds": 0.3})
        done = subprocess.run(
            [sys.executable, "-I", "-"], input=program, capture_output=True, text=True, timeout=10, check=False
        )
    assert remote.answer(done.stdout) == {"x": {"could_not_tell": "no end within 0.3 seconds"}}
    assert done.stderr == ""
