"""Where our SSH session comes from, and who else has one."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from cjsm_connect.remote import sessions


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("640200C0:0016", ("192.0.2.100", 22)),
        ("0000000000000000FFFF0000640200C0:D431", ("192.0.2.100", 54321)),
        ("B80D0120000000000000000001000000:0016", ("2001:db8::1", 22)),
    ],
)
def test_the_kernels_addresses_are_read(text, expected):
    assert sys.byteorder == "little"
    assert sessions.endpoint(text) == expected


def test_an_address_with_its_interface_is_the_address():
    assert sessions.plain("fe80::1%eth0") == "fe80::1"


def test_the_connection_is_that_of_the_process_above_as_sudo_leaves_it():
    """A parent with SSH_CONNECTION, a child without: as under sudo."""
    inner = "from cjsm_connect.remote import sessions; print(sessions.own_connection())"
    middle = (
        "import os, subprocess, sys; os.environ.pop('SSH_CONNECTION'); "
        f"print(subprocess.run([sys.executable, '-c', {inner!r}], capture_output=True, text=True).stdout)"
    )
    environment = {**os.environ, "SSH_CONNECTION": "192.0.2.77 50000 198.51.100.10 2222"}
    root = Path(__file__).resolve().parents[2]
    said = subprocess.check_output([sys.executable, "-c", middle], env=environment, cwd=root, text=True)
    assert said.strip() == "('192.0.2.77', 50000, '198.51.100.10', 2222)"


def test_open_connections_to_a_port_are_found_and_others_are_not(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_server(("127.0.0.1", 0)) as unrelated:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as ours, socket.create_connection(("127.0.0.1", port)):
            with socket.create_connection(unrelated.getsockname()):
                assert len(sessions.peers(port)) == 2
            own = ("127.0.0.1", ours.getsockname()[1], "127.0.0.1", port)
            monkeypatch.setattr(sessions, "own_connection", lambda: own)
            assert sessions.observe() == {"from": "127.0.0.1", "port": port, "others": ["127.0.0.1"]}


def test_our_own_session_is_not_somebody_elses(monkeypatch):
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as ours:
            own = ("127.0.0.1", ours.getsockname()[1], "127.0.0.1", port)
            monkeypatch.setattr(sessions, "own_connection", lambda: own)
            assert sessions.observe()["others"] == []


def test_outside_of_ssh_nothing_is_known(monkeypatch):
    monkeypatch.setattr(sessions, "own_connection", lambda: ("", 0, "", 0))
    assert sessions.observe() == {"from": "", "port": 0, "others": []}
