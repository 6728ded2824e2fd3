"""status: what differs now from what should be, in words and as JSON."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from typing import Any

import click

from cjsm_connect.desired.condition import attention, certificates, queue, said
from cjsm_connect.desired.drift import Drift, drift
from cjsm_connect.desired.lacking import lacking
from cjsm_connect.desired.planned import SCHEMA
from cjsm_connect.operations import programs
from cjsm_connect.organisation import Organisation
from cjsm_connect.organisation.renewal import undeclared
from cjsm_connect.verbs import _settling
from cjsm_connect.verbs._hosts import Subject, subjects
from cjsm_connect.verbs._organisation import organisation_option
from cjsm_connect.verbs._scope import Scope, scope_options
from cjsm_connect.verbs._terminal import tell

LONGEST = 400  # characters of one sentence; a service of a master.cf can have thousands


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@scope_options
@organisation_option
def command(organisation: Organisation, as_json: bool, scope: Scope) -> None:
    """Is the connection as it should be: drift, mail that waits, days that certificates last.

    Exit code: 0 yes, 1 drift or beyond a threshold of the policy, 2 a host could not be looked at. Whether the hub
    answers is for `check --hub` to say.
    """
    found = subjects(organisation, scope.desired_of, scope.limit, look=programs.condition)
    if as_json:
        click.echo(
            json.dumps(
                {"schema": SCHEMA, "hosts": {item.name: as_data(organisation, item) for item in found}}, indent=1
            )
        )
    else:
        for item in found:
            for line in lines(organisation, item):
                tell(f"{item.name}: {shortened(line)}")
    differs = any(item.change for item in found)
    beyond = any(tuple(attention(organisation, item.desired, item.snapshot)) for item in found)
    click.echo("Next: cjsm plan" if differs else "Next: cjsm check --hub, to see whether the hub answers", err=True)
    sys.exit(2 if any(item.problem for item in found) else int(differs or beyond))


def shortened(line: str) -> str:
    """A sentence that fits a screen; `--json` and `cjsm plan` have all of it."""
    return line if len(line) <= LONGEST else f"{line[:LONGEST]} ... ({len(line)} characters; cjsm plan shows all)"


def lines(organisation: Organisation, item: Subject) -> list[str]:
    """One host's state in sentences."""
    if item.problem:
        return [item.problem]
    told = [str(one) for one in drifted(item)] or ["as wanted"]
    told += [f"attention: {text}" for text in attention(organisation, item.desired, item.snapshot)]
    told += [f"lacking: {text}" for text in lacking(item.desired, item.snapshot)]
    told += [f"waiting: {text}" for text in item.desired.waiting]
    told += [f"not settled yet: {text}" for text in _settling.sentences(item.snapshot["unsettled"])]
    return told + list(said(item.desired, item.snapshot))


def as_data(organisation: Organisation, item: Subject) -> dict[str, Any]:
    """One host's state as plain data (docs/plan.md)."""
    return {
        "problem": item.problem,
        "drift": [asdict(one) for one in drifted(item)],
        "attention": list(attention(organisation, item.desired, item.snapshot)),
        "queue": queue(item.snapshot),
        "certificates": certificates(item.desired, item.snapshot),
        "unknown_keys": undeclared(organisation, item.snapshot.get("condition", {}).get("unknown_keys", ())),
        "refused": item.snapshot.get("condition", {}).get("refused"),
        "lacking": list(lacking(item.desired, item.snapshot)),
        "waiting": list(item.desired.waiting),
        "settling": [_settling.as_data(row) for row in item.snapshot.get("unsettled", ())],
    }


def drifted(item: Subject) -> tuple[Drift, ...]:
    """What differs on one host."""
    return drift(item.desired, item.change, item.snapshot)
