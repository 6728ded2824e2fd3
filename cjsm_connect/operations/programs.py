"""Desired and Change -> the programs that collect, install, activate and confirm on a host. Pure."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any

from cjsm_connect.desired import Desired, Firewall, Health, Service
from cjsm_connect.desired.change import Change, KeyChange
from cjsm_connect.desired.snapshot import COLLECT, COLLECTOR, map_set, questions, watched
from cjsm_connect.operations.ssh import Program

CONFIRM_SECONDS = 90  # after this long without a fresh connection the host puts its old rules back
INSTALLER = (*COLLECTOR, "generation", "keys", "validate", "staging", "install")
ACTIVATOR = (*COLLECTOR, "generation", "health", "activate")


def collect(desired: Desired) -> Program:
    """One snapshot of a host."""
    return Program(COLLECTOR, COLLECT, questions(desired), seconds=60)


def condition(desired: Desired) -> Program:
    """One snapshot, with the mail that waits and the days that certificates last."""
    return Program((*COLLECTOR, "condition"), "condition:collect", questions(desired), seconds=60)


def packages(change: Change) -> Program:
    """One apt transaction."""
    arguments = {
        "packages": [item.name for item in change.packages],
        "answers": [[item.package, item.question, item.kind, item.value] for item in change.answers],
    }
    return Program(("common", "packages"), "packages:install", arguments, seconds=1800)


def install(change: Change, about: dict[str, Any]) -> Program:
    """One tree: directories, files, maps, keys and certificates, removals; new firewall rules under their timer."""
    arguments = {
        "directories": [asdict(item) for item in change.directories],
        "files": [_file(item.file) for item in change.files],
        "absent": list(change.absent),
        "maps": [asdict(item) for item in change.maps],
        "map_set": map_set(change.maps),
        "keys": [_key(item) for item in change.keys],
        "firewalls": firewalls(change.firewalls),
        "about": about,
    }
    return Program(INSTALLER, "install:install", arguments, seconds=300)


def activate(desired: Desired, installed: bool) -> Program:
    """Services as wanted, then tries on the host; `installed`: go back to the generation before if one fails."""
    arguments = {
        "services": [_service(item, desired) for item in desired.services],
        "health": [_health(item) for item in desired.health],
        "installed": installed,
    }
    return Program(ACTIVATOR, "activate:activate", arguments, seconds=600)


def confirm(desired: Desired) -> Program:
    """Keep the firewall rules that are live; to be run over a connection opened after they were loaded."""
    return Program(
        ("common", "firewall"), "firewall:confirm_all", {"firewalls": firewalls(desired.firewalls)}, seconds=60
    )


def firewalls(walls: tuple[Firewall, ...]) -> list[dict[str, Any]]:
    """Every ruleset with the time it is given to be confirmed."""
    return [asdict(wall) | {"seconds": CONFIRM_SECONDS} for wall in walls]


def _key(item: KeyChange) -> dict[str, Any]:
    """A key; with its certificate only if that is to be installed, so that nothing else is written."""
    return asdict(item.key) | ({} if "certificate" in item.needs else {"certificate": None})


def _file(file: Any) -> dict[str, Any]:
    keys = ("path", "owner", "group", "mode", "secret")
    return {key: getattr(file, key) for key in keys} | {"text": file.content}


def _service(service: Service, desired: Desired) -> dict[str, Any]:
    return asdict(service) | {"watches": watched(service, desired)}


def _health(health: Health) -> dict[str, Any]:
    return {"name": health.name, "probe": health.probe, "arguments": dict(health.arguments)}
