"""Done means settled: what an apply started has run once, or is named with when it is looked at next."""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator
from typing import Any

import click

from cjsm_connect.operations import programs, ssh
from cjsm_connect.organisation import Organisation
from cjsm_connect.verbs._hosts import Subject

LONGEST = 90  # seconds that an apply waits for what it started
SLICE = 10  # seconds of one look, so that somebody who waits sees what for

Rows = list[dict[str, Any]]  # of remote/settling.py


def awaited(organisation: Organisation, found: Iterable[Subject]) -> dict[str, Rows]:
    """Wait until each host is settled, LONGEST at most; returns what is left of it, by host.

    When a host cannot be asked any more nothing else is waited for: the next verb says why.
    """
    subjects = {item.name: item for item in found}
    left = unsettled(subjects.values())
    end = time.monotonic() + LONGEST
    told = ""
    while left and time.monotonic() < end:
        told = _progress(left, told)
        answers = ssh.run_everywhere(
            organisation, list(left), lambda name: programs.settle(subjects[name].desired, SLICE)
        )
        if any(isinstance(rows, ssh.HostError) for rows in answers.values()):
            return left
        left = {name: rows for name, rows in answers.items() if rows}
    return left


def _progress(left: dict[str, Rows], told: str) -> str:
    """Say what is waited for whenever that has changed."""
    text = "; ".join(f"{name}: {', '.join(row['name'] for row in rows)}" for name, rows in left.items())
    if text != told:
        click.echo(f"settling: {text} ...", err=True)
    return text


def unsettled(found: Iterable[Subject]) -> dict[str, Rows]:
    """What the snapshots say is not settled, by host."""
    return {item.name: item.snapshot["unsettled"] for item in found if item.snapshot.get("unsettled")}


def sentences(rows: Rows) -> Iterator[str]:
    """Each in words, with the time of the next look where it is known."""
    for row in rows:
        following = f"; next at {at(row['until'])}" if row["until"] else ""
        yield f"{row['name']}: {row['why']}{following}"


def as_data(row: dict[str, Any]) -> dict[str, str]:
    """One row as plain data; `until` is a time in UTC (RFC 3339), empty when nobody knows."""
    until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(row["until"])) if row["until"] else ""
    return {"name": row["name"], "why": row["why"], "until": until}


def at(seconds: float) -> str:
    """A moment as it is told: 15:02 UTC. The minute is rounded up: by then it has happened."""
    return time.strftime("%H:%M UTC", time.gmtime(seconds + 59))
