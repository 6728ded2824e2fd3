"""bench: one side-by-side measurement, in a clone."""

from __future__ import annotations

import json
from typing import Any

import click

from cjsm_connect.results import CjsmError


@click.command("bench")
@click.argument("name", type=click.Choice(["apply", "checks"]))
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--lab", default="lab", show_default=True, help="The lab to measure on.")
@click.option(
    "--peers/--no-peers", default=True, help="Also other tools with the same end state or assertions (minutes)."
)
@click.option("--first/--no-first", default=True, help="apply: also the first apply from bare hosts (minutes).")
@click.option("--rounds", type=int, help="Rounds of what is ours, and of the floor.  [default: 9, checks 5]")
@click.option("--peer-rounds", type=int, help="Rounds of other tools.  [default: 3, checks 1]")
@click.option("--first-rounds", type=int, help="apply: rounds of the first apply and of apt alone.  [default: 3]")
@click.pass_obj
def command(rooms: Any, /, name: str, as_json: bool, **asked: Any) -> None:
    """One side-by-side measurement on the lab: medians, and ratios to peers in the same run."""
    if not (rooms.root / "tests").is_dir():
        raise CjsmError("`bench` needs a clone of the repository")
    measured = MEASUREMENTS[name](rooms, {option: value for option, value in asked.items() if value is not None})
    if as_json:
        click.echo(json.dumps(measured, indent=1))
        return
    for row in (*measured["figures"].items(), *measured["ratios"].items()):
        click.echo("{:<36} {}".format(*row))


def _apply(rooms: Any, asked: dict[str, Any]) -> dict[str, Any]:
    from cjsm_connect.bench import apply

    return apply.run(rooms.root, rooms.desired, apply.Options(**asked), say)


def _checks(rooms: Any, asked: dict[str, Any]) -> dict[str, Any]:
    from cjsm_connect.bench import checks

    known = {option: value for option, value in asked.items() if option in checks.Options.__dataclass_fields__}
    return checks.run(rooms.root, checks.Options(**known), say)


MEASUREMENTS = {"apply": _apply, "checks": _checks}


def say(text: str) -> None:
    """Talk goes to standard error."""
    click.echo(f"cjsm: {text}", err=True)
