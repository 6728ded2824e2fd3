"""Whatever answers in place of an SSH server is told as that; and a host's own noise is not its trouble."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from cjsm_connect.operations import transport
from cjsm_connect.operations.ssh import explained
from cjsm_connect.operations.trouble import HostError
from cjsm_connect.organisation.access import Access
from tests.made_up import organisation

NOISE = "sudo: unable to resolve host relay: Name or service not known\n"


def silent(client: socket.socket) -> None:
    client.recv(1)
    client.recv(10_000)
    client.recv(10_000)


def closes(client: socket.socket) -> None:
    client.close()


def full(client: socket.socket) -> None:
    client.sendall(b"Exceeded MaxStartups\r\n")
    client.close()


def another_service(client: socket.socket) -> None:
    client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n")
    client.close()


def begins_only(client: socket.socket) -> None:
    client.sendall(b"SSH-2.0-OpenSSH_10.0\r\n")
    client.recv(1000)
    client.close()


@pytest.mark.parametrize("does", [silent, closes, full, another_service, begins_only])
def test_a_port_where_nobody_speaks_ssh_is_told_as_that(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, does: Callable[[socket.socket], None]
) -> None:
    monkeypatch.setattr(transport, "CONNECT_SECONDS", 1)
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    openssh = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH).decode()
    (tmp_path / "known_hosts").write_text(f"* {openssh}\n")
    with socket.create_server(("127.0.0.1", 0)) as server:
        threading.Thread(target=lambda: does(server.accept()[0]), daemon=True).start()
        way = Access("relay", "127.0.0.1", server.getsockname()[1], "op", "", False, str(tmp_path / "known_hosts"), "")
        with pytest.raises(HostError) as caught:
            transport.connected(way)
    assert "it takes the connection, and no SSH server answers as one" in str(caught.value)
    assert "MaxStartups" in str(caught.value)


@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"{NOISE}sudo: a password is required\n", "sudo asked for a password"),
        (f"x is not in the sudoers file\n{NOISE}", "the user may not use sudo there (x is not in the sudoers file)"),
        (f"OSError: [Errno 30] Read-only file system: '/var/lib/cjsm'\n{NOISE}", "mounted read-only"),
    ],
)
def test_the_cause_is_told_without_the_noise_around_it(said: str, told: str) -> None:
    sentence = explained(organisation().host("relay"), "no answer", said)
    assert told in sentence
    assert "unable to resolve" not in sentence
