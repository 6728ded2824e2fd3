"""What apply and rollback share: pyinfra in a process of its own, one host of each role at a time, and its outcome."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from typing import Any

import click

from cjsm_connect import ending
from cjsm_connect.organisation import Organisation
from cjsm_connect.results import CjsmError

GOES_ON = (
    "What had begun on {} goes on there to its safe end: a change that was not confirmed is put back within {} "
    "seconds, a confirmed one stays. Next: cjsm plan"
)
SHOWN_SECONDS = 0.1  # a step that took less had nothing to do


@dataclass(frozen=True, slots=True)
class Job:
    """Which hosts are changed, as which generation. `to`: back to that one; else what the concerns `only` want."""

    hosts: tuple[str, ...]
    number: int
    snapshots: dict[str, Any] = field(default_factory=dict)
    only: tuple[str, ...] = ()
    to: int = 0


def confirmed_by_operator(question: str, without_terminal: str) -> None:
    """Ask at the terminal.

    Raises:
        CjsmError: the answer is no, or there is no terminal to ask on.
    """
    if not sys.stdin.isatty():
        raise CjsmError(
            f"nothing was changed: there is no terminal to ask on. Read what would change, then: {without_terminal}"
        )
    if not click.confirm(question, err=True):
        raise CjsmError("nothing was changed")


def converged(organisation: Organisation, job: Job, noted: dict[str, Any]) -> dict[str, Any]:
    """Change the hosts, one of each role at a time; stop at the first wave in which one is not well.

    `noted` is what the generations note of it. Returns the outcome of every host that was begun with.
    """
    noted = noted | {"number": job.number, "only": job.only} | ({"rollback_to": job.to} if job.to else {})
    outcome: dict[str, Any] = {}
    for wave in waves(organisation, job.hosts):
        outcome |= one_wave(organisation, wave, job, noted)
        if failures(outcome):
            break
    return outcome


def waves(organisation: Organisation, names: Iterable[str]) -> list[list[str]]:
    """Hosts of different roles go together, those of one role one after another: mail keeps a way that works."""
    by_role: dict[str, list[str]] = {}
    for name in names:
        by_role.setdefault(organisation.host(name).role, []).append(name)
    return [[name for name in group if name] for group in zip_longest(*by_role.values())]


def one_wave(organisation: Organisation, wave: list[str], job: Job, noted: dict[str, Any]) -> dict[str, Any]:
    """Run pyinfra over some hosts; shows its progress, returns the outcome.

    Raises:
        CjsmError: the process ended without one.
    """
    told = {
        "folder": str(organisation.folder),
        "hosts": wave,
        "snapshots": {name: job.snapshots[name] for name in wave if name in job.snapshots},
        "desired": "deploys.connection:desired",
        "only": job.only,
        "to": job.to,
        "about": noted,
    }
    argv = [sys.executable, "-m", "cjsm_connect.operations.run"]
    with (
        ending.saying(GOES_ON.format(", ".join(wave), organisation.policy.confirm_seconds.value)),
        tempfile.TemporaryFile("w+") as said,
        subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=said, text=True) as process,
    ):
        assert process.stdin is not None and process.stdout is not None
        process.stdin.write(json.dumps(told))
        process.stdin.close()
        rows = [row for row in map(shown, process.stdout) if row]
        if not rows or "outcome" not in rows[-1]:
            said.seek(0)
            click.echo(said.read(), err=True)
            raise CjsmError("pyinfra ended without an outcome; run `cjsm plan` to see what was done and what is left")
    outcome = rows[-1]["outcome"]
    assert isinstance(outcome, dict)
    return outcome


def shown(line: str) -> dict[str, Any]:
    """One line of the process: progress goes to standard error, all of it is returned as data."""
    try:
        row: dict[str, Any] = json.loads(line)
    except ValueError:
        return {}
    if row.get("state") == "started":
        click.echo(f"{row['step']} ...", err=True)
    if row.get("seconds", 0) >= SHOWN_SECONDS or row.get("state") == "failed":
        click.echo(f"  {row['host']:<10} {row['state']} ({row['seconds']:.1f} s)", err=True)
    return row


def failures(outcome: dict[str, Any]) -> dict[str, str]:
    """Why a host is not as it should be, by host."""
    return {name: told["failed"] for name, told in outcome.items() if told["failed"]}


def untouched(wanted: Iterable[str], outcome: dict[str, Any]) -> Iterator[str]:
    """Sentences on the hosts that were not begun with, because one before them failed."""
    left = [name for name in wanted if name not in outcome]
    if left and failures(outcome):
        yield f"{', '.join(left)}: not touched, because {', '.join(failures(outcome))} is not well"
