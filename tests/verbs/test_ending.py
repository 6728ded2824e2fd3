"""Ctrl-C, SIGTERM and SIGHUP end any verb within a second, whatever it waits for; exit code 1 means findings only."""

from __future__ import annotations

import os
import pty
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ed25519

from cjsm_connect.verbs import _group, status
from cli import Rooms
from tests.made_up import FINGERPRINT, ROOT, authority

pytestmark = pytest.mark.slow

SOON = 5  # seconds; a second is promised, and this machine may be busy. What it would wait for takes longer than this
SILENT = "127.0.0.1"


@pytest.fixture
def silent() -> Iterator[socket.socket]:
    """A server that accepts, and never says a word."""
    with socket.create_server((SILENT, 0), backlog=64) as server:
        yield server


@pytest.fixture
def folder(tmp_path: Path, silent: socket.socket) -> Path:
    """The lab's organisation, all hosts of which are behind that server."""
    (tmp_path / "hub").mkdir()
    (tmp_path / "ssh").mkdir()
    port = silent.getsockname()[1]
    text = (ROOT / "inventories/lab/organisation.toml").read_text()
    (tmp_path / "organisation.toml").write_text(text)
    for name in ("hub/ca.pem", "hub/inner-ca.pem"):
        (tmp_path / name).write_text(authority())
    (tmp_path / "hub/fingerprints.txt").write_text(FINGERPRINT)
    (tmp_path / "ssh/id_ed25519").touch(0o600)
    key = ed25519.Ed25519PrivateKey.generate().public_key()
    openssh = key.public_bytes(serialization.Encoding.OpenSSH, serialization.PublicFormat.OpenSSH)
    (tmp_path / "known_hosts").write_text(f"* {openssh.decode()}\n")
    # nobody is asked over the network: the way to each host is a program that listens to that server
    hop = tmp_path / "hop.py"
    hop.write_text(
        "import socket, sys\n"
        f"there = socket.create_connection(({SILENT!r}, {port}))\n"
        "while sys.stdin.buffer.read1(): pass\n"
    )
    (tmp_path / "ssh_config").write_text(f"Host *\n  ProxyCommand {sys.executable} {hop}\n")
    return tmp_path


@contextmanager
def begun(*argv: str, program: str = "cli.py", **other: object) -> Iterator[subprocess.Popen[str]]:
    """A verb in a process group of its own, with the signals that a terminal's programs begin with."""

    def ready() -> None:
        os.setsid()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)  # a test run of a script may have SIGINT ignored

    clean = {name: text for name, text in os.environ.items() if not name.startswith("CJSM_")}
    clean["PYTHONPATH"] = str(ROOT)
    process = subprocess.Popen(
        [sys.executable, program, *argv],
        **{"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "stdin": subprocess.DEVNULL, **other},  # type: ignore[call-overload]
        cwd=ROOT,
        env=clean,
        text=True,
        preexec_fn=ready,  # noqa: PLW1509 - no thread of ours runs yet
    )
    try:
        yield process
    finally:
        with suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def connected(silent: socket.socket) -> None:
    """Wait until the verb has come to where it waits for the other side."""
    silent.settimeout(60)
    silent.accept()


def ended(process: subprocess.Popen[str], number: int) -> str:
    """Send a signal to the one process, as kill(1) does; what it said until it had ended."""
    process.send_signal(number)
    _, said = process.communicate(timeout=SOON)
    return said


@pytest.mark.parametrize("verb", ["plan", "check", "status", "history", "apply"])
def test_ctrl_c_ends_a_verb_that_waits_for_hosts(folder: Path, silent: socket.socket, verb: str) -> None:
    with begun(verb, "--org", str(folder)) as process:
        connected(silent)
        said = ended(process, signal.SIGINT)
        assert process.returncode == 130, said
        assert "interrupted. What was asked of the hosts ends there by itself" in said
        assert "Traceback" not in said
        assert left_of(process) == []


def left_of(process: subprocess.Popen[str]) -> list[str]:
    """Processes of its group that outlive it by more than the moment that their end takes."""
    end = time.monotonic() + SOON
    while (names := _group_of(process.pid)) and time.monotonic() < end:
        time.sleep(0.05)
    return names


def _group_of(leader: int) -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            name, rest = place.read_text().rpartition(")")[::2]
            if rest.split()[2] == str(leader) and rest.split()[0] != "Z":
                found.append(name)
    return found


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGHUP, 129)])
def test_other_signals_that_ask_for_an_end_are_named(
    folder: Path, silent: socket.socket, number: signal.Signals, code: int
) -> None:
    with begun("check", "--org", str(folder)) as process:
        connected(silent)
        said = ended(process, number)
        assert process.returncode == code
        assert f"ended by {number.name}" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_run_that_is_killed_half_way_leaves_nothing_that_looks_like_a_pass(
    folder: Path, silent: socket.socket, number: signal.Signals
) -> None:
    junit = folder / "junit.xml"
    junit.write_text("<testsuites>yesterday's success</testsuites>")
    with begun("check", "--org", str(folder), "--json", "--junit", str(junit)) as process:
        connected(silent)
        process.send_signal(number)
        printed, _ = process.communicate(timeout=SOON)
        assert process.returncode == 128 + number
    assert printed == ""
    assert junit.read_text() == ""
    assert not (folder / ".cjsm").exists()


