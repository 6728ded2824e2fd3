"""Cipher suites that a server really accepts: what it took, what it refused, and what nobody could tell."""

import asyncio
import ssl

import pytest

from cjsm_connect.engineer import ciphers
from cjsm_connect.engineer.session import Manner, Suites
from cjsm_connect.engineer.targets import Target
from tests.remote.servers import Authority, serving, starttls


@pytest.fixture(scope="module")
def known():
    return ciphers.suites()


@pytest.fixture
def server(tmp_path):
    """A server with these TLS 1.2 suites."""
    authority = Authority(tmp_path, "An authority")

    def made(names, **settings):
        context = authority.server("relay.test", **settings)
        context.set_ciphers(names)
        return context

    return made


def asked(context, known):
    with serving(starttls(context, {})) as port:
        return asyncio.run(ciphers.asked(Target("127.0.0.1", port), "127.0.0.1", Manner("probe.example"), known))


def test_exactly_the_suites_of_the_server_are_accepted_in_the_order_in_which_it_chooses(server, known):
    wanted = ["ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-CHACHA20-POLY1305", "AECDH-NULL-SHA"]
    context = server(":".join([*wanted, "@SECLEVEL=0"]))
    context.options |= ssl.OP_CIPHER_SERVER_PREFERENCE
    found = asked(context, known)["TLSv1.2"]
    assert found["accepted"] == wanted
    assert set(found["refused"]) == set(known.offered.values()) - set(wanted)


def test_a_certificate_that_is_demanded_hides_no_suite(server, known):
    context = server("ECDHE-ECDSA-AES128-GCM-SHA256", clients=True)
    assert asked(context, known)["TLSv1.2"]["accepted"] == ["ECDHE-ECDSA-AES128-GCM-SHA256"]


def test_a_server_of_tls_1_3_only_refuses_all_older_suites(server, known):
    context = server("ECDHE-ECDSA-AES128-GCM-SHA256")
    context.minimum_version = ssl.TLSVersion.TLSv1_3
    found = asked(context, known)
    assert found["TLSv1.2"]["accepted"] == []
    assert len(found["TLSv1.2"]["refused"]) == len(known.offered)
    assert found["TLSv1.3"]["chosen"].startswith("TLS_")


def test_a_suite_that_we_cannot_speak_ourselves_is_not_called_refused(server, known):
    few = Suites(known.offered, {"OLD-SUITE": "this client cannot offer it itself: no such suite"})
    found = asked(server("ECDHE-ECDSA-AES128-GCM-SHA256"), few)["TLSv1.2"]
    assert found["not_tested"] == {"OLD-SUITE": "this client cannot offer it itself: no such suite"}
    assert "OLD-SUITE" not in found["refused"]


def test_who_takes_nothing_any_more_has_refused_nothing(server, known):
    """A server that breaks off from the second session on, as one that has had enough of us does."""
    good = starttls(server("ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-ECDSA-AES256-GCM-SHA384"), {})
    sessions = []

    def tired(connection):
        sessions.append(connection)
        if len(sessions) == 1:
            return good(connection)
        connection.sendall(b"220 test\r\n")
        connection.recv(1000)
        connection.sendall(b"250-test\r\n250 STARTTLS\r\n")
        connection.recv(1000)
        connection.sendall(b"220 go\r\n")
        return None

    with serving(tired) as port:
        found = asyncio.run(ciphers.asked(Target("127.0.0.1", port), "127.0.0.1", Manner("probe.example"), known))
    assert len(found["TLSv1.2"]["accepted"]) == 1
    assert found["TLSv1.2"]["refused"] == []
    assert (
        sum("afterwards it refused" in why for why in found["TLSv1.2"]["not_tested"].values()) == len(known.offered) - 1
    )


def test_this_machine_tries_each_suite_with_a_server_of_its_own(monkeypatch, known):
    assert "ECDHE-RSA-AES128-GCM-SHA256" in known.offered.values()
    monkeypatch.setattr(ciphers, "FFDHE2048", "")
    monkeypatch.setattr(ssl.SSLContext, "load_dh_params", lambda *_: None)
    without = ciphers.suites()
    assert "DHE-RSA-AES128-GCM-SHA256" in without.unoffered
    assert "DHE-RSA-AES128-GCM-SHA256" not in without.offered.values()
