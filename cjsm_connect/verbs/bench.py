"""bench: one side-by-side measurement, in a clone."""

from __future__ import annotations

import importlib
import json
from typing import Any

import click

NAMES = ("apply", "first", "checks", "review", "probe", "scan")


@click.command("bench")
@click.argument("name", type=click.Choice(NAMES))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--lab", default="lab", show_default=True, help="The lab to measure on.")
@click.option("--relays", type=int, help="checks: make the lab for it, with so many relays, and end it afterwards.")
@click.option(
    "--peers/--no-peers", default=True, help="Also other tools with the same end state or assertions (minutes)."
)
@click.option("--tries/--no-tries", default=True, help="checks: also the full check, with its live tries.")
@click.option("--first/--no-first", default=True, help="apply: also the first apply from bare hosts (minutes).")
@click.option("--number", type=int, help="review, probe: so many bundles or targets.  [default: 1000]")
@click.option("--rounds", type=int, help="Rounds of what is ours, and of the floor.  [default: 9, checks 5, others 3]")
@click.option("--peer-rounds", type=int, help="Rounds of other tools.  [default: 3, checks 1]")
@click.option("--first-rounds", type=int, help="apply: rounds of the first apply and of apt alone.  [default: 3]")
@click.pass_obj
def command(rooms: Any, /, name: str, as_json: bool, **asked: Any) -> None:
    """One measurement: medians, and ratios to peers in the same run.

    `apply`, `first`, `checks` and `scan` need a lab, `review` a bundle of one.
    """
    module = importlib.import_module(f"cjsm_connect.bench.{name}")
    known = {option: asked[option] for option in module.Options.__dataclass_fields__ if asked.get(option) is not None}
    measured = module.run(rooms, module.Options(**known), say)
    if as_json:
        click.echo(json.dumps(measured, indent=1))
        return
    for row in (*measured["figures"].items(), *measured["ratios"].items()):
        click.echo("{:<36} {}".format(*row))


def say(text: str) -> None:
    """Talk goes to standard error."""
    click.echo(f"cjsm: {text}", err=True)
