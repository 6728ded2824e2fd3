"""The hosts of one lab by name: how many relays it has is decided when it starts, and remembered until it ends."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from cjsm_connect.lab.entry import LABS
from cjsm_connect.lab.machine import write
from cjsm_connect.lab.topology import MADE_BY_US, Host, checked_relays, checked_scenario, hosts_with
from cjsm_connect.results import CjsmError


def relays(lab: str) -> int:
    """The number of relays of a lab; one where none was started."""
    kept = _place(lab)
    return int(kept.read_text()) if kept.exists() else 1


def scenario(lab: str) -> str:
    """The scenario that a lab was started with."""
    kept = LABS / lab / "scenario"
    return kept.read_text().strip() if kept.exists() else MADE_BY_US


def remember(lab: str, number: int, scenario: str = MADE_BY_US) -> None:
    """Keep what a lab consists of beside everything else of it, so that it goes with it."""
    write(_place(lab), f"{checked_relays(number)}\n")
    write(LABS / lab / "scenario", f"{checked_scenario(scenario)}\n")


def named(lab: str) -> dict[str, Host]:
    """Every host of a lab by its name."""
    return hosts_with(relays(lab), scenario(lab))


def members(lab: str) -> list[Host]:
    """Every host of a lab."""
    return list(named(lab).values())


def chosen(lab: str, names: Sequence[str]) -> list[Host]:
    """The hosts of these names, all of them for none."""
    known = named(lab)
    unknown = [name for name in names if name not in known]
    if unknown:
        raise CjsmError(f"the lab has no host '{unknown[0]}'; its hosts are {', '.join(known)}.")
    return [known[name] for name in names] if names else list(known.values())


def _place(lab: str) -> Path:
    return LABS / lab / "relays"
