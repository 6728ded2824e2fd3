"""A host in memory and below a temporary folder: nft, systemctl and systemd-run as far as we use them."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from cjsm_connect.remote import collect, common, firewall, lock, once, staging, undo

TABLE = "inet cjsm"
OLD = "table inet cjsm {\n\tchain input { }\n}\n"
NEW = "table inet cjsm {\n\tchain input { tcp dport 22 accept }\n}\n"
STOCK = "#!/usr/sbin/nft -f\n\nflush ruleset\n"


@pytest.fixture(autouse=True)
def another_look(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each test is a look of its own: what programs told in another one is forgotten."""
    monkeypatch.setattr(once, "_ASKED", {})


class Machine:
    """`said` is every command in its order; `time_passes` lets the timer of a pending change run out."""

    def __init__(self, folder: Path) -> None:
        self.main = folder / "nftables.conf"
        self.boot = folder / "nftables.d" / "cjsm.nft"
        self.live = ""
        self.timer: int | None = None
        self.enabled = False
        self.broken_listing = False
        self.refuses: tuple[str, ...] = ()
        self.said: list[str] = []
        self.real = common.attempt

    @property
    def wall(self) -> dict[str, object]:
        return {"table": TABLE, "boot_path": str(self.boot), "ruleset": NEW}

    def attempt(self, argv: list[str], text: str = "", seconds: float = 30) -> tuple[int, str, str]:
        self.said.append(" ".join(argv))
        program = Path(argv[0]).name
        if any(" ".join(argv).startswith(refused) for refused in self.refuses):
            return 1, "", f"{program} was refused"
        programs = {"nft": self.nft, "systemctl": self.systemctl, "systemd-run": self.systemd_run}
        programs |= {"unshare": lambda argv, text: (0, text, ""), "dpkg-query": self.dpkg_query}
        return programs[program](argv, text) if program in programs else self.real(argv, text, seconds)

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
        if argv[1] == "is-enabled":
            return (0, "enabled\n", "") if self.enabled else (1, "disabled\n", "")
        if argv[1] == "stop" and argv[2].startswith(undo.UNIT):
            self.timer = None
        if argv[1] == "enable" and "nftables.service" in argv:
            self.enabled = True
        return 0, "", ""

    def systemd_run(self, argv: list[str], text: str) -> tuple[int, str, str]:
        (when,) = [word for word in argv if word.startswith("--on-active=")]
        self.timer = int(when.removeprefix("--on-active=").removesuffix("s"))
        return 0, "", ""

    def dpkg_query(self, argv: list[str], text: str) -> tuple[int, str, str]:
        return 0, f" {self.main} {hashlib.md5(STOCK.encode(), usedforsecurity=False).hexdigest()}\n", ""

    def time_passes(self) -> None:
        """The host's own timer runs out, if it is running."""
        if self.timer is not None:
            undo.put_back({"why": "nobody confirmed it"})


@pytest.fixture
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Machine:
    """A host's state, staging and programs below a temporary folder."""
    if os.geteuid():
        pytest.skip("needs root: what is installed belongs to others than us")
    made = Machine(tmp_path)
    made.main.write_text(STOCK)
    state = tmp_path / "state"
    monkeypatch.setattr(common, "attempt", made.attempt)
    monkeypatch.setattr(collect, "STATE", str(state))
    monkeypatch.setattr(staging, "mount_point", lambda _path: str(tmp_path))
    monkeypatch.setattr(lock, "PATH", str(state / "lock"))
    monkeypatch.setattr(undo, "UNITS", str(tmp_path / "units"))
    monkeypatch.setattr(firewall, "MAIN", str(made.main))
    monkeypatch.setattr(firewall, "STATE", str(state / "firewall"))
    monkeypatch.setattr(firewall, "UNDO", str(state / "firewall" / "undo.nft"))
    monkeypatch.setattr(firewall, "PENDING", str(state / "undo" / "pending.json"))
    return made
