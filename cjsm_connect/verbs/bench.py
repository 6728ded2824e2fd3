"""bench: one side-by-side measurement, in a clone."""

from __future__ import annotations

import importlib
import json
from typing import Any

import click

from cjsm_connect.results import CjsmError

NAMES = ("apply",)


@click.command("bench")
@click.argument("name", type=click.Choice(NAMES))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--lab", "lab_name", default="lab", show_default=True, help="The lab to measure on.")
@click.pass_obj
def command(rooms: Any, name: str, as_json: bool, lab_name: str) -> None:
    """One side-by-side measurement on the lab: medians, and ratios to peers in the same run."""
    if not (rooms.root / "tests").is_dir():
        raise CjsmError("`bench` needs a clone of the repository")
    measured = importlib.import_module(f"cjsm_connect.bench.{name}").run(rooms.root, lab_name)
    if as_json:
        click.echo(json.dumps(measured, indent=1))
        return
    for row in (*measured["figures"].items(), *measured["ratios"].items()):
        click.echo("{:<28} {}".format(*row))
