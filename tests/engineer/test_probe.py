"""A stranger's server, asked from here: what it shows is told apart; a hostile one costs a bounded time and memory."""

import asyncio
import gc
import json
import socket
import ssl
import time
from types import SimpleNamespace

import pytest
from click.testing import CliRunner

from cjsm_connect.engineer import line, probe, session
from cjsm_connect.engineer.session import Manner
from cjsm_connect.engineer.targets import Target
from cjsm_connect.verbs.probe import command
from tests.remote.servers import Authority, scripted, serving, starttls

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion")  # asking for old versions is the point


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    """Waits that are short enough for a test."""
    monkeypatch.setattr(line, "REPLY_SECONDS", 0.5)
    monkeypatch.setattr(line.Line.reply, "__defaults__", (0.5,))
    monkeypatch.setattr(line, "HANDSHAKE_SECONDS", 0.5)


def asked(port, host="127.0.0.1", **manner):
    given = {"helo": "probe.example", "versions": False} | manner
    return asyncio.run(probe.probe(Target(host, port), Manner(**given)))


def told(handler, **manner):
    with serving(handler) as port:
        return asked(port, **manner)


@pytest.fixture
def authority(tmp_path):
    return Authority(tmp_path, "An authority")


def test_a_server_with_tls_shows_version_chain_and_names(authority):
    found = told(starttls(authority.server("relay.test"), {}))
    session = found["session"]
    assert found["outcome"] == "answered"
    assert session["tls"]["version"] == "TLSv1.3"
    assert session["tls"]["certificates"][0]["names"] == ["relay.test"]
    assert session["client_certificate"] == "not asked"
    assert session["tls"]["name_matches"] is None  # an address was asked for, not a name


def test_who_is_turned_away_after_the_handshake_was_not_answered(authority):
    found = told(starttls(authority.server("relay.test"), {"EHLO": b"554 not you\r\n"}))
    assert found["outcome"] == "turned_away"
    assert "554 not you" in found["session"]["said"]


def test_what_cannot_be_sent_over_tls_any_more_is_a_closed_connection():
    class Ended:
        def write(self, _data):
            raise ssl.SSLError("protocol is shutdown")

    with socket.socket() as unused, pytest.raises(line.Trouble, match="TLS was ended") as trouble:
        asyncio.run(line.Line(unused, tls=Ended()).command("QUIT"))
    assert trouble.value.kind == "closed"


def test_an_address_that_is_not_ours_is_told_before_any_target_is_asked():
    seen = []
    with serving(scripted({}, seen)) as port:
        done = run(f"127.0.0.1:{port}", "--bind", "192.0.2.1")
    assert "--bind 192.0.2.1: expected an address of this machine" in str(done.exception)
    assert seen == []


def test_a_server_without_starttls_is_told_so_and_its_size_is_read():
    session = told(scripted({}))["session"]
    assert session["outcome"] == "answered"
    assert session["starttls"] == "not offered"
    assert session["size"] == 1000


def test_the_chain_verifies_or_not_apart_from_everything_else(authority, tmp_path):
    (tmp_path / "other").mkdir()
    other = Authority(tmp_path / "other", "Another authority")
    for name, one in (("ours", authority), ("theirs", other)):
        (tmp_path / f"{name}.pem").write_text(one.pem)
    server = starttls(authority.server("relay.test"), {})
    assert told(server, authorities=str(tmp_path / "ours.pem"))["session"]["chain"] == {"verified": True, "said": ""}
    distrusted = told(server, authorities=str(tmp_path / "theirs.pem"))["session"]
    assert distrusted["outcome"] == "answered"
    assert distrusted["chain"]["verified"] is False
    assert "unable to get local issuer" in distrusted["chain"]["said"]


@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_that_demands_a_certificate_is_seen_to_ask_and_to_insist(authority, newest):
    context = authority.server("relay.test", clients=True)
    context.maximum_version = newest
    server = starttls(context, {})
    without = told(server)
    assert without["session"]["client_certificate"] == "asked"
    assert without["outcome"] in ("tls_refused", "closed")
    ours = str(authority.chain_file("probe.test"))
    assert told(server, certificate=ours)["outcome"] == "answered"


def test_of_each_version_it_is_told_whether_it_is_accepted(authority):
    versions = told(starttls(authority.server("relay.test"), {}), versions=True)["versions"]
    assert versions["TLSv1.2"] == versions["TLSv1.3"] == "accepted"
    assert versions["TLSv1"] == "refused"


