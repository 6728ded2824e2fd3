"""Owners and modes of a Postfix that the test itself has laid out: nothing of this machine's is asked."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cjsm_connect.remote import permissions

ME, GROUP = os.getuid(), os.getgid()


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A whole installation in which everybody is who Postfix wants."""
    for folder in ("etc", "lib", "data", "bin", "queue/pid", *(f"queue/{name}" for name in permissions.QUEUES)):
        (tmp_path / folder).mkdir(parents=True, mode=0o755)
    for program in ("postqueue", "postdrop"):
        (tmp_path / "bin" / program).write_text("")
        (tmp_path / "bin" / program).chmod(0o2755)
    (tmp_path / "etc/main.cf").write_text("")
    (tmp_path / "etc/a-link").symlink_to("main.cf")
    folders = {"config": "etc", "daemon": "lib", "meta": "etc", "shlib": "lib", "data": "data"}
    folders |= {"queue": "queue", "command": "bin"}
    said = "".join(f"{name}_directory = {tmp_path / place}\n" for name, place in folders.items())
    said += "mail_owner = postfix\nsetgid_group = postdrop\n"
    monkeypatch.setattr(permissions, "attempt", lambda argv: (0, said, ""))
    monkeypatch.setattr(permissions, "_named", lambda look_up, number: NAMES[look_up.__name__].get(number, str(number)))
    NAMES["getpwuid"], NAMES["getgrgid"] = {ME: "root"}, {GROUP: "postdrop"}
    monkeypatch.setattr(permissions, "_of_postfix", lambda setting: [])
    return tmp_path


NAMES: dict[str, dict[int, str]] = {}


def test_a_postfix_as_it_was_installed_gives_no_reason_to_complain(tree: Path) -> None:
    assert permissions.complaints() == []


def test_a_configuration_that_others_may_write_is_told(tree: Path) -> None:
    (tree / "etc/main.cf").chmod(0o666)
    assert permissions.complaints() == [f"group or other writable: {tree}/etc/main.cf"]


def test_a_program_that_hands_in_mail_without_its_group_is_told(tree: Path) -> None:
    (tree / "bin/postdrop").chmod(0o755)
    [told] = permissions.complaints()
    assert told == f"not set-gid or not owner+group+world executable: {tree}/bin/postdrop"


def test_files_of_somebody_else_are_told(tree: Path) -> None:
    NAMES["getpwuid"] = {ME: "mallory"}
    assert f"not owned by root: {tree}/etc/main.cf" in permissions.complaints()


def test_a_queue_of_somebody_else_is_told(tree: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    setting = {
        "data_directory": str(tree / "data"),
        "queue_directory": str(tree / "queue"),
        "mail_owner": "nobody-else",
    }
    assert f"not owned by nobody-else: {tree}/queue/active" in list(permissions._of_postfix(setting))


def test_a_damaged_message_is_told(tree: Path) -> None:
    (tree / "queue/corrupt/4XYZ").write_text("")
    assert permissions.complaints() == [f"damaged message: {tree}/queue/corrupt/4XYZ"]


def test_a_postfix_that_does_not_say_where_it_is_counts_as_a_complaint(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permissions, "attempt", lambda argv: (1, "", "postconf: fatal: open main.cf\n"))
    assert permissions.complaints() == ["postconf: fatal: open main.cf"]
