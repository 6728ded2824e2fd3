"""Which suites a listener takes beyond those that may be, asked of servers on loopback that take few or many."""

from __future__ import annotations

import socket
import ssl
from pathlib import Path
from typing import Any

import pytest

from cjsm_connect.organisation.suites import DECLARABLE, MODERN
from cjsm_connect.remote import common, health_mail, smtp, suites
from cjsm_connect.remote.observe import relay
from tests.remote.servers import Authority, scripted, serving, starttls

GREETING = {"EHLO": b"250 test\r\n", "QUIT": b"221 bye\r\n"}
POSTFIX = "aNULL:-aNULL:HIGH:@STRENGTH"  # postconf -d tls_high_cipherlist


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(smtp, "RETRY_SECONDS", 0)


def asked(folder: Path, ciphers: str, newest: ssl.TLSVersion = ssl.TLSVersion.TLSv1_2) -> dict[str, Any]:
    server = Authority(folder, "Test CA").server("relay.example")
    server.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    server.maximum_version = newest
    with serving(starttls(server, GREETING)) as port:
        return suites.beyond({"address": "127.0.0.1", "port": port, "tls": {}, "permitted": MODERN})


@pytest.mark.slow
@pytest.mark.parametrize("newest", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_server_with_what_may_be_takes_nothing_else(tmp_path: Path, newest: ssl.TLSVersion) -> None:
    found = asked(tmp_path, ":".join(MODERN), newest)
    assert found["accepted"] == []
    assert {"AES256-GCM-SHA384", "ECDHE-ECDSA-AES256-SHA384", "DHE-RSA-AES128-SHA", "NULL-SHA256"} <= {
        *found["refused"]
    }
    assert not set(found["refused"]) & set(MODERN)


@pytest.mark.slow
def test_each_suite_that_a_server_takes_beyond_is_named(tmp_path: Path) -> None:
    beyond = ["ECDHE-ECDSA-AES256-SHA384", "ECDHE-ECDSA-AES128-SHA", "ECDHE-ECDSA-ARIA128-GCM-SHA256"]
    found = asked(tmp_path, ":".join([*MODERN, *beyond]))
    assert sorted(found["accepted"]) == sorted(beyond)


@pytest.mark.slow
def test_a_server_that_takes_nothing_that_may_be_proves_nothing(tmp_path: Path) -> None:
    found = asked(tmp_path, "ECDHE-ECDSA-AES256-SHA384")
    assert "not even the suites that should be accepted were: SSLV3_ALERT_HANDSHAKE_FAILURE" in found["could_not_tell"]


@pytest.mark.slow
def test_neither_does_one_without_tls() -> None:
    with serving(scripted({})) as port:
        found = suites.beyond({"address": "127.0.0.1", "port": port, "tls": {}, "permitted": MODERN})
    assert "could_not_tell" in found


@pytest.mark.slow
def test_a_server_that_soon_has_enough_of_us_has_refused_no_suite(tmp_path: Path) -> None:
    server = Authority(tmp_path, "Test CA").server("relay.example")
    secured, full = starttls(server, GREETING), scripted({"connect": b"421 4.7.0 too many connections\r\n"})
    handlers = iter([secured])

    def once(connection: socket.socket) -> None:
        next(handlers, full)(connection)

    with serving(once) as port:
        found = suites.beyond({"address": "127.0.0.1", "port": port, "tls": {}, "permitted": MODERN})
    assert "421 4.7.0 too many connections" in found["could_not_tell"]


@pytest.mark.slow
def test_this_client_speaks_every_suite_that_is_used_or_can_be_declared() -> None:
    assert {*MODERN, *DECLARABLE} <= suites._offerable()


def test_a_list_is_what_openssl_makes_of_it() -> None:
    assert suites.named(":".join(MODERN)) == list(MODERN)
    assert "AES256-SHA" in suites.named(POSTFIX)
    assert suites.named("no such suite") == []


@pytest.mark.parametrize(
    ("main", "options", "expected"),
    [
        ({}, {"smtpd_tls_mandatory_ciphers": "high", "tls_high_cipherlist": ":".join(MODERN)}, list(MODERN)),
        (
            {"smtpd_tls_mandatory_ciphers": "HIGH", "tls_high_cipherlist": f"{MODERN[0]}:AES128-SHA"},
            {"smtpd_tls_mandatory_exclude_ciphers": "AES128-SHA, aNULL"},
            [MODERN[0]],
        ),
        ({"smtpd_tls_mandatory_ciphers": "medium", "tls_medium_cipherlist": "AES128-SHA"}, {}, ["AES128-SHA"]),
        ({}, {}, []),
    ],
)
def test_a_services_suites_are_those_of_its_own_settings_over_main_cf(
    main: dict[str, str], options: dict[str, str], expected: list[str]
) -> None:
    assert relay.offered(main, {"command": "smtpd", "options": options}) == expected


@pytest.mark.slow
@pytest.mark.parametrize(
    ("ciphers", "said"),
    [
        (":".join(MODERN), ""),
        (f"AES128-SHA:{MODERN[0]}", ""),
        ("ECDHE-ECDSA-AES256-SHA", "it would take ECDHE-ECDSA-AES256-SHA. Ask its operator"),
        ("aNULL:eNULL", ""),
    ],
    ids=["all of ours", "one of ours", "none of ours", "nothing that protects"],
)
def test_what_a_hub_lacks_is_said_with_what_it_would_take(tmp_path: Path, ciphers: str, said: str) -> None:
    server = Authority(tmp_path, "Test CA").server("hub.example")
    server.set_ciphers(f"{ciphers}:@SECLEVEL=0")
    server.maximum_version = ssl.TLSVersion.TLSv1_2
    with serving(starttls(server, GREETING)) as port:
        found = health_mail.lacking({"address": "127.0.0.1", "port": port, "tls": {}, "permitted": list(MODERN)})
    assert said in found and bool(said) == bool(found)


def test_a_hub_that_is_away_or_offers_no_tls_lacks_nothing_that_this_try_could_name() -> None:
    with serving(scripted({})) as port:
        at = {"address": "127.0.0.1", "port": port, "tls": {}, "permitted": list(MODERN)}
        assert not health_mail.lacking(at)
    assert not health_mail.lacking(at)


def test_a_hub_that_lacks_them_is_not_asked_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    turns = iter(["the hub has none"])
    monkeypatch.setattr(health_mail, "lacking", lambda _arguments: next(turns))
    monkeypatch.setattr(health_mail, "_LACKING", {})
    for _ in range(3):
        with pytest.raises(common.Failed, match="the hub has none"):
            health_mail.hub_suites({"address": "203.0.113.20"})
