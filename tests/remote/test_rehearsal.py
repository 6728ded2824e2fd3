"""The private Postfix: what it is told, and what it finds wrong with a session."""

import socket

import pytest

from cjsm_connect.remote import common, rehearsal
from tests.remote.servers import Authority, scripted, serving, starttls


@pytest.mark.parametrize(
    ("restrictions", "asked"),
    [
        ("reject_unauth_destination", "warn_if_reject reject_unauth_destination reject_unauth_destination"),
        (
            "check_client_access cidr:/a, check_ccert_access lmdb:/b, reject",
            "warn_if_reject check_client_access cidr:/a warn_if_reject check_ccert_access lmdb:/b "
            "warn_if_reject reject reject_unauth_destination",
        ),
        ("check_client_access { cidr:{{ 192.0.2.1 OK }} }", None),
        ("", ""),
    ],
)
def test_every_restriction_is_asked_and_none_refuses(restrictions, asked):
    found = rehearsal.lenient(restrictions)
    assert found.startswith("warn_if_reject check_client_access {") if asked is None else found == asked


@pytest.mark.parametrize(
    "asks_others",
    [
        "reject_rbl_client dns.example",
        "check_policy_service unix:private/policy",
        "reject_unverified_recipient",
        "check_sender_mx_access cidr:/etc/postfix/mx",
        "permit_dnswl_client list.example=127.0.[0..255].[1..3]",
    ],
)
def test_what_asks_other_machines_is_left_out(asks_others):
    found = rehearsal.lenient(f"reject_non_fqdn_sender, {asks_others}, reject_unauth_pipelining")
    assert found == "warn_if_reject reject_non_fqdn_sender warn_if_reject reject_unauth_pipelining"


def test_a_list_that_stops_nobody_does_not_get_a_stop_from_us():
    assert "reject_unauth_destination" not in rehearsal.lenient("permit_mynetworks")


def test_paths_are_those_where_the_new_content_is_and_only_those():
    places = {"/etc/cjsm/tls/hub-ca.pem": "/stage/ca", "/etc/cjsm/maps": "/sets/new"}
    value = "lmdb:/etc/cjsm/maps/transport, /etc/cjsm/tls/hub-ca.pem, /etc/cjsm/tls/hub-ca.pem.old, /etc/cjsm/maps2"
    wanted = "lmdb:/sets/new/transport, /stage/ca, /etc/cjsm/tls/hub-ca.pem.old, /etc/cjsm/maps2"
    assert rehearsal.staged(value, places) == wanted


def test_a_problem_is_told_with_the_paths_and_addresses_of_the_host():
    service = rehearsal.Service(["198.51.100.10:4545", "inet", "n", "-", "n", "-", "-", "smtpd"], {}, 40123)
    line = "127.0.0.1:40123 /run/x/etc/main.cf /stage/ca"
    told = rehearsal.plain(line, "/run/x", [service], {"/the/ca": "/stage/ca"})
    assert told == "198.51.100.10:4545 /etc/postfix/main.cf /the/ca"


ENCRYPTED = {"smtpd_tls_security_level": "encrypt"}
ACCEPTS = {"MAIL": b"250 ok\r\n", "RCPT": b"250 ok\r\n", "DATA": b"354 go on\r\n"}


def problems(handler, effective):
    """What a session with a little server finds."""
    with serving(handler) as port:
        service = rehearsal.Service(["test", "inet", "n", "-", "n", "-", "-", "smtpd"], {}, port)
        return rehearsal.listener(service, effective)


def test_a_listener_in_order_is_asked_up_to_the_message():
    seen = []
    assert problems(scripted(ACCEPTS, seen), {}) == []
    assert [line.split(" ")[0] for line in seen][-3:] == ["MAIL", "RCPT", "DATA"]


def test_a_listener_that_must_encrypt_and_does_not_offer_it():
    assert "does not offer STARTTLS" in problems(scripted(ACCEPTS), ENCRYPTED)[0]


def test_a_listener_that_takes_mail_in_clear_text():
    replies = ACCEPTS | {"EHLO": b"250-test\r\n250 STARTTLS\r\n"}
    assert "expected 530" in problems(scripted(replies), ENCRYPTED)[0]


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        ({"RCPT": b"451 4.3.5 Server configuration error\r\n"}, "Server configuration error"),
        ({"connect": b"421 4.3.2 not now\r\n"}, "not now"),
        ({"RCPT": b""}, "hung up after RCPT"),
    ],
)
def test_a_listener_that_refuses_is_told_with_its_reply(reply, said):
    assert said in problems(scripted(ACCEPTS | reply), {})[0]


def test_another_certificate_than_the_staged_one_is_noticed(tmp_path):
    authority = Authority(tmp_path, "Test CA")
    ours = authority.chain_file("relay.example")
    level = {"smtpd_tls_security_level": "may", "smtpd_tls_chain_files": str(ours)}
    other = starttls(authority.server("other.example"), ACCEPTS)
    assert "serves another certificate" in problems(other, level)[0]


def test_a_delivery_agent_that_does_not_start_is_noticed(tmp_path):
    (tmp_path / "queue/private").mkdir(parents=True)
    service = rehearsal.Service(["cjsm", "unix", "-", "-", "n", "-", "-", "smtp"], {})
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "queue/private/cjsm"))
        assert rehearsal.client(service, str(tmp_path))
        listener.listen()


def test_an_installed_configuration_with_the_same_problem_is_no_reason_to_refuse(tmp_path, monkeypatch):
    (tmp_path / "main.cf").write_text("")
    (tmp_path / "master.cf").write_text("")
    monkeypatch.setattr(rehearsal, "INSTALLED", str(tmp_path))
    monkeypatch.setattr(rehearsal, "concerned", lambda *_: True)
    found = {"/staged": ["old", "new"], str(tmp_path): ["old"]}
    monkeypatch.setattr(rehearsal, "problems", lambda folder, _places: found[folder])
    with pytest.raises(common.Failed, match="shows: new"):
        rehearsal.rehearse("/staged", {})
    found["/staged"] = ["old"]
    rehearsal.rehearse("/staged", {})
