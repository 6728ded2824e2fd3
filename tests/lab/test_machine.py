"""What the lab asks of the machine, and how it treats it."""

from __future__ import annotations

import os
import stat
import time
from pathlib import Path

import pytest

from cjsm_connect.lab import machine, mirror
from cjsm_connect.results import CjsmError


def test_without_root_one_sentence_says_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    with pytest.raises(CjsmError, match=r"^the lab needs root: .* run this with sudo\.$"):
        machine.require()


def test_another_system_than_debian_is_told_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine.shutil, "which", lambda _program: None)
    with pytest.raises(CjsmError, match="the lab needs a Debian machine"):
        machine.require()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root: only root installs")
def test_missing_tools_are_installed_and_named(monkeypatch: pytest.MonkeyPatch) -> None:
    commands: list[list[str]] = []
    said: list[str] = []
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine.shutil, "which", lambda program: None if program == "mmdebstrap" else program)
    monkeypatch.setattr(machine, "run", commands.append)
    machine.require(said.append)
    assert said == ["installing on this machine, for the lab: mmdebstrap"]
    assert commands[-1][-2:] == ["install", "mmdebstrap"]


def test_a_machine_that_has_everything_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(machine.shutil, "which", lambda program: program)
    monkeypatch.setattr(machine, "run", lambda argv: pytest.fail(f"ran {argv}"))
    machine.require()


def test_a_private_file_is_private_from_its_creation_and_when_it_replaces_another(tmp_path: Path) -> None:
    old = tmp_path / "key"
    old.write_text("readable")
    old.chmod(0o644)
    machine.write(old, "secret", 0o600)
    assert (old.read_text(), stat.S_IMODE(old.stat().st_mode)) == ("secret", 0o600)
    assert list(tmp_path.iterdir()) == [old]


def test_a_failed_program_is_an_error_that_quotes_it() -> None:
    with pytest.raises(CjsmError, match=r"'ls /nowhere' failed with exit code 2:\n.*No such file"):
        machine.run(["ls", "/nowhere"])


def test_other_ingredients_give_another_digest() -> None:
    assert machine.digest_of("a", ("b",)) != machine.digest_of("a", ("c",))
    assert machine.digest_of("a", ("b",)) == machine.digest_of("a", ("b",))


def test_old_folders_make_room_but_not_those_in_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for age, name in enumerate(("new", "used", "old")):
        (tmp_path / name).mkdir()
        os.utime(tmp_path / name, (1000 - age, 1000 - age))
    mounts = f"1 1 0:1 / /x rw - overlay o rw,lowerdir={tmp_path / 'used'}/base"
    monkeypatch.setattr(Path, "read_text", lambda _self: mounts)
    machine.drop_old(tmp_path, keep=1)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["new", "used"]


def test_the_test_string_is_known_by_its_published_digest() -> None:
    assert "44d88612fea8a8f36de82e1278abb02f:68:Eicar-Test-Signature" in mirror.signatures()["lab.hdb"]


def test_no_scanner_finds_the_test_string_in_the_source() -> None:
    assert mirror.EICAR not in Path(mirror.__file__).read_bytes()


def test_a_machine_without_free_inotify_instances_is_told_which_labs_hold_them(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "other").mkdir()
    monkeypatch.setattr(machine, "LABS", tmp_path)
    monkeypatch.setattr(machine, "_free_inotify", lambda _wanted: 3)
    with pytest.raises(CjsmError, match=r"needs 20 free inotify instances and this machine has 3 .* are other\."):
        machine.require_inotify(20)


def test_a_settled_configuration_is_written_now_and_looks_a_minute_old(tmp_path: Path) -> None:
    machine.write_settled(tmp_path / "main.cf", "compatibility_level = 3.10\n")
    assert (tmp_path / "main.cf").read_text() == "compatibility_level = 3.10\n"
    assert 30 < time.time() - (tmp_path / "main.cf").stat().st_mtime < 600