def test_check_leaves_no_folder_behind(folder: Path, silent: socket.socket) -> None:
    with begun("check", "--org", str(folder)) as process:
        connected(silent)
        mine = [place for place in Path("/tmp").glob("cjsm-*") if _speaks_of(place, folder)]
        assert mine
        ended(process, signal.SIGINT)
        assert not [place for place in mine if place.exists()]


def _speaks_of(place: Path, folder: Path) -> bool:
    with suppress(OSError):
        return str(folder) in (place / "ssh_config").read_text()
    return False


def test_ctrl_c_ends_a_probe(silent: socket.socket) -> None:
    with begun("probe", f"{SILENT}:{silent.getsockname()[1]}") as process:
        connected(silent)
        ended(process, signal.SIGINT)
        assert process.returncode == 130


def test_a_main_thread_that_does_not_notice_is_ended_too(tmp_path: Path) -> None:
    """As in getaddrinfo(3), where no line of Python runs until a name server has answered."""
    program = tmp_path / "stuck.py"
    program.write_text(
        "import time\n"
        "from cjsm_connect import ending\n"
        "ending.prepare(); ending.watch()\n"
        "ready = False\n"
        "while True:\n"
        "    try:\n"
        "        ready = ready or not print('ready', flush=True)\n"  # the signal may come before the call returns
        "        time.sleep(600)\n"
        "    except KeyboardInterrupt: pass\n"
    )
    with begun(program=str(program)) as process:
        assert process.stdout and process.stdout.readline() == "ready\n"
        said = ended(process, signal.SIGINT)
        assert (process.returncode, "interrupted" in said) == (130, True)


def test_ctrl_c_at_a_question_changes_nothing() -> None:
    """A question is asked at a terminal only; this is one."""
    controller, terminal = pty.openpty()
    with begun("assess", stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        said = until(controller, "mail server")
        process.send_signal(signal.SIGINT)
        assert process.wait(SOON) == 130, said


def test_the_end_of_input_at_a_question_is_no_finding() -> None:
    controller, terminal = pty.openpty()
    with begun("assess", stdin=terminal, stdout=terminal, stderr=terminal) as process:
        os.close(terminal)
        until(controller, "mail server")
        os.write(controller, b"\x04")
        assert "the question was not answered" in until(controller, "answered")
        assert process.wait(SOON) == 2


def until(terminal: int, word: str) -> str:
    said = ""
    while word not in said:
        with suppress(OSError):
            piece = os.read(terminal, 4096).decode(errors="replace")
            said += piece
            continue
        break
    return said


def test_a_signal_that_was_ignored_from_the_beginning_stays_ignored(folder: Path, silent: socket.socket) -> None:
    """nohup(1), and `cjsm check &` in a script."""
    argv = ["sh", "-c", f"trap '' INT; exec {sys.executable} cli.py check --org '{folder}'"]
    with subprocess.Popen(argv, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True) as process:
        connected(silent)
        process.send_signal(signal.SIGINT)
        with suppress(subprocess.TimeoutExpired):
            process.wait(1.5)
        assert process.returncode is None
        process.terminate()
        process.communicate(timeout=SOON)
        assert process.returncode == 143


def test_whoever_reads_our_output_may_stop() -> None:
    with begun("--help") as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(60) in (0, 2)  # 0 when it had written all before


def verb(monkeypatch: pytest.MonkeyPatch, broken: Callable[..., None], *argv: str) -> tuple[int, str]:
    monkeypatch.setattr(status.command, "callback", broken)
    done = CliRunner().invoke(_group.cjsm, ["status", *argv], obj=Rooms(ROOT), prog_name="cjsm")
    return done.exit_code, done.stderr


@pytest.mark.parametrize(
    "error", [ValueError("a\x1b[2Jb\nc"), RecursionError(), MemoryError("much"), KeyError("x"), OSError(28, "full")]
)
def test_an_unexpected_error_is_one_sentence_and_exit_code_2(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def broken(**_asked: object) -> None:
        raise error

    code, said = verb(monkeypatch, broken)
    assert code == 2
    assert len(said.splitlines()) == 1
    assert said.removesuffix("\n").isprintable()
    assert type(error).__name__ in said
    written = Path(said.partition("The details are in ")[2].partition(", ")[0])
    assert stat.S_IMODE(written.stat().st_mode) == 0o600
    assert "Traceback" in written.read_text() and "test_ending.py" in written.read_text()
    written.unlink()


def test_a_reader_that_went_away_is_no_finding(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**_asked: object) -> None:
        raise BrokenPipeError(32, "Broken pipe")

    monkeypatch.setattr(os, "dup2", lambda *_descriptors: 0)  # the tests' own output stays
    assert verb(monkeypatch, broken)[0] == 2
