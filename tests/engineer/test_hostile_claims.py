"""A signed bundle is a stranger's text: it puts no word into our sessions, and sends us to nobody we did not name."""

import asyncio
import json
import socket
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from cjsm_connect.engineer import active, claims, line, probe, targets
from cjsm_connect.engineer.session import Manner
from cjsm_connect.engineer.targets import Permission, Target, TargetError
from cjsm_connect.evidence import contents, keys
from cjsm_connect.remote import common, rehearsal, smtp
from cjsm_connect.verbs.probe import command
from tests.engineer.test_active import Relay
from tests.evidence import samples
from tests.made_up import organisation
from tests.remote.servers import Authority, conversing, serving

NOW = samples.NOW
TODAY = datetime.now(UTC).date()
LETTER = "victim.example>\r\nRCPT TO:<boss@victim.example>\r\nDATA\r\nSubject: hello\r\n\r\nhello\r\n.\r\nRSET\r\nX <a"
ENDS = ["\r\n", "\n", "\r", "\0", "\x1b[2J", "\x85", " ", "\t", "\u2028", "\ud800"]


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(line.Line.reply, "__defaults__", (1.0,))


def said(**changes):
    """An organisation.json that gives leave for active tests, with one relay on loopback."""
    found = contents.public(organisation().model_dump(mode="json"))
    for host in found["hosts"]:
        if host["role"] == "relay":
            host.update({"interfaces": {"dmz": changes.pop("address", "127.0.0.1")}} | changes.pop("host", {}))
    leave = {"id": "active-probe", "statement": "s", "owner": "Sam", "date": str(TODAY)}
    found["declarations"] = [leave | changes.pop("leave", {})]
    found["hub"] |= {"listen_port": changes.pop("port", 4545)}
    return found | changes


def read(**changes):
    files = {"organisation.json": json.dumps(said(**changes)).encode()}
    return claims.claims(files, "a.tar", "Exampleshire", NOW)


@pytest.fixture
def bundle(tmp_path, monkeypatch):
    """A genuine bundle that says so."""
    monkeypatch.setattr(samples, "NOW", datetime.now(UTC) - timedelta(minutes=1))

    def made(**changes):
        path, key = tmp_path / "evidence.tar", tmp_path / "evidence.pub"
        extra = {"organisation.json": json.dumps(said(**changes)).encode()}
        path.write_bytes(samples.packed(samples.signed(extra=extra)))
        key.write_bytes(keys.certificate_text(samples.key().certificate, "Exampleshire Council"))
        return ["--against", str(path), "--evidence-key", str(key), "--no-versions"]

    return made


def test_a_domain_of_a_bundle_cannot_say_a_word_to_the_server_that_is_asked(bundle, tmp_path):
    """The whole way, as an engineer would go it; what the server heard decides."""
    relay = Relay()
    with serving(conversing(relay, Authority(tmp_path, "An authority").server("relay.test"))) as port:
        words = bundle(port=port, domains={"names": [LETTER]})
        done = CliRunner().invoke(command, [f"127.0.0.1:{port}", *words, "--active"])
    assert not any(heard.startswith(("DATA", "Subject", "RCPT TO:<boss", "hello", "X <a")) for heard in relay.seen)
    assert "not tested: not authorised" in done.output


@pytest.mark.parametrize("where", ["127.0.0.1", "10.1.2.3", "::1", "::ffff:192.168.0.1", "64:ff9b::10.0.0.1"])
def test_nobody_is_asked_at_an_inner_address_that_only_the_bundle_names(bundle, where, monkeypatch):
    asked = recorded(monkeypatch)
    done = CliRunner().invoke(command, bundle(address=where))
    assert asked == []
    assert "only the bundle names it" in str(done.exception), done.output
    assert str(Target(str(targets.parse(f"[{where}]" if ":" in where else where).host), 4545)) in str(done.exception)


def test_active_tests_go_to_nobody_whom_the_engineer_did_not_name(bundle, monkeypatch):
    asked = recorded(monkeypatch)
    done = CliRunner().invoke(command, [*bundle(address="198.51.100.10"), "--active"])
    assert asked == []
    assert "198.51.100.10:4545" in str(done.exception), done.output
    assert "name" in str(done.exception)


def test_the_relays_of_a_bundle_are_looked_at_by_its_word_and_tried_by_ours(bundle, monkeypatch):
    asked = recorded(monkeypatch)
    words = bundle(address="198.51.100.10")
    CliRunner().invoke(command, words)
    CliRunner().invoke(command, [*words, "198.51.100.10:4545", "--active"])
    assert asked == ["198.51.100.10:4545"] * 2


def test_a_bundle_that_names_hundreds_of_relays_sends_us_to_none(bundle, monkeypatch):
    asked = recorded(monkeypatch)
    hosts = [{"name": f"r{n}", "role": "relay", "interfaces": {"dmz": f"198.51.100.{n}"}} for n in range(1, 200)]
    done = CliRunner().invoke(command, bundle(hosts=hosts))
    assert asked == []
    assert "199" in str(done.exception)


@pytest.mark.parametrize(
    "hostile",
    [
        "",
        "x",
        "victim.example\r\nDATA",
        "a b.example",
        "victim.example>",
        "*.example",
        "192.0.2.1",
        5,
        None,
        ["a.example"],
    ],
)
def test_a_domain_of_a_bundle_has_the_form_of_one_in_an_organisation_file_or_gives_no_leave(hostile):
    assert read(domains={"names": [hostile]}).permission is None


