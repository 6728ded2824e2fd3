"""The way a firewall change is loaded, confirmed and undone, on a host that only exists in memory."""

import stat
from pathlib import Path

import pytest

from cjsm_connect.remote import common, firewall

TABLE = "inet cjsm"
OLD = "table inet cjsm {\n\tchain input { }\n}\n"
NEW = "table inet cjsm {\n\tchain input { tcp dport 22 accept }\n}\n"
STOCK = "#!/usr/sbin/nft -f\n\nflush ruleset\n"


class Machine:
    """nft, systemctl and systemd-run as far as the firewall uses them; `said` is every command in its order."""

    def __init__(self, folder: Path) -> None:
        self.main = folder / "nftables.conf"
        self.boot = folder / "nftables.d" / "cjsm.nft"
        self.live = ""
        self.timer: list[str] = []
        self.enabled = False
        self.broken_listing = False
        self.said: list[str] = []

    @property
    def wall(self) -> dict[str, object]:
        return {"table": TABLE, "boot_path": str(self.boot), "ruleset": NEW, "seconds": 30}

    def attempt(self, argv: list[str], text: str = "", seconds: float = 30) -> tuple[int, str, str]:
        self.said.append(" ".join(argv))
        program = Path(argv[0]).name
        return {"nft": self.nft, "systemctl": self.systemctl}.get(program, self.other)(argv, text)

    def nft(self, argv: list[str], text: str) -> tuple[int, str, str]:
        if "list" in argv:
            if self.broken_listing:
                return 1, "", "netlink: Error: cache initialization failed"
            return (0, self.live, "") if self.live else (1, "", "Error: No such file or directory")
        rules = text if argv[-1] == "-" else Path(argv[-1]).read_text()
        if "nonsense" in rules:
            return 1, "", "Error: syntax error"
        if "-c" not in argv:
            self.live = rules.removeprefix(f"table {TABLE}\ndelete table {TABLE}\n")
        return 0, "", ""

    def systemctl(self, argv: list[str], text: str) -> tuple[int, str, str]:
        if argv[1] == "is-active":
            return (0 if self.timer else 3), "", ""
        if argv[1] == "is-enabled":
            return (0, "enabled\n", "") if self.enabled else (1, "disabled\n", "")
        if argv[1] == "stop":
            self.timer = []
        if argv[1] == "enable":
            self.enabled = True
        return 0, "", ""

    def other(self, argv: list[str], text: str) -> tuple[int, str, str]:
        if argv[0] == "systemd-run":
            self.timer = argv[argv.index(firewall.NFT) :]
        if argv[0] == "unshare":
            return 0, text, ""
        if argv[0] == "dpkg-query":
            return 0, f" {self.main} {firewall.hashlib.md5(STOCK.encode()).hexdigest()}\n", ""
        return 0, "", ""

    def time_passes(self) -> None:
        """The dead man's timer runs what it was told to."""
        command, self.timer = self.timer, []
        self.nft(command, "")


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    made = Machine(tmp_path)
    made.main.write_text(STOCK)
    monkeypatch.setattr(common, "attempt", made.attempt)
    monkeypatch.setattr(firewall, "MAIN", str(made.main))
    monkeypatch.setattr(firewall, "STATE", str(tmp_path / "state"))
    monkeypatch.setattr(firewall, "UNDO", str(tmp_path / "state" / "undo.nft"))
    return made


def test_the_host_is_armed_to_undo_before_new_rules_are_live(machine: Machine) -> None:
    machine.live = OLD
    firewall.load(machine.wall)
    armed = next(i for i, command in enumerate(machine.said) if command.startswith("systemd-run"))
    loaded = machine.said.index(f"{firewall.NFT} -f -")
    assert armed < loaded
    assert machine.live == NEW


def test_rules_that_nobody_confirms_are_undone_by_the_host_itself(machine: Machine) -> None:
    machine.live = OLD
    firewall.load(machine.wall)
    machine.time_passes()
    assert machine.live == OLD
    assert not machine.boot.exists(), "the boot file is written only after confirmation"


def test_the_first_rules_of_a_host_are_undone_to_none(machine: Machine) -> None:
    firewall.load(machine.wall)
    machine.time_passes()
    assert machine.live == ""


def test_rules_that_nft_refuses_change_nothing(machine: Machine) -> None:
    machine.live = OLD
    with pytest.raises(common.Failed, match="syntax error"):
        firewall.load({**machine.wall, "ruleset": "nonsense"})
    assert machine.live == OLD
    assert not machine.timer


def test_a_listing_that_fails_is_not_taken_for_an_empty_firewall(machine: Machine) -> None:
    machine.live, machine.broken_listing = OLD, True
    with pytest.raises(common.Failed, match="could not list"):
        firewall.load(machine.wall)
    assert machine.live == OLD
    assert not machine.timer


def test_confirmed_rules_stay_and_are_loaded_at_boot(machine: Machine) -> None:
    firewall.load(machine.wall)
    found = firewall.confirm(machine.wall)
    assert not machine.timer
    assert machine.boot.read_text() == NEW
    assert stat.S_IMODE(machine.boot.stat().st_mode) == 0o600
    assert f'include "{machine.boot}"' in machine.main.read_text()
    assert found == {"boot": firewall.hashlib.sha256(NEW.encode()).hexdigest(), "live_is_boot": True, "enabled": True}


def test_the_nftables_unit_is_enabled_but_never_started_stopped_or_reloaded(machine: Machine) -> None:
    firewall.load(machine.wall)
    firewall.confirm(machine.wall)
    about_unit = [command for command in machine.said if "nftables.service" in command]
    assert {command.split()[1] for command in about_unit} == {"enable", "is-enabled"}


def test_confirming_too_late_says_that_the_old_rules_are_back(machine: Machine) -> None:
    machine.live = OLD
    firewall.load(machine.wall)
    machine.time_passes()
    with pytest.raises(common.Failed, match="not confirmed in time"):
        firewall.confirm(machine.wall)
    assert machine.live == OLD
    assert not machine.boot.exists()


def test_a_run_that_died_before_confirming_leaves_the_way_back_to_the_confirmed_rules(machine: Machine) -> None:
    machine.live = OLD
    firewall.load({**machine.wall, "ruleset": "table inet cjsm { wrong }\n"})
    firewall.load(machine.wall)
    machine.time_passes()
    assert machine.live == OLD


def test_undo_after_confirmation_changes_nothing(machine: Machine) -> None:
    machine.live = OLD
    firewall.load(machine.wall)
    firewall.confirm(machine.wall)
    assert firewall.undo(machine.wall)["undone"] is False
    assert machine.live == NEW


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


def test_live_rules_that_somebody_changed_are_noticed(machine: Machine) -> None:
    firewall.load(machine.wall)
    firewall.confirm(machine.wall)
    machine.live = NEW.replace("22", "23")
    assert firewall.state(machine.wall)["live_is_boot"] is False


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
