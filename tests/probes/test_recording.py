"""Recordings survive the way to a file and back, and everything else is refused in a sentence."""

from __future__ import annotations

from pathlib import Path

import pytest

from cjsm_connect.probes import recording
from cjsm_connect.results import CjsmError

OBSERVATION = {"version": 1, "started": "s", "ended": "e", "hosts": {}, "tries": {}}


def test_what_was_written_is_read_and_only_its_owner_may(tmp_path: Path) -> None:
    recording.write(tmp_path / "seen.json", OBSERVATION)
    assert recording.read(tmp_path / "seen.json") == OBSERVATION
    assert (tmp_path / "seen.json").stat().st_mode & 0o777 == 0o600


def test_an_existing_file_is_not_replaced(tmp_path: Path) -> None:
    (tmp_path / "seen.json").write_text("precious")
    with pytest.raises(CjsmError, match="expected a new file"):
        recording.write(tmp_path / "seen.json", OBSERVATION)
    assert (tmp_path / "seen.json").read_text() == "precious"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected a file of `cjsm check --record`"),
        ("{", "expected a file of `cjsm check --record`"),
        ("[" * 100_000, "expected a file of `cjsm check --record`"),
        ("[]", "expected an observation of version 1"),
        ('{"version": 2}', "expected an observation of version 1"),
        ('{"version": 1, "started": "", "ended": ""}', "lacks hosts, tries"),
    ],
)
def test_what_is_no_observation_is_refused(tmp_path: Path, text: str, said: str) -> None:
    (tmp_path / "seen.json").write_text(text)
    with pytest.raises(CjsmError, match=said):
        recording.read(tmp_path / "seen.json")


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CjsmError, match="no such file or directory; expected an observation of check --record"):
        recording.read(tmp_path / "missing.json")
