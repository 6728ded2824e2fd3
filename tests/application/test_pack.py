"""The pack on disk is whole, private, and never takes away what somebody else put there."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from cjsm_connect.application import pack
from cjsm_connect.application.users import User
from cjsm_connect.results import CjsmError

FILES = {"index.html": b"one", "users.csv": b"two"}


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def test_a_pack_is_there_whole_and_for_its_owner_only(tmp_path: Path) -> None:
    pack.write(tmp_path / "application", FILES)
    assert names(tmp_path) == {"application"}
    assert names(tmp_path / "application") == {*FILES, ".gitignore", ".pack"}
    modes = {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "application").iterdir()}
    assert (stat.S_IMODE((tmp_path / "application").stat().st_mode), modes) == (0o700, {0o600})
    assert (tmp_path / "application/.gitignore").read_text() == "*\n"


def test_the_next_pack_takes_the_place_of_all_of_the_earlier_one(tmp_path: Path) -> None:
    pack.write(tmp_path / "application", FILES)
    pack.write(tmp_path / "application", {"index.html": b"new"})
    assert (tmp_path / "application/index.html").read_bytes() == b"new"
    assert names(tmp_path / "application") == {"index.html", ".gitignore", ".pack"}
    assert names(tmp_path) == {"application"}


def test_what_somebody_put_there_is_named_and_nothing_is_written(tmp_path: Path) -> None:
    pack.write(tmp_path / "application", FILES)
    (tmp_path / "application/signed-sheet.pdf").write_bytes(b"scan")
    with pytest.raises(CjsmError, match=r"signed-sheet\.pdf, which no pack wrote"):
        pack.write(tmp_path / "application", {"index.html": b"new"})
    assert (tmp_path / "application/index.html").read_bytes() == b"one"
    assert (tmp_path / "application/signed-sheet.pdf").read_bytes() == b"scan"


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "documents").mkdir()
    (tmp_path / "documents/thesis.txt").write_text("years")
    with pytest.raises(CjsmError, match="choose --output"):
        pack.write(tmp_path / "documents", FILES)
    assert names(tmp_path / "documents") == {"thesis.txt"}


@pytest.mark.parametrize("kind", ["link", "file"])
def test_neither_a_link_nor_a_file_is_replaced(tmp_path: Path, kind: str) -> None:
    place = tmp_path / "application"
    (tmp_path / "elsewhere").mkdir()
    place.symlink_to(tmp_path / "elsewhere") if kind == "link" else place.write_text("x")
    with pytest.raises(CjsmError, match="expected a folder of its own"):
        pack.write(place, FILES)
    assert names(tmp_path / "elsewhere") == set()


def test_a_disk_that_fails_half_way_leaves_the_earlier_pack(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pack.write(tmp_path / "application", FILES)
    rename = Path.rename

    def failing(source: Path, target: Path) -> Path:
        if target.name == "application" and "earlier" not in source.name:
            raise OSError(28, "No space left on device")
        return rename(source, target)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(CjsmError, match="No space left on device"):
        pack.write(tmp_path / "application", {"index.html": b"new"})
    assert (tmp_path / "application/index.html").read_bytes() == b"one"
    assert names(tmp_path) == {"application"}


def test_a_place_that_cannot_be_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(CjsmError, match="could not be written: No such file"):
        pack.write(tmp_path / "nowhere/application", FILES)


def test_users_come_back_as_they_were_kept(tmp_path: Path) -> None:
    people = (User("a@council.example", 'Å "quoted", and more'), User("b@council.example", "=1+1"))
    data = pack.kept(people, "2026-11-21")
    pack.write(tmp_path / "application", {pack.USERS: data})
    assert pack.earlier(tmp_path / "application") == (people, "2026-11-21", data)


def test_no_earlier_pack_is_an_empty_list_and_a_damaged_one_is_told(tmp_path: Path) -> None:
    assert pack.earlier(tmp_path / "application") == ((), "", b"")
    pack.write(tmp_path / "application", {pack.USERS: b"[]"})
    with pytest.raises(CjsmError, match="Remove it to begin anew"):
        pack.earlier(tmp_path / "application")
