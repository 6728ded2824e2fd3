"""lab matrix: every fault against the checks. A fault that no check notices means that a check is blind."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from dataclasses import asdict, dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cjsm_connect.lab import entry
from cjsm_connect.results import CjsmError, Status

if TYPE_CHECKING:
    from cjsm_connect.lab import Lab
    from faults import Fault

ACCUSED = (Status.FAIL, Status.WARN, Status.ERROR)


@dataclass(frozen=True)
class Row:
    """What the checks made of one fault. `also_accused`: requirements that the fault gives no reason for."""

    fault: str
    host: str
    requirement: str
    found: bool
    also_accused: tuple[str, ...]
    seconds: float
    problem: str = ""  # why the fault could not be made, or the checks not run

    @property
    def right(self) -> bool:
        """The right requirement was named, and no other."""
        return self.found and not self.also_accused and not self.problem


@click.command("matrix")
@click.argument("only", nargs=-1, metavar="[FAULT...]")
@click.option("--lab", "lab_name", default=entry.DEFAULT, show_default=True, help="The lab's name.")
@click.option("--json", "as_json", is_flag=True, help="One JSON array on standard output.")
def matrix_command(only: tuple[str, ...], lab_name: str, as_json: bool) -> None:
    """Make every fault (or those whose names begin with FAULT) and see whether the checks name it.

    What is accused on the healthy lab too is said, and left out of account.

    Exit code: 0 each fault was named and nothing else accused, 1 otherwise, 2 the checks could not run.
    """
    from cjsm_connect.lab import Lab, healthy

    lab = Lab(lab_name, say=lambda text: click.echo(text, err=True))
    healthy.ensure(lab)
    known = frozenset(accused(lab))
    if known:
        click.echo(f"accused without any fault: {', '.join(sorted(known))}", err=True)
    rows = []
    for row in matrix(lab, chosen(only), known):
        rows.append(row)
        click.echo(described(row), err=as_json)
    if as_json:
        click.echo(json.dumps([asdict(row) for row in rows], indent=1))
    wrong = [row for row in rows if not row.right]
    click.echo(f"{len(rows) - len(wrong)} of {len(rows)} faults were named, and nothing else was accused", err=True)
    sys.exit(bool(wrong))


def chosen(only: Collection[str]) -> list[Fault]:
    """The faults whose names begin with one of these words; all for none.

    Raises:
        CjsmError: there are none.
    """
    from faults import every_fault

    found = [one for one in every_fault().values() if not only or one.id.startswith(tuple(only))]
    if not found:
        raise CjsmError(
            f"expected the beginning of a fault's name, found {', '.join(only)}; see: cjsm lab fault --list"
        )
    return found


def matrix(lab: Lab, faults: Collection[Fault], known: Collection[str]) -> Iterator[Row]:
    """One row for each fault, from a host that is healthy again each time. `known` is accused without any fault."""
    for fault in faults:
        started = time.monotonic()
        try:
            names, problem = _noticed(lab, fault), ""
        except CjsmError as error:
            names, problem = set(), str(error)
        finally:
            lab.reset([fault.host])
        yield judged(fault, names - set(known), time.monotonic() - started, problem)


def judged(fault: Fault, names: Collection[str], seconds: float, problem: str = "") -> Row:
    """The row for a fault when these requirements were accused."""
    others = sorted(set(names) - {fault.violates, *fault.entails})
    found = fault.violates in names
    return Row(fault.id, fault.host, fault.violates, found, tuple(others), round(seconds, 1), problem)


def _noticed(lab: Lab, fault: Fault) -> set[str]:
    from faults import Patient, inflict

    inflict(fault, Patient(fault.host, partial(lab.exec, fault.host)))
    return accused(lab)


def accused(lab: Lab) -> set[str]:
    """The requirements that the checks say are not met.

    Raises:
        CjsmError: the checks did not run.
    """
    from cjsm_connect.lab import healthy

    done = healthy.verb(lab, "check", "--json")
    try:
        results: list[Mapping[str, Any]] = json.loads(done.stdout)["results"]
    except ValueError as error:
        raise CjsmError(f"cjsm check gave no results: {done.stderr.strip()[-400:]}") from error
    return {one["requirement"] for one in results if one["status"] in ACCUSED}


def described(row: Row) -> str:
    """One line for people."""
    word = click.style("named ", fg="green") if row.found else click.style("MISSED", fg="red", bold=True)
    others = f"  also accused: {', '.join(row.also_accused)}" if row.also_accused else ""
    problem = f"  {row.problem}" if row.problem else ""
    return f"{word}  {row.fault} on {row.host}: {row.requirement} ({row.seconds} s){others}{problem}"
