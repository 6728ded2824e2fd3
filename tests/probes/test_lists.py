"""Lists of revoked certificates are fetched by plain HTTP, within bounds, from servers that may do anything."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from cjsm_connect.probes import lists
from cjsm_connect.probes.lists import Lists

DATA = b"0\x82a list"


class Server(BaseHTTPRequestHandler):
    """Answers by the path that is asked for."""

    asked: list[str]

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if self.path.startswith("/to/"):
            self.send_response(302)
            self.send_header("Location", self.path.removeprefix("/to/"))
            self.end_headers()
            return
        self.send_response(200 if self.path.startswith("/ca") else 404)
        self.end_headers()
        self.wfile.write(DATA)


@pytest.fixture
def served() -> Iterator[tuple[str, list[str]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Server)
    server.asked = []  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", server.asked  # type: ignore[attr-defined]
    server.shutdown()
    server.server_close()


@contextmanager
def dripping() -> Iterator[str]:
    """A server that sends a byte of its headers now and then, and never ends."""
    ended = threading.Event()
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def drip() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.sendall(b"HTTP/1.0 200 OK\r\nX: ")
                while not ended.wait(0.05):
                    connection.sendall(b"x")

        threading.Thread(target=drip, daemon=True).start()
        yield f"http://127.0.0.1:{listener.getsockname()[1]}/ca.crl"
        ended.set()


def fetched(*addresses: str) -> dict[str, bytes | str]:
    found = Lists()
    found.fetch(addresses)
    return found.got


def test_what_is_published_comes_back(served: tuple[str, list[str]]) -> None:
    address = f"{served[0]}/ca.crl"
    assert fetched(address) == {address: DATA}


def test_each_address_is_asked_once(served: tuple[str, list[str]]) -> None:
    found = Lists()
    for _ in range(3):
        found.fetch([f"{served[0]}/ca.crl", f"{served[0]}/ca.crl"])
    assert served[1] == ["/ca.crl"]


def test_only_http_is_asked(served: tuple[str, list[str]]) -> None:
    assert fetched("https://127.0.0.1/a.crl", "ldap:///CN=ca", "file:///etc/passwd", "ftp://127.0.0.1/a") == {}
    assert served[1] == []


def test_a_redirect_is_followed_to_http_and_to_nothing_else(served: tuple[str, list[str]]) -> None:
    good = f"{served[0]}/to/{served[0]}/ca.crl"
    bad = [f"{served[0]}/to/{elsewhere}" for elsewhere in ("file:///etc/passwd", "https://127.0.0.1/x")]
    found = fetched(good, *bad)
    assert found[good] == DATA
    assert all("could not be fetched" in str(found[address]) for address in bad)


def test_a_missing_list_a_closed_port_and_a_nonsensical_address_are_told(served: tuple[str, list[str]]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    addresses = [f"{served[0]}/missing", f"http://127.0.0.1:{port}/ca.crl", "http://", "http://a b/\r\nX: y"]
    assert all("could not be fetched" in str(one) for one in fetched(*addresses).values())


def test_a_list_that_is_too_large_is_not_taken(served: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "LARGEST", len(DATA) - 1)
    [found] = fetched(f"{served[0]}/ca.crl").values()
    assert "larger than" in str(found)


def test_many_addresses_are_not_all_asked(served: tuple[str, list[str]]) -> None:
    addresses = [f"{served[0]}/ca{number}" for number in range(lists.MOST + 5)]
    found = fetched(*addresses)
    assert len(served[1]) == lists.MOST
    assert sum("not asked" in str(one) for one in found.values()) == 5


def test_a_server_that_drips_holds_up_nobody(served: tuple[str, list[str]], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lists, "SECONDS", 0.3)
    with dripping() as slow:
        found = fetched(slow, f"{served[0]}/ca.crl")
    assert found == {slow: "no answer within 0.3 seconds", f"{served[0]}/ca.crl": DATA}


@pytest.mark.parametrize(
    "address",
    [
        "http://a.example/x\r\nHost: b.example",
        "http://a.example/ x",
        "http://user:word@a.example/",
        "http:///x",
        "http://a:0/",
    ],
)
def test_what_no_organisation_file_may_hold_is_not_asked_for_a_certificate_either(address: str) -> None:
    lists = Lists()
    lists.fetch([address])
    assert lists.got == {}
