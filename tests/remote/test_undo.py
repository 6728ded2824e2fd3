"""A change that nobody confirms goes back by itself, whole: rules, files, secrets. One that was confirmed stays."""

import stat

import pytest

from cjsm_connect.remote import activate, common, firewall, generation, health, install, undo
from tests.remote.conftest import NEW, OLD, Machine
from tests.remote.test_install import file, wanted

CLAIM = {"token": "one", "who": "test"}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(health, "PATIENCE", 0)


def change(machine: Machine, tmp_path, **other):
    """An install that replaces a file, a secret and the firewall's rules."""
    (tmp_path / "conf").write_text("old\n")
    (tmp_path / "password").write_text("old secret")
    (tmp_path / "password").chmod(0o600)
    files = (file(tmp_path / "conf", "new\n"), file(tmp_path / "password", "new secret", 0o600, secret=True))
    belongs = {"services": [], "health": [], "firewalls": [machine.wall]}
    return install.install(wanted(*files, firewalls=[machine.wall], **({"wanted": belongs} | other)))


def finish(**other):
    return activate.activate({"claim": CLAIM, "installed": True, "services": [], "health": [], **other})


def content(tmp_path):
    return (tmp_path / "conf").read_text(), (tmp_path / "password").read_text()


def test_the_timer_runs_before_anything_is_renamed_or_loaded(machine, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(install, "rename", lambda *_: seen.append((machine.timer, machine.live)))
    machine.live = OLD
    change(machine, tmp_path)
    assert seen == [(90, OLD)]


def test_what_nobody_confirms_goes_back_whole(machine, tmp_path):
    machine.live = OLD
    done = change(machine, tmp_path)
    assert content(tmp_path) == ("new\n", "new secret")
    assert machine.live == NEW
    machine.time_passes()
    assert content(tmp_path) == ("old\n", "old secret")
    assert stat.S_IMODE((tmp_path / "password").stat().st_mode) == 0o600
    assert machine.live == OLD
    assert not machine.boot.exists()
    assert generation.manifest(done["generation"])["state"] == "put back"


def test_the_first_rules_that_nobody_confirms_go_back_to_none(machine, tmp_path):
    change(machine, tmp_path)
    machine.time_passes()
    assert machine.live == ""


def test_what_was_confirmed_and_works_stays_for_good(machine, tmp_path):
    machine.live = OLD
    done = change(machine, tmp_path)
    assert "failed" not in finish()
    machine.time_passes()
    assert content(tmp_path) == ("new\n", "new secret")
    assert machine.live == machine.boot.read_text() == NEW
    assert machine.timer is None
    assert generation.manifest(done["generation"])["state"] == "kept"


def test_no_link_to_a_replaced_secret_outlives_the_change(machine, tmp_path):
    change(machine, tmp_path)
    finish()
    left = [path for path in (tmp_path / "state").rglob("*") if path.is_file() and "secret" in path.read_text()]
    texts = "".join(path.read_text() for path in left)
    assert "old secret" not in texts and "new secret" not in texts


def test_a_try_that_fails_after_the_confirmation_takes_everything_back(machine, tmp_path):
    machine.live = OLD
    machine.boot.parent.mkdir()
    machine.boot.write_text(OLD)
    failing = {"name": "the scanner answers", "probe": "command", "arguments": {"argv": ["false"]}}
    belongs = {"services": [], "health": [failing], "firewalls": [machine.wall]}
    change(machine, tmp_path, wanted=belongs)
    answer = finish()
    assert "the scanner answers" in answer["failed"]
    assert str(tmp_path / "conf") in answer["restored"]
    assert content(tmp_path) == ("old\n", "old secret")
    assert machine.live == machine.boot.read_text() == OLD


def test_a_host_that_got_its_first_firewall_is_not_opened_again_when_a_try_fails(machine, tmp_path):
    failing = {"name": "the scanner answers", "probe": "command", "arguments": {"argv": ["false"]}}
    change(machine, tmp_path, wanted={"services": [], "health": [failing], "firewalls": [machine.wall]})
    assert "failed" in finish()
    assert content(tmp_path) == ("old\n", "old secret")
    assert machine.live == machine.boot.read_text() == NEW


def test_confirming_too_late_says_that_everything_is_back(machine, tmp_path):
    machine.live = OLD
    change(machine, tmp_path)
    machine.time_passes()
    assert "not confirmed in time" in finish()["failed"]
    assert machine.live == OLD


def test_rules_that_cannot_be_loaded_take_the_files_back_at_once(machine, tmp_path, monkeypatch):
    machine.live = OLD

    def refused(_wall):
        raise common.Failed("nft said no")

    monkeypatch.setattr(firewall, "load", refused)
    with pytest.raises(common.Failed, match="nft said no; everything was put back"):
        change(machine, tmp_path)
    assert content(tmp_path) == ("old\n", "old secret")
    assert machine.timer is None


def test_without_a_timer_nothing_is_changed(machine, tmp_path):
    machine.live, machine.refuses = OLD, ("systemd-run",)
    with pytest.raises(common.Failed, match="systemd-run"):
        change(machine, tmp_path)
    assert content(tmp_path) == ("old\n", "old secret")
    assert machine.live == OLD
    assert not undo.pending()


def test_the_next_apply_first_puts_back_what_was_never_confirmed(machine, tmp_path):
    change(machine, tmp_path)
    with pytest.raises(common.Failed, match="put back first; apply again"):
        install.install(wanted(file(tmp_path / "other", "x")))
    assert content(tmp_path) == ("old\n", "old secret")
    assert not (tmp_path / "other").exists()


def test_a_part_that_cannot_go_back_does_not_keep_the_others_from_it(machine, tmp_path):
    machine.live = OLD
    change(machine, tmp_path)
    machine.refuses = (f"{firewall.NFT} -f",)
    answer = undo.put_back({"why": "test"})
    assert content(tmp_path) == ("old\n", "old secret")
    assert any("nft" in problem for problem in answer["problems"])
