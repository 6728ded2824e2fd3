"""The way a firewall change is loaded and kept, on a host that only exists in memory."""

import stat
from pathlib import Path

import pytest

from cjsm_connect.remote import common, firewall
from tests.remote.conftest import NEW, OLD, TABLE, Machine


def test_rules_that_nft_refuses_change_nothing(machine: Machine) -> None:
    machine.live = OLD
    with pytest.raises(common.Failed, match="syntax error"):
        firewall.load({**machine.wall, "ruleset": "nonsense"})
    assert machine.live == OLD


def test_confirmed_rules_stay_and_are_loaded_at_boot(machine: Machine) -> None:
    firewall.load(machine.wall)
    found = firewall.confirm(machine.wall)
    assert machine.boot.read_text() == NEW
    assert stat.S_IMODE(machine.boot.stat().st_mode) == 0o600
    assert f'include "{machine.boot}"' in machine.main.read_text()
    assert found == {"boot": firewall.hashlib.sha256(NEW.encode()).hexdigest(), "live_is_boot": True, "enabled": True}


def test_the_nftables_unit_is_enabled_but_never_started_stopped_or_reloaded(machine: Machine) -> None:
    firewall.load(machine.wall)
    firewall.confirm(machine.wall)
    about_unit = [command for command in machine.said if "nftables.service" in command]
    assert {command.split()[1] for command in about_unit} == {"enable", "is-enabled"}


def test_the_file_that_debian_ships_is_replaced(machine: Machine) -> None:
    firewall.load_at_boot(str(machine.boot))
    assert "flush ruleset" not in machine.main.read_text()


def test_tables_that_an_administrator_wrote_are_kept_at_boot(machine: Machine) -> None:
    theirs = "flush ruleset\ntable ip monitoring {\n}\n"
    machine.main.write_text(theirs)
    firewall.load_at_boot(str(machine.boot))
    assert machine.main.read_text() == f'{theirs}include "{machine.boot}"\n'
    firewall.load_at_boot(str(machine.boot))
    assert machine.main.read_text().count("include") == 1


def test_a_listing_that_fails_is_not_taken_for_an_empty_firewall(machine: Machine) -> None:
    machine.live, machine.broken_listing = OLD, True
    with pytest.raises(common.Failed, match="could not list"):
        firewall.keep_way_back(TABLE)


def test_other_rules_than_those_that_were_tried_are_not_kept(machine: Machine) -> None:
    firewall.load(machine.wall)
    machine.live = OLD
    with pytest.raises(common.Failed, match="somebody has changed them"):
        firewall.confirm(machine.wall)
    assert not machine.boot.exists()


def test_live_rules_that_somebody_changed_are_noticed(machine: Machine) -> None:
    firewall.load(machine.wall)
    firewall.confirm(machine.wall)
    machine.live = NEW.replace("22", "23")
    assert firewall.state(machine.wall)["live_is_boot"] is False


def test_what_was_confirmed_and_is_unchanged_is_known_without_loading_it_anywhere(machine: Machine) -> None:
    firewall.load(machine.wall)
    firewall.confirm(machine.wall)
    machine.said.clear()
    assert firewall.state(machine.wall, "enabled") == {
        "boot": firewall.sha256(NEW),
        "live_is_boot": True,
        "enabled": True,
    }
    assert machine.said == [f"{firewall.NFT} -s list table {TABLE}"]


def test_a_boot_file_that_somebody_changed_is_noticed(machine: Machine) -> None:
    firewall.load(machine.wall)
    firewall.confirm(machine.wall)
    machine.boot.write_text(NEW.replace("22", "23"))
    assert firewall.state(machine.wall)["live_is_boot"] is False


def test_without_a_note_of_what_was_confirmed_the_boot_file_is_loaded_to_compare(machine: Machine) -> None:
    firewall.load(machine.wall)
    firewall.confirm(machine.wall)
    Path(firewall.STATE, "confirmed.json").write_text("{}")
    machine.said.clear()
    assert firewall.state(machine.wall)["live_is_boot"] is True
    assert any(command.startswith("unshare --net") for command in machine.said)


@pytest.mark.parametrize(("unit", "expected"), [("enabled", True), ("disabled", False), ("masked", False)])
def test_systemds_word_for_the_unit_is_taken_where_somebody_has_asked(
    machine: Machine, unit: str, expected: bool
) -> None:
    firewall.load(machine.wall)
    firewall.confirm(machine.wall)
    assert firewall.state(machine.wall, unit)["enabled"] is expected


@pytest.mark.parametrize(
    ("main", "loaded"),
    [
        ('include "/etc/nftables.d/cjsm.nft"\n', True),
        ("flush ruleset\ninclude '/etc/nftables.d/*.nft';\n", True),
        ('# include "/etc/nftables.d/cjsm.nft"\n', False),
        ('include "/etc/nftables.d/cjsm.nft"\nflush ruleset\n', False),
        ('include "/etc/nftables.d/other.nft"\n', False),
        ("", False),
    ],
)
def test_boot_loads_the_rules_only_if_they_are_included_and_not_flushed(main: str, loaded: bool) -> None:
    assert firewall.loads(main, "/etc/nftables.d/cjsm.nft") is loaded


def test_a_host_without_nft_has_no_rules_yet(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(common, "attempt", lambda argv, text="", seconds=30: (127, "", "not installed"))
    assert firewall.live(TABLE) == ""
