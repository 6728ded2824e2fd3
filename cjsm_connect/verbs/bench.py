"""bench: one side-by-side measurement, in a clone."""

from __future__ import annotations

import json
from typing import Any

import click

from cjsm_connect.results import CjsmError

NAMES = ("apply",)


@click.command("bench")
@click.argument("name", type=click.Choice(NAMES))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--lab", default="lab", show_default=True, help="The lab to measure on.")
@click.option("--peers/--no-peers", default=True, help="Also other tools with the same end state (minutes).")
@click.option("--first/--no-first", default=True, help="Also the first apply from bare hosts (minutes).")
@click.option("--rounds", default=9, show_default=True, help="Rounds of the no-op and the floor.")
@click.option("--peer-rounds", default=3, show_default=True, help="Rounds of the other tools' no-op.")
@click.option("--first-rounds", default=3, show_default=True, help="Rounds of the first apply and of apt alone.")
@click.pass_obj
def command(rooms: Any, /, name: str, as_json: bool, **asked: Any) -> None:
    """One side-by-side measurement on the lab: medians, and ratios to peers in the same run."""
    from cjsm_connect.bench import apply

    if not (rooms.root / "tests").is_dir():
        raise CjsmError("`bench` needs a clone of the repository")
    measured = apply.run(rooms.root, rooms.desired, apply.Options(**asked), say)
    if as_json:
        click.echo(json.dumps(measured, indent=1))
        return
    for row in (*measured["figures"].items(), *measured["ratios"].items()):
        click.echo("{:<36} {}".format(*row))


def say(text: str) -> None:
    """Talk goes to standard error."""
    click.echo(f"cjsm: {text}", err=True)