@pytest.mark.parametrize(
    "hostile", ["", "relay", "127.0.0.1\n", "fe80::1%\nX", "fe80::1%eth0", "0x7f.1", "127.1", "2130706433", 5, None, []]
)
def test_an_address_of_a_bundle_is_one_or_is_left_out(hostile):
    assert not [one for one in read(address=hostile).endpoints if one.hub_only]


@pytest.mark.parametrize("hostile", [0, -1, 65536, "4545", True, 25.0, None, 10**400])
def test_a_port_of_a_bundle_is_one_or_is_left_out(hostile):
    assert read(port=hostile).targets() == []


@pytest.mark.parametrize("hostile", ["relay.example\r\nX", "a b", "", 5])
def test_a_host_name_of_a_bundle_is_one_or_is_known_to_nobody(hostile):
    [found] = [one for one in read(host={"fqdn": hostile}).endpoints if one.hub_only]
    assert found.fqdn == ""


@pytest.mark.parametrize("owner", ["Sam\nnot tested", "\x1b[2J", "", 5])
def test_the_name_behind_a_leave_is_a_text_of_one_line(owner):
    assert read(leave={"owner": owner}).permission is None


@pytest.mark.parametrize("end", ENDS)
@pytest.mark.parametrize("how", ["domain", "host"])
def test_nobody_can_make_a_leave_or_a_target_that_holds_more_than_a_name(end, how):
    with pytest.raises(TargetError, match="expected"):
        if how == "domain":
            Permission("Jo", TODAY, TODAY, f"victim.example{end}", "f")
        else:
            Target(f"victim.example{end}")


@pytest.mark.parametrize("end", ENDS[:4])
@pytest.mark.parametrize("client", ["engineer", "host", "rehearsal"])
def test_no_smtp_client_of_ours_sends_a_command_with_a_line_end_in_it(client, end):
    """Below everybody who calls: nothing at all reaches the other side, not even what stands before it."""
    ours, theirs = socket.socketpair()
    hostile = f"RCPT TO:<a@b.example{end}DATA>"
    with ours, theirs:
        theirs.setblocking(False)
        ours.setblocking(False)
        with pytest.raises((line.Trouble, smtp.CouldNotTell, common.Failed), match="not sent"):
            if client == "engineer":
                asyncio.run(line.Line(ours).command(hostile))
            elif client == "host":
                smtp.Session(ours, []).ask(hostile)
            else:
                rehearsal.ask(ours, hostile, "250")
        with pytest.raises(BlockingIOError):
            theirs.recv(1)


@pytest.mark.parametrize(
    "said", ["RCPT TO:<a@b.example\r\nDATA>", "EHLO x\0", "EHLO \x7f", "EHLO ü", "EHLO " + "x" * 3000]
)
def test_a_command_is_one_line_of_ascii(said):
    with pytest.raises(common.Unsayable, match="not sent"):
        common.command_line(said)


@pytest.mark.parametrize(
    "where",
    [
        "127.0.0.1",
        "10.0.0.1",
        "169.254.1.1",
        "100.64.0.1",
        "0.0.0.0",
        "224.0.0.1",
        "255.255.255.255",
        "192.168.9.9",
        "::1",
        "::",
        "fe80::1",
        "fc00::1",
        "fe80::1%eth0",
        "ff02::1",
        "::ffff:10.0.0.1",
        "64:ff9b::127.0.0.1",
        "2002:7f00:1::",
        "::10.0.0.1",
        "fec0::1",
        "64:ff9b:1::1",
        "2001:0:a00:1::",
    ],
)
def test_a_name_that_leads_to_an_inner_address_is_asked_nothing(where, monkeypatch):
    answers_with(monkeypatch, where)
    opened = []
    monkeypatch.setattr("cjsm_connect.engineer.session.opened", opened.append)
    found = asyncio.run(probe.probe(Target("relay.council.example", 25), Manner("probe.example", versions=False)))
    assert found["outcome"] == "inner_address", found
    assert where.partition("%")[0] in found["said"]
    assert opened == []


def test_of_several_addresses_of_a_name_only_a_public_one_is_asked(monkeypatch):
    answers_with(monkeypatch, "10.0.0.1", "198.51.100.9")
    asked = []

    async def opened(address, port, source):
        asked.append(address)
        raise line.Trouble("refused", "")

    monkeypatch.setattr("cjsm_connect.engineer.session.opened", opened)
    asyncio.run(probe.probe(Target("relay.council.example", 25), Manner("probe.example", versions=False)))
    assert asked == ["198.51.100.9"]


def recorded(monkeypatch):
    """Who would be asked."""
    asked = []

    async def found(target, _manner):
        asked.append(str(target))
        return {"target": str(target), "outcome": "no_answer", "seconds": 0}

    monkeypatch.setattr(probe, "probe", found)
    return asked


def answers_with(monkeypatch, *addresses):
    async def rows(*_, **__):
        return [(0, 0, 0, "", (address, 25)) for address in addresses]

    real = asyncio.BaseEventLoop
    monkeypatch.setattr(real, "getaddrinfo", rows)
    monkeypatch.setattr(real, "getnameinfo", rows_of_nothing)


async def rows_of_nothing(*_, **__):
    raise OSError("none")


def test_what_is_said_for_active_tests_is_only_what_ends_at_rcpt():
    assert {"DATA", "BDAT"}.isdisjoint(active.SAID)
