"""Reading the folder: the file or its folder, what lies beside it, and what cannot be read."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cjsm_connect.organisation import OrganisationError, load, read, secret
from cjsm_connect.results import CjsmError
from tests.made_up import ROOT

from .mistaken import EXAMPLE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(EXAMPLE, tmp_path / "council"))


def test_a_folder_and_the_file_in_it_are_the_same_organisation(folder: Path) -> None:
    assert load(folder) == load(folder / "organisation.toml")
    assert load(folder).folder == folder


def test_a_relative_path_gives_absolute_paths(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert load(Path()).hub.ca_file == folder / "hub/ca.pem"


@pytest.mark.parametrize("name", ["ssh_config", "known_hosts"])
def test_ssh_files_beside_the_organisation_are_found(folder: Path, name: str) -> None:
    assert getattr(load(folder), name) is None
    (folder / name).write_text("")
    assert getattr(load(folder), name) == folder / name


def test_certificates_handed_back_are_read(folder: Path) -> None:
    shutil.copy(folder / "hub/ca.pem", folder / "hub/relay.pem")
    (folder / "certificates").mkdir()
    (folder / "hub/relay.pem").rename(folder / "certificates/relay-inner.pem")
    organisation = load(folder)
    assert organisation.certificate("relay") is None
    assert "BEGIN CERTIFICATE" in str(organisation.certificate("relay", "inner"))


def test_a_byte_order_mark_and_windows_lines_do_no_harm(folder: Path) -> None:
    file, plain = folder / "organisation.toml", load(folder)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().replace(b"\n", b"\r\n"))
    assert load(folder).digest == plain.digest


def test_the_digest_is_the_same_wherever_the_folder_lies(folder: Path) -> None:
    assert load(folder).digest == load(EXAMPLE).digest


def test_a_missing_file_is_told_with_what_makes_one(tmp_path: Path) -> None:
    with pytest.raises(OrganisationError, match=r"no such file or directory; expected .* copy inventories/example"):
        load(tmp_path / "nowhere.toml")


def test_a_file_that_is_not_text_is_told_with_the_byte(folder: Path) -> None:
    (folder / "organisation.toml").write_bytes(b"schema = 1 # \xff\n")
    with pytest.raises(OrganisationError, match="found byte 13 is not UTF-8"):
        load(folder)


def test_a_syntax_error_is_told_with_its_line(folder: Path) -> None:
    (folder / "organisation.toml").write_text("schema = 1\n[organisation\n")
    with pytest.raises(OrganisationError, match=r"organisation\.toml: line 2, column 14: found Expected"):
        load(folder)


def test_files_may_be_missing_while_a_draft_is_looked_at(folder: Path) -> None:
    shutil.rmtree(folder / "hub")
    with pytest.raises(OrganisationError, match=r"hub/ca\.pem"):
        load(folder)
    assert load(folder, require_files=False).hub.fingerprints == ()


def test_a_draft_gives_what_is_valid_beside_what_is_not(folder: Path) -> None:
    file = folder / "organisation.toml"
    file.write_text(file.read_text().replace("port = 4545\nmode", "mode"))
    draft = read(folder)
    assert draft.sections["hub"] is None
    assert draft.sections["organisation"].name == "Example Borough Council"
    assert [problem.key for problem in draft.problems] == ["hub.port"]


def test_an_empty_file_lists_everything_that_is_needed(tmp_path: Path) -> None:
    (tmp_path / "organisation.toml").write_text("")
    keys = {problem.key for problem in read(tmp_path).problems}
    assert {"schema", "organisation", "contacts", "domains", "recipients", "mail", "estate", "hub"} <= keys


def test_a_secret_comes_from_the_environment_or_a_file(folder: Path) -> None:
    (folder / "password").write_text("correct horse\n")
    assert secret("env:HUB", folder, {"HUB": "battery"}) == "battery"
    assert secret("file:password", folder, {}) == "correct horse"


def test_reading_loads_nothing_heavy() -> None:
    """It is on the way of every `apply` that has nothing to do."""
    heavy = ("cryptography", "email_validator", "gevent", "jinja2", "paramiko", "pyinfra", "pytest", "rich")
    program = (
        "import sys, pathlib; from cjsm_connect.organisation import load; load(pathlib.Path(sys.argv[1]));"
        f"print([name for name in {heavy} if name in sys.modules])"
    )
    argv = [sys.executable, "-c", program, str(EXAMPLE)]
    done = subprocess.run(argv, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_a_list_of_twelve_thousand_domains_is_read(folder: Path) -> None:
    names = [f"d{number}.example.org" for number in range(12_000)]
    (folder / "domains.txt").write_text("\n".join(["example.org", *names]))
    assert len(load(folder).domains.names) == 12_001


@pytest.mark.parametrize("reference", ["env:HUB", "file:password"])
def test_a_secret_that_is_not_there_is_told_by_its_place(folder: Path, reference: str) -> None:
    with pytest.raises(CjsmError, match=reference.partition(":")[2]):
        secret(reference, folder, {})
