"""The look from outside beside the claims of a bundle: the truth agrees, each lie is a contradiction, and alone."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest
from click.testing import CliRunner

from cjsm_connect.engineer import against, ciphers, claims, line, probe
from cjsm_connect.engineer.described import described, found_something
from cjsm_connect.engineer.session import Manner
from cjsm_connect.engineer.targets import Target
from cjsm_connect.evidence import contents, keys
from cjsm_connect.verbs.probe import command
from tests.engineer.test_active import Relay
from tests.evidence import samples
from tests.made_up import organisation
from tests.remote.servers import Authority, conversing, serving

pytestmark = pytest.mark.filterwarnings("ignore:ssl.TLSVersion")  # asking for old versions is the point
NOW = samples.NOW
CHECKS = (
    "connection.only-the-hub-connects",
    "connection.relay-refuses-no-certificate",
    "connection.relay-refuses-old-tls",
    "connection.relay-refuses-unprotected-tls",
    *against.REFUSED_BY_RELAY.values(),
)


@pytest.fixture(autouse=True)
def hurried(monkeypatch):
    monkeypatch.setattr(line.Line.reply, "__defaults__", (1.0,))


@pytest.fixture(scope="module")
def authority(tmp_path_factory):
    return Authority(tmp_path_factory.mktemp("authority"), "An authority")


@pytest.fixture(scope="module")
def suites():
    return ciphers.suites()


def looked(port, authority, suites=None, **manner):
    """What the engineer sees, with a certificate that is accepted."""
    given = {"certificate": str(authority.chain_file("probe.test")), "ciphers": suites, "unoffered": probe.unoffered()}
    return asyncio.run(probe.probe(Target("127.0.0.1", port), Manner("probe.example", **given | manner)))


@pytest.fixture(scope="module")
def seen(authority, suites):
    """A relay as it should be, looked at once."""
    with serving(conversing(Relay(), authority.server("relay.council.example", clients=True))) as port:
        facts = looked(port, authority, suites)
    return facts | {"port": port}


def files(port, facts, **lies):
    """What a bundle says that tells the truth about the relay behind `port`, but for some lies."""
    said = contents.public(organisation().model_dump(mode="json"))
    for host in said["hosts"]:
        if host["role"] == "relay":
            host["interfaces"] = {"dmz": "127.0.0.1"}
    said["hub"] |= {"listen_port": port, "sources": ["127.0.0.1"]} | lies.get("hub", {})
    said["declarations"] += lies.get("declarations", [])
    tls = {"version": "TLSv1.3", "peer_certificate_pem": facts["session"]["tls"]["certificates"][0]["pem"]}
    look = {
        "replies": [{"command": "connect", "text": "test"}],
        "offers_starttls": True,
        "offers_log_in": False,
        "announces_size": 1000000,
        "tls": tls | lies.get("tls", {}),
    }
    rows = [{"check": check, "subject": "relay", "status": "pass"} for check in CHECKS]
    made = {
        "organisation.json": said,
        "results.json": {"results": rows},
        "observations.json": {"tries": {"relay.hub:relay": look | lies.get("look", {})}},
    }
    return {name: json.dumps(value).encode() for name, value in made.items()}


def rows(facts, now=NOW, ended=NOW, **lies):
    made = claims.claims(files(facts["port"], facts, **lies), "a.tar", "Exampleshire", ended)
    return against.compared(made, Target("127.0.0.1", facts["port"]), facts, now)["rows"]


def wrong(found):
    return {row["what"]: row["verdict"] for row in found if row["verdict"] != against.AGREES}


def test_the_truth_agrees_in_everything(seen):
    found = rows(seen)
    assert wrong(found) == {}
    assert {row["what"] for row in found} == {
        "who may connect",
        "address",
        "host name in greeting",
        "STARTTLS",
        "size",
        "log-in",
        "certificate (SHA-256)",
        "public key (SHA-256)",
        "client certificate",
        "TLSv1",
        "TLSv1.1",
        "TLSv1.3",
        "TLS without encryption or certificate",
    }


@pytest.mark.parametrize(
    ("lies", "what"),
    [
        ({"look": {"replies": [{"command": "connect", "text": "other.example ESMTP"}]}}, "host name in greeting"),
        ({"look": {"announces_size": 999}}, "size"),
        ({"hub": {"sources": ["192.0.2.1"]}}, "who may connect"),
    ],
)
def test_each_lie_is_a_contradiction_and_alone(seen, lies, what):
    assert wrong(rows(seen, **lies)) == {what: against.CONTRADICTS}


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"versions": {"TLSv1": "accepted"}}, "TLSv1"),
        ({"versions": {"TLSv1.3": "refused"}}, "TLSv1.3"),
        ({"session": {"starttls": "not offered"}}, "STARTTLS"),
        ({"session": {"extensions": ["AUTH"]}}, "log-in"),
        ({"session": {"client_certificate": "not asked"}}, "client certificate"),
        ({"session": {"certificate_shown": False}}, "client certificate"),
        ({"ciphers": {"TLSv1.2": {"accepted": ["AECDH-NULL-SHA"], "refused": []}}}, None),
    ],
)
def test_each_thing_that_is_otherwise_outside_is_a_contradiction_and_alone(seen, change, what):
    what = what or "TLS without encryption or certificate"
    facts = seen | {name: {**seen[name], **value} for name, value in change.items()}
    assert wrong(rows(facts)) == {what: against.CONTRADICTS}


def test_what_could_not_be_told_outside_contradicts_nothing(seen):
    facts = seen | {"versions": {"TLSv1": "not tested: no such client"}}
    assert wrong(rows(facts)) == {"TLSv1": against.UNCOMPARABLE}


@pytest.mark.parametrize(
    ("result", "verdict"),
    [("refused", None), ("accepted", against.CONTRADICTS), ("not_tested", against.UNCOMPARABLE)],
)
def test_what_was_tried_is_held_against_the_check_that_says_it_is_refused(seen, result, verdict):
    tests = {name: {"result": result, "said": "words"} for name in against.REFUSED_BY_RELAY}
    found = rows(seen | {"active": {"tests": tests}})
    expected = {name.replace("_", " "): verdict for name in tests} if verdict else {}
    assert wrong(found) == expected
    assert len(found) == len(rows(seen)) + len(tests)


def other_certificate(authority):
    path = authority.chain_file("another.example")
    made = [part for part in path.read_text().split("-----BEGIN ") if part.startswith("CERTIFICATE")]
    return {"peer_certificate_pem": "-----BEGIN " + made[0]}


def test_another_certificate_is_a_contradiction_unless_it_was_made_after_the_bundle(seen, authority):
    lies = {"tls": other_certificate(authority)}
    now = datetime.now(UTC)
    names = {"certificate (SHA-256)", "public key (SHA-256)", "names in certificate"}
    found = rows(seen, ended=now, **lies)
    assert wrong(found) == dict.fromkeys(names, against.CONTRADICTS)
    renewed = rows(seen, ended=now - timedelta(hours=2), **lies)  # the certificate is made to begin an hour ago
    assert wrong(renewed) == dict.fromkeys(names, against.UNCOMPARABLE)
    assert all("renewed" in row["why"] for row in renewed if row["what"] in names)


def unanswered(source):
    return {"target": "t", "outcome": "no_answer", "source": source, "address": "127.0.0.1", "seconds": 3.0, "port": 7}


@pytest.fixture
def at_seven(seen):
    def made(**lies):
        return claims.claims(files(7, seen, **lies), "a.tar", "Exampleshire", NOW)

    return made


def test_who_is_not_let_in_and_gets_no_answer_is_blocked_as_designed(at_seven):
    facts = unanswered("192.0.2.9")
    facts["against"] = against.compared(at_seven(), Target("127.0.0.1", 7), facts, NOW)
    assert facts["against"]["result"] == "not_tested: blocked as designed"
    assert not found_something(facts)
    assert any("blocked as designed" in text for text in described(facts))


def test_a_tester_who_is_let_in_and_gets_no_answer_is_a_contradiction_only_while_it_is_let_in(at_seven):
    tester = {
        "name": "Jo",
        "approver": "Sam",
        "addresses": ["192.0.2.9"],
        "start": "2026-11-21T00:00:00Z",
        "expiry": "2026-11-22T00:00:00Z",
    }
    made = at_seven(hub={"testers": [tester], "sources": ["192.0.2.1"]})
    facts = unanswered("192.0.2.9")
    during = against.compared(made, Target("127.0.0.1", 7), facts, NOW)
    assert wrong(during["rows"]) == {"reachable": against.CONTRADICTS}
    for moment in (datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 22, tzinfo=UTC)):
        assert "result" in against.compared(made, Target("127.0.0.1", 7), facts, moment)
    assert made.permission.by == "Sam"
    assert made.allowed(Target("127.0.0.1", 7)).permission == made.permission


def test_a_listener_that_is_said_to_be_silent_and_answers_is_found(seen):
    assert found_something(seen | {"against": against.expected_blocked(seen)})
    facts = unanswered("192.0.2.9")
    assert not found_something(facts | {"against": against.expected_blocked(facts)})


def test_who_has_no_certificate_is_refused_as_designed(authority, seen):
    with serving(conversing(Relay(), authority.server("relay.council.example", clients=True))) as port:
        facts = looked(port, authority, certificate=None)
    made = claims.claims(files(port, seen), "a.tar", "Exampleshire", NOW)
    facts["against"] = against.compared(made, Target("127.0.0.1", port), facts, NOW)
    assert facts["outcome"] != "answered"
    assert "as designed" in facts["against"]["result"]
    assert not found_something(facts), facts["against"]


def test_the_leave_of_a_declaration_holds_for_the_hosts_of_the_bundle_only(at_seven):
    made = at_seven(declarations=[{"id": "active-probe", "statement": "s", "owner": "Sam", "date": "2026-11-20"}])
    assert made.permission.by == "Sam"
    assert made.permission.domain == "council.example"
    assert made.allowed(Target("127.0.0.1", 7)).permission == made.permission
    assert made.allowed(Target("relay.council.example", 7)).permission == made.permission
    assert made.allowed(Target("127.0.0.1", 8)).permission is None
    assert made.allowed(Target("other.example", 7)).permission is None
    assert at_seven().permission is None


@pytest.mark.parametrize(
    "value", [None, [], {}, "x", 1, [[]], {"hosts": [1, {}]}, {"hub": [], "hosts": [{"role": "relay"}]}]
)
def test_a_signed_bundle_of_nonsense_claims_nothing(value):
    data = json.dumps(value).encode()
    found = claims.claims(
        dict.fromkeys(("organisation.json", "results.json", "observations.json"), data), "a", "o", NOW
    )
    assert found.endpoints == ()
    assert found.permission is None
    assert claims.claims({}, "a", "o", NOW).targets() == []


@pytest.mark.parametrize(
    "lies",
    [
        {"look": {"tls": [], "replies": {}, "announces_size": "9", "offers_starttls": 1}},
        {"tls": {"peer_certificate_pem": "-----BEGIN CERTIFICATE-----", "version": []}},
        {"hub": {"testers": [{"start": 1}, "x", {"start": "2026-11-21", "expiry": "never"}], "sources": [1]}},
    ],
)
def test_claims_of_another_form_are_left_out(seen, lies):
    assert rows(seen, **lies)


@pytest.fixture
def bundle(tmp_path, seen, monkeypatch):
    """A signed bundle about the relay behind a port, and the key to verify it with."""
    monkeypatch.setattr(samples, "NOW", datetime.now(UTC) - timedelta(minutes=1))

    def made(port, **lies):
        told = files(port, seen, **lies)
        told.pop("results.json")  # a bundle's totals follow from its own
        path, key = tmp_path / "evidence.tar", tmp_path / "evidence.pub"
        path.write_bytes(samples.packed(samples.signed(extra=told)))
        key.write_bytes(keys.certificate_text(samples.key().certificate, "Exampleshire Council"))
        return path, key

    return made


def run(path, key, *words):
    return CliRunner().invoke(
        command, ["--against", str(path), "--evidence-key", str(key), "--no-versions", "--json", *words]
    )


def test_the_verb_compares_a_relay_with_the_bundle_and_a_contradiction_is_exit_code_1(authority, bundle):
    certificate = str(authority.chain_file("probe.test"))
    with serving(conversing(Relay(), authority.server("relay.council.example", clients=True))) as port:
        words = [f"127.0.0.1:{port}", "--certificate", certificate]
        done = run(*bundle(port, look={"tls": None}), *words)
        lied = run(*bundle(port, look={"tls": None, "announces_size": 5}), *words)
    assert done.exit_code == 0, done.output
    [facts] = [json.loads(text) for text in done.stdout.splitlines()]
    assert facts["target"] == f"127.0.0.1:{port}"
    assert lied.exit_code == 1
    assert wrong(json.loads(lied.stdout)["against"]["rows"])["size"] == against.CONTRADICTS


def test_a_bundle_that_was_changed_is_refused_before_anybody_is_asked(authority, bundle):
    relay = Relay()
    with serving(conversing(relay, authority.server("relay.council.example"))) as port:
        path, key = bundle(port)
        path.write_bytes(path.read_bytes().replace(b"Exampleshire", b"Exampleshirf"))
        done = run(path, key)
    assert "is not relied on" in str(done.exception)
    assert relay.seen == []


def test_a_bundle_without_its_key_is_not_relied_on(tmp_path):
    (tmp_path / "a.tar").write_text("")
    done = CliRunner().invoke(command, ["--against", str(tmp_path / "a.tar")])
    assert "--evidence-key" in str(done.exception)