def test_a_certificate_that_is_demanded_is_no_reason_to_call_a_version_refused(authority):
    context = authority.server("relay.test", clients=True)
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    versions = told(starttls(context, {}), versions=True)["versions"]
    assert versions["TLSv1.2"] == "accepted"
    assert versions["TLSv1.3"] == "refused"


def test_a_version_that_we_cannot_offer_ourselves_is_not_tested(authority):
    found = told(starttls(authority.server("relay.test"), {}), versions=True, unoffered={"TLSv1": "no such client"})
    assert found["versions"]["TLSv1"] == "not tested: no such client"


def test_what_this_machine_can_offer_is_tried_with_a_server_that_speaks_everything():
    assert not {"TLSv1.2", "TLSv1.3"} & probe.unoffered().keys()


def test_an_alert_is_not_taken_for_a_message_of_the_handshake():
    """Its description has numbers of its own: 2 there is no ServerHello."""

    def alert(connection):
        begun(connection)
        connection.recv(4096)
        connection.sendall(b"\x15\x03\x03\x00\x02\x02\x02")

    with serving(alert) as port:
        found = asyncio.run(session.shaken(Target("127.0.0.1", port), "127.0.0.1", Manner("probe.example"), {}))
    assert found.trouble.kind == "tls_refused"
    assert found.heard == frozenset()


@pytest.mark.parametrize("cut", [0, 38, 39, 70, 72])
def test_a_server_hello_that_is_cut_short_has_chosen_nothing(cut):
    hello = bytes([2, 0, 0, 70, 3, 3]) + bytes(32) + bytes([32]) + bytes(32) + b"\xc0\x2f\x00"
    assert line.chosen(hello) == 0xC02F
    assert line.chosen(hello[:cut]) == 0


def begun(connection, go=b"220 go\r\n"):
    """The server's side of a session, up to where TLS begins."""
    connection.sendall(b"220 test\r\n")
    connection.recv(1000)
    connection.sendall(b"250-test\r\n250 STARTTLS\r\n")
    connection.recv(1000)
    connection.sendall(go)


def drip(connection):
    for letter in b"220 slow" * 100:
        connection.sendall(bytes([letter]))
        time.sleep(0.05)


def endless(connection):
    while True:
        connection.sendall(b"2" * 4096)


def many_lines(connection):
    connection.sendall(b"220-again\r\n" * 5000)
    connection.recv(1)


def silent(connection):
    connection.recv(1)


def never_ending(connection):
    """STARTTLS is answered, and then nothing comes."""
    begun(connection)
    connection.settimeout(5)
    while connection.recv(4096):
        pass


def flood(connection):
    """A handshake record after the other, none of which ends the handshake."""
    begun(connection)
    connection.recv(4096)
    connection.sendall(b"\x16\x03\x03\x40\x00\x0b\xff\xff\xff" + b"\x00" * 300_000)
    silent(connection)


def injected(connection):
    begun(connection, b"220 go\r\n250 injected\r\n")
    silent(connection)


@pytest.mark.parametrize(
    ("handler", "outcome"),
    [
        (silent, "silent"),
        (drip, "too_slow"),
        (endless, "line_too_long"),
        (many_lines, "too_many_lines"),
        (never_ending, "tls_silent"),
        (flood, "tls_refused"),
        (injected, "injected"),
        (scripted({"connect": b"421 too busy\r\n"}), "busy"),
        (scripted({"connect": b"421 4.7.0 Error: too many connections\r\n"}), "busy"),
        (scripted({"connect": b"421 4.7.1 Client certificate not trusted\r\n"}), "turned_away"),
        (scripted({"connect": b"554 no\r\n"}), "turned_away"),
        (scripted({"connect": b"HTTP/1.1 400 Bad Request\r\n"}), "not_smtp"),
        (scripted({"EHLO": b""}), "closed"),
        (scripted({"EHLO": b"250-test\r\n250 STARTTLS\r\n", "STARTTLS": b"454 not now\r\n"}), "turned_away"),
    ],
)
def test_each_way_to_misbehave_has_a_name_of_its_own_and_an_end(handler, outcome):
    found = told(handler)
    assert found["outcome"] == outcome, found
    assert found["session"]["said"]
    assert len(json.dumps(found)) < 10_000


