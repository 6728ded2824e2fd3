"""Tries after activation: silent when all is well, and saying what was seen when it is not."""

import contextlib
import socket
import ssl
import struct
import threading

import pytest

from cjsm_connect.remote import common, firewall, health, health_host, health_mail, health_scanner
from tests.remote.servers import Authority, scripted, serving, starttls

REFUSED = {"MAIL": b"250 ok\r\n", "RCPT": b"554 5.7.1 Client host rejected: only the CJSM hub connects here\r\n"}


def two_sided(context, after, before=None):
    """A listener as Postfix is one: 530 to MAIL in clear text, the session inside TLS."""
    secured = starttls(context, after)
    clear = scripted({"EHLO": b"250-test\r\n250 STARTTLS\r\n", "MAIL": b"530 5.7.0 no\r\n"} | (before or {}))
    turns = iter([clear, clear] if before else [clear])  # what is temporary is asked a second time

    def handle(connection):
        next(turns, secured)(connection)

    return handle


@pytest.fixture
def ours(tmp_path):
    """Our installed chain, and a server's context that serves it."""
    chain = Authority(tmp_path, "Test CA").chain_file("relay.example")
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return str(chain), context


def session(handler, chain):
    with serving(handler) as port:
        at = {"address": "127.0.0.1", "port": port, "chain": chain, "recipient": "postmaster@council.example"}
        health_mail.listener(at)


def test_a_listener_that_serves_our_certificate_and_refuses_this_host_is_well(ours):
    session(two_sided(ours[1], REFUSED), ours[0])


@pytest.mark.parametrize(
    ("after", "before", "said"),
    [
        (REFUSED | {"RCPT": b"250 ok\r\n"}, {}, "RCPT TO:<postmaster@council.example>: 250 ok"),
        (REFUSED | {"RCPT": b"451 4.3.5 Server configuration error\r\n"}, {}, "451 4.3.5 Server configuration error"),
        (REFUSED | {"MAIL": b"451 4.7.1 Service unavailable\r\n"}, {}, "451 4.7.1 Service unavailable"),
        (REFUSED, {"MAIL": b"250 ok\r\n"}, "must refuse mail in clear text"),
        (REFUSED, {"connect": b"421 4.3.2 too busy\r\n"}, "421 4.3.2 too busy"),
    ],
)
def test_a_listener_that_is_not_well_is_told_with_its_reply(ours, monkeypatch, after, before, said):
    monkeypatch.setattr("cjsm_connect.remote.smtp.RETRY_SECONDS", 0)
    with pytest.raises(common.Failed) as told:
        session(two_sided(ours[1], after, before), ours[0])
    assert said in str(told.value)


def test_a_listener_without_starttls_is_not_well(ours):
    clear = scripted({"MAIL": b"530 5.7.0 no\r\n"})
    with pytest.raises(common.Failed, match="expected STARTTLS"):
        session(clear, ours[0])


def test_another_certificate_than_the_installed_one_is_noticed(ours, tmp_path):
    other = Authority(tmp_path, "Another CA").server("other.example")
    with pytest.raises(common.Failed, match="another certificate is served"):
        session(two_sided(other, REFUSED), ours[0])


def test_a_port_on_which_nobody_listens_is_told_as_refused(ours):
    with serving(scripted({})) as port:
        pass
    with pytest.raises(common.Failed, match="connection refused"):
        health_mail.banner({"address": "127.0.0.1", "port": port})


