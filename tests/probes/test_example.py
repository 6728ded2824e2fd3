"""What of an organisation's folder is still the example's, read from files."""

from __future__ import annotations

import shutil
from pathlib import Path

from cjsm_connect.probes.example import EXAMPLE, left_over, unmade


def test_in_a_copy_nobody_has_made_any_declaration(tmp_path: Path) -> None:
    shutil.copytree(EXAMPLE, tmp_path / "council")
    assert len(unmade(tmp_path / "council")) == 15
    assert {"hub/ca.pem", "organisation.toml"} <= {one.file for one in left_over(tmp_path / "council")}


def test_what_has_an_owner_of_its_own_was_made(tmp_path: Path) -> None:
    text = (EXAMPLE / "organisation.toml").read_text()
    first = text.index("[[declarations]]")
    (tmp_path / "organisation.toml").write_text(
        text[:first] + text[first:].replace("owner =", "owner = 'R. Real' #", 1)
    )
    assert len(unmade(tmp_path)) == 14


def test_without_a_folder_there_is_nothing_of_the_examples(tmp_path: Path) -> None:
    assert unmade(tmp_path / "nowhere") == [] and left_over(tmp_path / "nowhere") == ()
