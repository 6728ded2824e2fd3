"""lab fault: break a lab host in one way, to see that the checks notice it."""

from __future__ import annotations

import difflib
import json
import subprocess
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cjsm_connect.lab import entry
from cjsm_connect.results import CjsmError

if TYPE_CHECKING:
    from cjsm_connect.lab import Lab
    from faults import Fault, Patient


@click.command("fault")
@click.argument("fault_name", metavar="[NAME]", default="")
@click.option("--lab", "lab_name", default=entry.DEFAULT, show_default=True, help="The lab's name.")
@click.option("--host", default="", help="The host to break or to put back; else the one that the fault is made for.")
@click.option("--list", "listed", is_flag=True, help="Show the faults and the requirement that each must violate.")
@click.option("--undo", is_flag=True, help="Put the host back to its healthy state.")
@click.option("--json", "as_json", is_flag=True, help="With --list: one JSON array on standard output.")
def fault_command(  # noqa: PLR0913 - one parameter for each option
    *, fault_name: str, lab_name: str, host: str, listed: bool, undo: bool, as_json: bool
) -> None:
    """Break a lab host in one way: cjsm lab fault antivirus.scanner-down

    Refuses any host that does not carry the lab's marker.
    """
    from faults import ORGANISATION, every_fault

    faults = every_fault()
    if listed or not (fault_name or undo):
        _show(list(faults.values()), as_json)
        return
    target = host or named(faults, fault_name).host
    if undo:
        _undo(lab_name, target)
        return
    chosen = named(faults, fault_name)
    _break(lab_name, chosen, target)
    check = f"cjsm check --org {entry.mistaken_folder(lab_name)}" if target == ORGANISATION else "cjsm check"
    back = f"cjsm lab fault --undo {chosen.id}" + ("" if lab_name == entry.DEFAULT else f" --lab {lab_name}")
    click.echo(f"now {chosen.violates} must fail. Next: {check}; then {back}", err=True)


def named(faults: dict[str, Fault], name: str) -> Fault:
    """The fault of this name.

    Raises:
        CjsmError: there is none.
    """
    if name in faults:
        return faults[name]
    near = difflib.get_close_matches(name, faults, n=1)
    hint = f"; did you mean {near[0]}?" if near else "; see: cjsm lab fault --list"
    raise CjsmError(f"expected the name of a fault, found {name!r}{hint}")


def _break(lab_name: str, chosen: Fault, host: str) -> None:
    from faults import inflict

    inflict(chosen, patient(_laboratory(lab_name), host))
    click.echo(f"{chosen.id} on {host}: {chosen.story}", err=True)


def patient(lab: Lab, host: str) -> Patient:
    """A host of the lab as faults break it, or a copy of what describes the lab."""
    from cjsm_connect.lab.laboratory import MISTAKEN
    from faults import ORGANISATION, Patient

    if host == ORGANISATION:
        return Patient(host, partial(_on_files, lab.mistake()), marker=MISTAKEN)
    return Patient(host, partial(lab.exec, host), lab.certify)


def _on_files(folder: Path, argv: Sequence[str], text: str | None) -> subprocess.CompletedProcess[str]:
    """What faults do to files, in the folder of a copy."""
    return subprocess.run(list(argv), cwd=folder, input=text, capture_output=True, text=True, check=False)


def _undo(lab_name: str, host: str) -> None:
    from faults import ORGANISATION

    if host == ORGANISATION:
        _laboratory(lab_name).correct()
        click.echo("the copy of the organisation file is gone; the lab's own was never changed.", err=True)
        return
    _laboratory(lab_name).reset([host])
    click.echo(f"{host} is back in its healthy state. Next: cjsm check", err=True)


def _laboratory(lab_name: str) -> Any:
    from cjsm_connect.lab import Lab

    laboratory = Lab(lab_name, say=lambda text: click.echo(text, err=True))
    if not laboratory.running():
        raise CjsmError(f"the lab '{lab_name}' is not running. Start it: cjsm lab up")
    return laboratory


def _show(faults: list[Fault], as_json: bool) -> None:
    if as_json:
        rows = [
            {"fault": one.id, "host": one.host, "requirement": one.violates, "tier": one.tier, "story": one.story}
            for one in faults
        ]
        click.echo(json.dumps(rows, indent=1))
        return
    for one in faults:
        click.echo(f"{one.id:<40} {one.host:<9} {one.violates}{'  (vm: ./cjsm test vm)' * (one.tier == 'vm')}")
        click.echo(f"    {one.story}")
    click.echo("Next: cjsm lab fault NAME", err=True)