def test_a_certificate_is_its_keys_and_leads_to_its_authority(tmp_path):
    authority = Authority(tmp_path, "Test CA")
    (tmp_path / "ca.pem").write_text(authority.pem)
    (tmp_path / "other-ca.pem").write_text(Authority(tmp_path, "Another CA").pem)
    chain = authority.chain_file("relay.example")
    health_mail.chain({"chain": str(chain), "authority": str(tmp_path / "ca.pem")})
    health_mail.chain({"chain": str(chain), "authority": ""})
    with pytest.raises(common.Failed, match="does not verify"):
        health_mail.chain({"chain": str(chain), "authority": str(tmp_path / "other-ca.pem")})
    stranger = authority.chain_file("stranger.example").read_text()
    key, _, _ = stranger.partition("-----BEGIN CERTIFICATE")
    chain.write_text(key + health_mail.BEGIN + chain.read_text().partition(health_mail.BEGIN)[2])
    with pytest.raises(common.Failed, match="do not belong together"):
        health_mail.chain({"chain": str(chain), "authority": ""})


@contextlib.contextmanager
def answering(path, answers):
    """A program on a socket that says these, one for each connection, and keeps what it was told."""
    told = []
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(path)
        listener.listen()

        def serve():
            with contextlib.suppress(OSError):  # the test was over before all answers were asked for
                for answer in answers:
                    connection, _ = listener.accept()
                    with connection:
                        told.append(connection.recv(512))
                        connection.sendall(answer)

        threading.Thread(target=serve, daemon=True).start()
        yield told


def test_a_scanner_that_answers_and_finds_is_well(tmp_path):
    with answering(str(tmp_path / "s"), [b"PONG\0", b"stream: Eicar FOUND\0"]) as told:
        health_scanner.clamd({"socket": str(tmp_path / "s")})
    length, body = struct.unpack("!I", told[1][10:14])[0], told[1][14:-4]
    assert told[1].startswith(b"zINSTREAM\0")
    assert length == len(body) == 68  # the length that EICAR gives


@pytest.mark.parametrize("answers", [[b"PONG\0", b"stream: OK\0"], [b"UNKNOWN COMMAND\0"]])
def test_a_scanner_that_finds_nothing_is_not_well(tmp_path, answers):
    with answering(str(tmp_path / "s"), answers), pytest.raises(common.Failed, match=r"OK|UNKNOWN COMMAND"):
        health_scanner.clamd({"socket": str(tmp_path / "s")})


def test_a_milter_must_agree_on_a_session(tmp_path, monkeypatch):
    agrees = struct.pack("!IcIII", 13, b"O", 6, 0, 0)
    with answering(str(tmp_path / "m"), [agrees, b"", b""]):
        health_scanner.milter({"socket": str(tmp_path / "m")})
        with pytest.raises(common.Failed, match="beginning of a session"):
            health_scanner.milter({"socket": str(tmp_path / "m")})
    monkeypatch.setattr(health_scanner, "SECONDS", 0.1)
    with pytest.raises(common.Failed, match="No such file"):
        health_scanner.milter({"socket": str(tmp_path / "none")})


def rules(**policies):
    """A listing of a table as nft prints it."""
    form = "chain c {{\n type filter hook {} priority filter; policy {};\n}}\n"
    return "".join(form.format(hook, policy) for hook, policy in policies.items())


def test_rules_that_accept_by_default_are_not_well(monkeypatch):
    wall = {"table": "inet cjsm", "boot_path": "/none"}
    monkeypatch.setattr(firewall, "same", lambda *_: True)
    monkeypatch.setattr(firewall, "live", lambda _table: rules(input="drop", output="drop", forward="drop"))
    health_host.firewall_denies(wall)
    monkeypatch.setattr(firewall, "live", lambda _table: rules(input="drop", output="accept", forward="drop"))
    with pytest.raises(common.Failed, match="do not drop by default in output"):
        health_host.firewall_denies(wall)


def test_only_a_line_that_is_new_shows_that_a_file_is_written(tmp_path, monkeypatch):
    monkeypatch.setattr(health_host, "SECONDS", 0.2)
    log = tmp_path / "log"
    log.write_text("cjsm-drop-output: old\n")
    begun = health_host.size(str(log))
    assert not health_host.appears(str(log), begun, "cjsm-drop-")
    with log.open("a") as file:
        file.write("cjsm-drop-output: new\n")
    assert health_host.appears(str(log), begun, "cjsm-drop-")
    log.write_text("rotated: cjsm-drop-\n")
    assert health_host.appears(str(log), begun, "cjsm-drop-")


