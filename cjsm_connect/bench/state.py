"""What our apply makes of the hosts, as plain files and rows that other tools can be given; and its digest.

The digest is read by programs of the host itself, through the lab and not over SSH: by another way than any tool.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from cjsm_connect.desired import Desired
from cjsm_connect.desired.snapshot import MAPS
from cjsm_connect.lab import Lab
from cjsm_connect.organisation import Organisation
from cjsm_connect.remote.firewall import MAIN
from cjsm_connect.results import CjsmError

State = dict[str, Any]

_OF_FILES = 'for path; do stat -L -c "%n %F %U %G %a" "$path"; test ! -f "$path" || sha256sum "$path"; done'
_OF_UNITS = 'for unit; do echo "$unit $(systemctl is-active "$unit") $(systemctl is-enabled "$unit")"; done'


def states(lab: Lab, organisation: Organisation, desired_of: Callable[..., Desired], folder: Path) -> dict[str, State]:
    """The state of every managed host; the files' contents are written below `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    return {
        host.name: of_host(lab, host.name, desired_of(organisation, host), folder / host.name)
        for host in organisation.hosts
        if host.managed
    }


def of_host(lab: Lab, host: str, desired: Desired, folder: Path) -> State:
    """One host's rows. Content comes from Desired; where we lay settings over a file, and for lookup tables, from the
    host as our apply has left it."""
    folder.mkdir()
    rendered = {file.path: file.content for file in desired.files}
    rendered |= {wall.boot_path: wall.ruleset for wall in desired.firewalls}
    merged = [item.path for item in desired.settings] + ([MAIN] if desired.firewalls else [])
    rendered |= {path: ran(lab, host, "cat", path) for path in merged}
    tables = [f"{MAPS}/{table.name}" for table in desired.maps]
    return {
        "packages": [package.name for package in desired.packages],
        "directories": [{"path": item.path, **owned(lab, host, item.path)} for item in desired.directories],
        "files": [row(lab, host, path, text, folder) for path, text in rendered.items()],
        "absent": [item.path for item in desired.absent],
        "tables": [row(lab, host, path, ran(lab, host, "cat", path), folder) for path in tables],
        "compiled": [f"{MAPS}/{table.name}" for table in desired.maps if table.kind == "lmdb"],
        "rules": [wall.boot_path for wall in desired.firewalls],
        "units": [unit(lab, host, service.unit, service.running) for service in desired.services],
    }


def row(lab: Lab, host: str, path: str, text: str, folder: Path) -> dict[str, Any]:
    """One file: where it goes, whose it is, and where its content lies for the tool that is to put it there."""
    source = folder / hashlib.sha256(path.encode()).hexdigest()[:16]
    source.write_text(text, encoding="utf-8")
    return {"path": path, "source": str(source), **owned(lab, host, path)}


def owned(lab: Lab, host: str, path: str) -> dict[str, str]:
    """Owner, group and mode of a path as our apply has left it."""
    owner, group, mode = ran(lab, host, "stat", "-L", "-c", "%U %G %a", path).split()
    return {"owner": owner, "group": group, "mode": f"0{mode}"}


def unit(lab: Lab, host: str, name: str, running: bool) -> dict[str, Any]:
    """One unit; `enabled` is None where systemd has nothing to enable (static units)."""
    word = lab.exec(host, ["systemctl", "is-enabled", name]).stdout.strip()
    return {"unit": name, "running": running, "enabled": {"enabled": True, "disabled": False}.get(word)}


def digests(lab: Lab, states: dict[str, State]) -> dict[str, str]:
    """One digest a host over packages, directories, files, compiled tables, units and live rules."""
    return {host: digest(lab, host, state) for host, state in states.items()}


def digest(lab: Lab, host: str, state: State) -> str:
    """SHA-256 over everything that the tools are to bring about on one host."""
    paths = [item["path"] for key in ("directories", "files", "tables") for item in state[key]]
    paths += [f"{path}.lmdb" for path in state["compiled"]]
    content = hashlib.sha256()
    content.update(ran(lab, host, "dpkg-query", "-W", *state["packages"]).encode())
    content.update(ran(lab, host, "sh", "-c", _OF_FILES, "sh", *paths).encode())
    content.update(ran(lab, host, "sh", "-c", _OF_UNITS, "sh", *(item["unit"] for item in state["units"])).encode())
    content.update(ran(lab, host, "nft", "-s", "list", "ruleset").encode() if state["rules"] else b"")
    there = [path for path in state["absent"] if not lab.exec(host, ["test", "-e", path]).returncode]
    content.update(json.dumps(there).encode())
    return content.hexdigest()


def spoil(lab: Lab, states: dict[str, State]) -> None:
    """Change every file's content and owner's mode on every host, and stop a unit: something to put right."""
    for host, state in states.items():
        paths = [item["path"] for item in state["files"] if item["path"] not in (*state["rules"], MAIN)]
        script = 'for path; do echo "# spoilt" >> "$path"; chmod 0640 "$path"; done'
        ran(lab, host, "sh", "-c", script, "sh", *paths)
        ran(lab, host, "systemctl", "stop", first_running(state["units"]))


def first_running(units: Iterable[dict[str, Any]]) -> str:
    """A timer that runs: stopping it stops nothing else."""
    return str(next(item["unit"] for item in units if item["running"] and item["unit"].endswith(".timer")))


def ran(lab: Lab, host: str, *argv: str) -> str:
    """What a program of the host printed.

    Raises:
        CjsmError: it ended with an error.
    """
    done = lab.exec(host, argv)
    if done.returncode and argv[:2] != ("sh", "-c"):
        raise CjsmError(f"{host}: {' '.join(argv)[:200]} ended with {done.returncode}: {done.stderr.strip()[-300:]}")
    return done.stdout