def test_sessions_with_one_target_keep_their_distance_and_other_targets_do_not_wait(monkeypatch):
    waited = []

    async def at_once(seconds):
        waited.append(seconds)

    async def nobody(_address, _port, _bind):
        raise line.Trouble("refused", "the connection was refused")

    async def each_in_its_task():
        await asyncio.gather(*(three_sessions(Target(name, 25)) for name in ("one.test", "two.test")))

    async def three_sessions(target):
        for _ in range(3):
            await session.shaken(target, "192.0.2.1", Manner("probe.example", pause=7), {})

    monkeypatch.setattr(session, "opened", nobody)
    monkeypatch.setattr(session.asyncio, "sleep", at_once)
    asyncio.run(each_in_its_task())
    assert len(waited) == 4  # two of each: nobody waits for the first
    assert all(6 < seconds <= 7 for seconds in waited)


@pytest.mark.parametrize(("number", "outcome"), [(20, "answered"), (400, "tls_too_long")])
def test_a_chain_of_very_many_certificates_is_told_as_too_long(authority, number, outcome):
    chain = authority.chain_file("relay.test")
    chain.write_text(chain.read_text() + authority.pem * number)
    huge = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    huge.load_cert_chain(chain)
    found = told(starttls(huge, {}))
    assert found["outcome"] == outcome
    assert len(json.dumps(found)) < 20_000


def test_nothing_of_a_handshake_that_was_refused_waits_for_the_garbage_collector():
    """Over thousands of targets that would be hundreds of megabytes, which Python does not see as its own."""
    gc.collect()
    gc.disable()
    try:
        told(never_ending, versions=True)
        assert [one for one in gc.get_objects() if isinstance(one, line.Line)] == []
    finally:
        gc.enable()


def test_a_port_where_nobody_listens_is_refused():
    with socket.create_server(("127.0.0.1", 0)) as unused:
        port = unused.getsockname()[1]
    assert asked(port)["outcome"] == "refused"


def test_a_name_that_does_not_exist_is_told_as_that():
    assert asked(25, "nothing.invalid")["outcome"] == "no_name"


def test_nothing_but_ehlo_starttls_and_quit_is_ever_said():
    seen = []
    told(scripted({}, seen))
    assert [command.split()[0] for command in seen] == ["EHLO", "QUIT"]


@pytest.mark.parametrize(
    ("names", "host", "carried"),
    [
        (["relay.test"], "relay.test", True),
        (["RELAY.test"], "relay.test", True),
        (["*.test"], "relay.test", True),
        (["*.test"], "a.relay.test", False),
        (["*.relay.test"], "relay.test", False),
        (["*"], "localhost", False),
        ([], "relay.test", False),
    ],
)
def test_a_star_stands_for_one_whole_label(names, host, carried):
    assert bool(probe.carries(names, host)) is carried


def run(*words):
    return CliRunner().invoke(command, [*words, "--no-versions"], obj=SimpleNamespace())


def test_answers_are_json_lines_and_what_is_done_is_not_asked_again(tmp_path):
    out, seen = tmp_path / "answers.jsonl", []
    with serving(scripted({}, seen)) as one, serving(scripted({"connect": b"554 no\r\n"}, seen)) as two:
        (tmp_path / "targets").write_text(f"# ours\n127.0.0.1:{one}\n127.0.0.1:{two}  # closed\n")
        first = run("--targets", str(tmp_path / "targets"), "--out", str(out))
        assert first.exit_code == 1
        told_once = len(seen)
        out.write_text(out.read_text() + '{"target": "127.0.0.1:')  # cut off while it was written
        again = run("--targets", str(tmp_path / "targets"), f"127.0.0.1:{one}", "--out", str(out))
    assert again.exit_code == 0
    assert len(seen) == told_once
    rows = [json.loads(row) for row in out.read_text().splitlines()]
    assert sorted(row["outcome"] for row in rows) == ["answered", "turned_away"]


def test_a_file_that_holds_something_else_is_not_added_to(tmp_path):
    (tmp_path / "notes").write_text("shopping\n")
    done = run("127.0.0.1:1", "--out", str(tmp_path / "notes"))
    assert "line 1 is none" in str(done.exception)
    assert (tmp_path / "notes").read_text() == "shopping\n"


def test_only_so_many_targets_are_open_at_once():
    from cjsm_connect.engineer import campaign

    open_now, most = 0, 0

    async def ask(target):
        nonlocal open_now, most
        open_now += 1
        most = max(most, open_now)
        await asyncio.sleep(0.001)
        open_now -= 1
        return {"target": str(target)}

    async def all_of_them():
        listed = (Target(f"h{number}.example") for number in range(500))
        return [row async for row in campaign.asked(listed, ask, 7, 0)]

    assert len(asyncio.run(all_of_them())) == 500
    assert most == 7
