"""What clamd, clamconf and freshclam say, taken apart."""

from __future__ import annotations

import socket
import struct
import threading
import time
from pathlib import Path

import pytest

from cjsm_connect.remote.messages import EICAR
from cjsm_connect.remote.observe import antivirus

CLAMCONF = """\
Checking configuration files in /etc/clamav

Config file: clamd.conf
-----------------------
AlertExceedsMax = "yes"
PreludeEnable disabled
MaxFileSize = "80740352"

Config file: freshclam.conf
---------------------------
DatabaseCustomURL = "http://mirror.outside.example/clamav/lab.hdb", "http://mirror.outside.example/clamav/lab.ndb"

Software settings
-----------------
Version = "1.4.3"
"""


def at(text: str) -> float:
    return time.mktime(time.strptime(text, "%a %b %d %H:%M:%S %Y"))


def test_settings_as_clamconf_prints_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(antivirus, "attempt", lambda argv: (0, CLAMCONF, ""))
    found = antivirus.settings()
    assert found["clamd.conf"] == {"AlertExceedsMax": ["yes"], "PreludeEnable": [], "MaxFileSize": ["80740352"]}
    assert len(found["freshclam.conf"]["DatabaseCustomURL"]) == 2


def test_the_age_of_loaded_public_signatures() -> None:
    assert antivirus.built("ClamAV 1.4.3/27800/Fri Nov 20 08:26:35 2026") == at("Fri Nov 20 08:26:35 2026")


def test_own_signatures_have_no_date_of_their_own() -> None:
    assert antivirus.built("ClamAV 1.4.3") == 0


class Clamd(threading.Thread):
    """A scanner that knows the EICAR test file, on a socket as clamd(8) describes it."""

    def __init__(self, path: Path) -> None:
        super().__init__(daemon=True)
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(path))
        self.listener.listen()

    def run(self) -> None:
        for _ in range(3):
            connection, _ = self.listener.accept()
            with connection, connection.makefile("rb") as stream:
                connection.sendall(self.answer(stream) + b"\0")

    def answer(self, stream: object) -> bytes:
        command = b""
        while not command.endswith(b"\0"):
            command += stream.read(1)  # type: ignore[attr-defined]
        if command == b"zVERSION\0":
            return b"ClamAV 1.4.3/27800/Fri Nov 20 08:26:35 2026"
        (size,) = struct.unpack("!I", stream.read(4))  # type: ignore[attr-defined]
        content = stream.read(size)  # type: ignore[attr-defined]
        assert stream.read(4) == b"\0\0\0\0"  # type: ignore[attr-defined]
        return b"stream: Eicar FOUND" if content == EICAR else b"stream: OK"


def test_the_scanner_is_asked_for_what_it_should_find_and_for_what_it_should_not(tmp_path: Path) -> None:
    Clamd(tmp_path / "clamd.ctl").start()
    found = antivirus.scanner(str(tmp_path / "clamd.ctl"))
    assert found["answers"] is True
    assert (found["clean"], found["eicar"]) == ("stream: OK", "stream: Eicar FOUND")
    assert found["signatures_built"] == at("Fri Nov 20 08:26:35 2026")


def test_a_scanner_that_is_not_there_does_not_answer(tmp_path: Path) -> None:
    found = antivirus.scanner(str(tmp_path / "clamd.ctl"))
    assert found["answers"] is False
    assert "No such file" in found["why"]


def test_a_scanner_that_lets_us_wait_is_neither_there_nor_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(antivirus, "ANSWER_SECONDS", 0.1)
    with socket.socket(socket.AF_UNIX) as silent:
        silent.bind(str(tmp_path / "clamd.ctl"))
        silent.listen()
        found = antivirus.scanner(str(tmp_path / "clamd.ctl"))
    assert found["answers"] is None and "no answer from clamd" in found["why"]


def test_files_by_which_the_scanner_passes_over_something_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "local.ign2",
        "ours.fp",
        "ours.sfp",
        "ours.wdb",
        "local.cfg",
        "daily.cld",
        "cjsm-unopened.yara",
        "x.ign",
    ):
        (tmp_path / name).write_text("x")
    (tmp_path / "empty.fp").write_text("")
    monkeypatch.setattr(antivirus.glob, "glob", lambda pattern: [str(one) for one in tmp_path.iterdir()])
    assert antivirus.allowing() == ["local.cfg", "local.ign2", "ours.fp", "ours.sfp", "ours.wdb", "x.ign"]
