"""status: what differs now from what should be, in words and as JSON."""

from __future__ import annotations

import json
import sys

import click

from cjsm_connect.organisation import Organisation
from cjsm_connect.verbs._hosts import subjects
from cjsm_connect.verbs._organisation import organisation_option
from cjsm_connect.verbs._scope import Scope, scope_options
from cjsm_connect.verbs.plan import as_data, exit_code, steps


@click.command("status")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@scope_options
@organisation_option
def command(organisation: Organisation, as_json: bool, scope: Scope) -> None:
    """Has any host drifted from what the organisation file says?

    Exit code: 0 no, 1 drift, 2 a host could not be looked at.
    """
    found = subjects(organisation, scope.desired_of, scope.limit)
    if as_json:
        click.echo(json.dumps({"hosts": {item.name: as_data(item) for item in found}}, indent=1))
    else:
        for item in found:
            words = [item.problem] if item.problem else [f"drift: {step}" for step in steps(item.change)]
            for word in words or ["as wanted"]:
                click.echo(f"{item.name}: {word}")
    click.echo("Next: cjsm plan" if exit_code(found) else "Next: cjsm check", err=True)
    sys.exit(exit_code(found))
