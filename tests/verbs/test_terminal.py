"""What a person reads at a terminal: folded to its width, colours only where they are wanted, and suggestions."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import struct
import subprocess
import sys
import termios
from fcntl import ioctl
from pathlib import Path

import pytest
from click.testing import CliRunner

from cjsm_connect.desired.condition import counted
from cjsm_connect.verbs import _which
from cjsm_connect.verbs._group import VERBS, cjsm
from cjsm_connect.verbs._terminal import folded
from cjsm_connect.verbs.status import LONGEST, shortened
from cli import Rooms
from tests.checks.recordings import observation
from tests.made_up import FINGERPRINT, ROOT, authority

ESCAPE = "\x1b["


def test_a_long_line_is_broken_between_words_and_the_rest_stands_deeper() -> None:
    assert folded("  one two three four", 12) == "  one two\n    three\n    four"


def test_a_styled_line_keeps_its_style_around_all_of_it() -> None:
    assert folded("\x1b[31mone two three\x1b[0m", 9) == "\x1b[31mone two\n  three\x1b[0m"


@pytest.mark.parametrize("line", ["short", "    + a line of a file that is longer than the terminal", "a" * 50])
def test_what_fits_what_is_a_files_and_what_has_no_gap_stay(line: str) -> None:
    assert folded(line, 20) == line


def test_without_a_terminal_a_line_is_a_line() -> None:
    assert folded("x " * 500, 0) == "x " * 500


def test_a_sentence_of_status_fits_a_screen() -> None:
    assert shortened("short") == "short"
    assert len(shortened("x" * 5000)) < LONGEST + 70
    assert "5000 characters; cjsm plan shows all" in shortened("x" * 5000)


@pytest.mark.parametrize(("number", "said"), [(0, "0 messages"), (1, "1 message"), (2, "2 messages")])
def test_a_number_goes_with_its_word(number: int, said: str) -> None:
    assert counted(number, "message") == said


@pytest.mark.parametrize(
    ("typed", "meant"), [("chek", "check"), ("aply", "apply"), ("statsu", "status"), ("verfy", "verify")]
)
def test_a_misspelt_verb_is_answered_with_the_nearest(typed: str, meant: str) -> None:
    done = CliRunner().invoke(cjsm, [typed], obj=Rooms(ROOT))
    assert done.exit_code == 2
    assert f"No such command '{typed}'" in done.stderr and f"'{meant}'" in done.stderr


def test_a_misspelt_option_is_answered_with_the_nearest() -> None:
    done = CliRunner().invoke(cjsm, ["plan", "--sumary"], obj=Rooms(ROOT))
    assert (done.exit_code, "--summary" in done.stderr) == (2, True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """An organisation without pinned host keys: every host has a long problem, and nobody is connected to."""
    for name in ("hub", "ssh"):
        (tmp_path / name).mkdir()
    (tmp_path / "organisation.toml").write_text((ROOT / "inventories/lab/organisation.toml").read_text())
    for name in ("hub/ca.pem", "hub/inner-ca.pem"):
        (tmp_path / name).write_text(authority())
    (tmp_path / "hub/fingerprints.txt").write_text(FINGERPRINT)
    (tmp_path / "ssh/id_ed25519").touch(0o600)
    (tmp_path / "seen.json").write_text(json.dumps(observation({"host": "relay", "facts": {}})))
    return tmp_path


def at_a_terminal(folder: Path, columns: int, *argv: str, **environment: str) -> str:
    """What a verb writes to a terminal of so many columns."""
    controller, terminal = pty.openpty()
    ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    kept = {name: text for name, text in os.environ.items() if name not in ("NO_COLOR", "COLUMNS", "CJSM_ORG", "LINES")}
    with subprocess.Popen(
        [sys.executable, str(ROOT / "cli.py"), *argv],
        cwd=folder, env={**kept, "TERM": "xterm", **environment}, stdin=terminal, stdout=terminal, stderr=terminal,
    ):  # fmt: skip
        os.close(terminal)
        said = b""
        with contextlib.suppress(OSError):  # EIO: nobody writes any more
            while piece := os.read(controller, 65536):
                said += piece
    os.close(controller)
    return said.decode().replace("\r\n", "\n")


def plain(text: str) -> str:
    return re.sub(r"\x1b\[[0-9;]*m", "", text)


RECORDED = ("check", "--observed", "seen.json")
VERBS_AT_A_TERMINAL = [("plan",), ("status",), ("plan", "--summary"), RECORDED, ("application",), ("history",)]


@pytest.mark.slow
@pytest.mark.parametrize("verb", VERBS_AT_A_TERMINAL, ids=" ".join)
@pytest.mark.parametrize("columns", [60, 80])
def test_no_line_is_wider_than_the_terminal(folder: Path, verb: tuple[str, ...], columns: int) -> None:
    said = plain(at_a_terminal(folder, columns, *verb))
    assert said.strip()
    assert [line for line in said.split("\n") if len(line) > columns and " " in line.strip()] == []


@pytest.mark.slow
@pytest.mark.parametrize("verb", [*VERBS_AT_A_TERMINAL, ("assess", "--mail-server", "none"), ("--help",)], ids=" ".join)
@pytest.mark.parametrize("wish", [{"NO_COLOR": "1"}, {"TERM": "dumb"}], ids=["NO_COLOR", "dumb"])
def test_who_wants_no_colour_gets_none(folder: Path, verb: tuple[str, ...], wish: dict[str, str]) -> None:
    assert ESCAPE not in at_a_terminal(folder, 80, *verb, **wish)


@pytest.mark.slow
def test_with_a_terminal_there_are_colours(folder: Path) -> None:
    assert ESCAPE in at_a_terminal(folder, 80, "plan")


def test_a_running_lab_is_said_once_and_first(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CJSM_ORG", raising=False)
    monkeypatch.setenv("CJSM_IN_LAB", "lab")  # also inside: `cjsm lab shell`
    monkeypatch.setattr(_which, "running", lambda _folder: "lab")
    monkeypatch.setattr(_which, "_said", [])
    assert _which.chosen(None, tmp_path) == _which.chosen(None, tmp_path) == tmp_path / "inventories/lab"
    said = capfd.readouterr().err
    assert said.count("this is about the running lab 'lab'") == 1
    assert ESCAPE not in said


@pytest.mark.parametrize("how", ["--org", "CJSM_ORG", "the folder"])
def test_a_running_lab_is_not_taken_where_an_organisation_is_named(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], tmp_path: Path, how: str
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CJSM_ORG", raising=False)
    monkeypatch.setattr(_which, "running", lambda _folder: "lab")
    if how == "CJSM_ORG":
        monkeypatch.setenv("CJSM_ORG", str(tmp_path))
    if how == "the folder":
        (tmp_path / "organisation.toml").touch()
    assert _which.chosen(tmp_path if how == "--org" else None, ROOT) == tmp_path
    assert capfd.readouterr().err == ""


def test_every_verb_is_listed_with_what_it_does() -> None:
    done = CliRunner().invoke(cjsm, ["--help"], obj=Rooms(ROOT))
    assert all(re.search(rf"^  {name}\b", done.stdout, re.MULTILINE) for name in VERBS)
