"""The process that connects ahead: it does what it is asked, nothing else, and ends with the one that asks."""

import socket
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from cjsm_connect.operations import ahead
from cjsm_connect.organisation.access import Access

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def listener(tmp_path):
    """A port that takes connections and says nothing, and how it would be reached."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(10)
        known = tmp_path / "known_hosts"
        known.write_text("")
        yield server, Access("relay", "127.0.0.1", server.getsockname()[1], "operator", "", False, str(known), "")


def in_a_process(code, to, *words):
    """Run code in a fresh process, as the fork must not happen in one with threads."""
    program = (
        "import sys\nfrom cjsm_connect.operations import ahead\nfrom cjsm_connect.organisation.access import Access\n"
    )
    argv = [sys.executable, "-c", program + f"to = {to!r}\n" + textwrap.dedent(code), *words]
    return subprocess.Popen(
        argv, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def test_it_connects_before_it_is_asked_anything(listener):
    server, to = listener
    process = in_a_process("ahead.start(lambda: [to])\nsys.stdin.read()", to)
    connection, _ = server.accept()
    assert connection.recv(4) == b"SSH-"
    process.kill()
    process.communicate()


def test_it_ends_with_the_process_that_started_it_and_keeps_no_output_open(listener):
    server, to = listener
    process = in_a_process("ahead.start(lambda: [to])\nsys.stdin.read()\nprint('done')\nsys.exit(3)", to)
    connection, _ = server.accept()
    out, _ = process.communicate(timeout=5)  # closes its standard input
    assert (process.returncode, out) == (3, "done\n")
    connection.settimeout(5)
    while connection.recv(4096):  # up to the end of the connection
        pass


def test_a_connection_that_failed_is_told_of_its_host_and_ends_nothing_else(listener):
    server, to = listener
    server.close()
    code = """
        ahead.start(lambda: [to])
        process = ahead.taken()
        process.ask(to, "true", "", 5)
        print(process.answers()["relay"])
        print(ahead.taken())
    """
    out, err = in_a_process(code, to).communicate(timeout=20)
    said, taken_again = out.splitlines()
    assert said.startswith(f"relay: SSH to operator@127.0.0.1:{to.port}: "), err
    assert "refused" in said
    assert taken_again == "None"


def test_asked_for_another_access_than_was_guessed_it_opens_that_one(listener):
    server, to = listener
    code = """
        from dataclasses import replace
        ahead.start(lambda: [replace(to, port=1)])
        process = ahead.taken()
        process.ask(to, "true", "", 5)
        print("asked", flush=True)
        sys.stdin.read()
    """
    process = in_a_process(code, to)
    connection, _ = server.accept()
    assert connection.recv(4) == b"SSH-"
    process.kill()
    process.communicate()


def test_a_guess_that_cannot_be_made_only_means_that_nothing_is_connected_ahead(listener):
    server, to = listener
    server.close()
    code = """
        ahead.start(lambda: 1 / 0)
        process = ahead.taken()
        process.ask(to, "true", "", 5)
        print(process.answers()["relay"])
    """
    out, err = in_a_process(code, to).communicate(timeout=20)
    assert "refused" in out, err


def test_when_it_was_killed_every_host_is_told_as_unanswered(listener):
    _, to = listener
    code = """
        import os, signal, time
        ahead.start(lambda: [to])
        process = ahead.taken()
        os.kill(process._process, signal.SIGKILL)
        time.sleep(0.2)
        process.ask(to, "true", "", 5)
        print(process.answers()["relay"])
    """
    out, err = in_a_process(code, to).communicate(timeout=20)
    assert out == "relay: the process that held its connection ended without an answer; run this again\n", err


def test_nothing_was_started_nothing_is_taken():
    assert ahead.taken() is None
