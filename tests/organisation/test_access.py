"""What is guessed from the bare file is what the judged model says; anything unusual is left to the model."""

import shutil
from pathlib import Path

import pytest

from cjsm_connect.organisation import load
from cjsm_connect.organisation.access import access, ahead

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab"


@pytest.fixture
def folder(tmp_path):
    """The lab's organisation file and those that it refers to; the lab itself need not be up."""
    made = tmp_path / "organisation"
    made.mkdir()
    shutil.copy(LAB / "organisation.toml", made)
    (made / "known_hosts").write_text("192.0.2.1 ssh-ed25519 AAAA\n")
    return made


def altered(folder, old, new):
    file = folder / "organisation.toml"
    assert old in file.read_text()
    file.write_text(file.read_text().replace(old, new))


def judged(folder):
    organisation = load(folder, require_files=False)
    return [access(organisation, host) for host in organisation.hosts if host.managed]


def test_the_guess_is_exactly_what_the_judged_file_says(folder):
    assert ahead(folder) == judged(folder)
    assert len(ahead(folder)) == 3


def test_the_guess_follows_limit(folder):
    name = judged(folder)[0].name
    assert [each.name for each in ahead(folder, [name])] == [name]


def test_a_host_that_is_only_assessed_is_not_connected_to(folder):
    altered(folder, 'release = "trixie"', 'release = "bullseye"')
    assert ahead(folder) == []


def test_without_pinned_host_keys_nothing_is_guessed(folder):
    (folder / "known_hosts").unlink()
    assert ahead(folder) == []


def test_with_an_ssh_config_nothing_is_guessed_because_it_may_name_programs_to_start(folder):
    (folder / "ssh_config").write_text("Host *\n  ProxyCommand touch /tmp/started\n")
    assert ahead(folder) == []


@pytest.mark.parametrize("text", ["", "hosts = 1", "[[hosts]]\nname = 1", "not toml", "hosts = [1]", "\x00"])
def test_what_is_not_an_organisation_file_is_left_for_the_model_to_refuse(folder, text):
    (folder / "organisation.toml").write_text(text)
    assert ahead(folder) == []