@pytest.mark.parametrize(
    ("shown", "well"),
    [
        ("ActiveState=active\nSubState=waiting\nNextElapseUSecRealtime=Sun 2026-11-22 02:00:00 UTC\n", True),
        ("ActiveState=active\nSubState=waiting\nNextElapseUSecRealtime=\nNextElapseUSecMonotonic=6h\n", True),
        ("ActiveState=active\nSubState=running\nNextElapseUSecRealtime=\nNextElapseUSecMonotonic=infinity\n", True),
        ("ActiveState=active\nSubState=elapsed\nNextElapseUSecRealtime=\nNextElapseUSecMonotonic=infinity\n", False),
        ("ActiveState=inactive\nSubState=dead\nNextElapseUSecRealtime=Sun 2026-11-22 02:00:00 UTC\n", False),
    ],
)
def test_a_timer_is_well_when_it_will_elapse_again(monkeypatch, shown, well):
    monkeypatch.setattr(common, "run", lambda _argv: shown)
    with contextlib.nullcontext() if well else pytest.raises(common.Failed, match="will not elapse again"):
        health_host.timer({"unit": "apt-daily.timer"})


def test_a_table_answers_every_row_and_is_the_one_that_postfix_uses(monkeypatch):
    monkeypatch.setattr(common, "run", lambda _argv: "lmdb:/etc/cjsm/maps/transport\n")
    monkeypatch.setattr(common, "attempt", lambda _argv, _keys: (0, "a.example\tinner:[b]:25\n", ""))
    table = {"parameter": "transport_maps", "table": "lmdb:/etc/cjsm/maps/transport"}
    health_mail.tables(table | {"rows": [["a.example", "inner:[b]:25"]]})
    with pytest.raises(common.Failed, match=r"c\.example is None"):
        health_mail.tables(table | {"rows": [["a.example", "inner:[b]:25"], ["c.example", "inner:[b]:25"]]})
    with pytest.raises(common.Failed, match="transport_maps is"):
        health_mail.tables(table | {"table": "lmdb:/another", "rows": []})


def test_a_services_setting_is_the_one_that_postfix_reads(monkeypatch):
    monkeypatch.setattr(common, "run", lambda argv: {"cjsm/unix/tls_required_enable": "no\n"}.get(argv[-1], "\n"))
    wanted = {"service": "cjsm/unix", "parameter": "tls_required_enable", "value": "no"}
    health_mail.setting(wanted)
    for wrong in ({"value": "yes"}, {"service": "inner/unix"}):
        with pytest.raises(common.Failed, match=r"tls_required_enable is '.*', expected"):
            health_mail.setting(wanted | wrong)


def test_every_try_that_fails_is_told_and_a_slow_start_is_waited_for(monkeypatch):
    monkeypatch.setattr(health, "PATIENCE", 0.4)
    turns = iter([common.Failed("not yet")])

    def slow(_arguments):
        for problem in turns:
            raise problem

    def never(arguments):
        raise common.Failed(arguments["why"])

    monkeypatch.setattr(health, "PROBES", {"slow": slow, "never": never})
    health.all_well([{"name": "slow", "probe": "slow", "arguments": {}}])
    tries = [{"name": name, "probe": "never", "arguments": {"why": f"{name} is broken"}} for name in ("one", "two")]
    with pytest.raises(common.Failed, match="one: one is broken; two: two is broken"):
        health.all_well(tries)


@pytest.mark.parametrize("said", ["passwordauthentication yes", "kbdinteractiveauthentication yes", ""])
def test_a_password_that_ssh_still_takes_is_noticed(monkeypatch, said):
    monkeypatch.setattr(common, "run", lambda _argv: f"port 22\n{said}\nusepam yes\n")
    with pytest.raises(common.Failed, match=said) if said else contextlib.nullcontext():
        health_host.ssh_keys_only({})
