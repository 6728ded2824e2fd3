"""history: the generations of every host, with what each replaced."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from cjsm_connect.operations import programs, ssh
from cjsm_connect.organisation import Organisation
from cjsm_connect.results import CjsmError
from cjsm_connect.verbs._hosts import limited
from cjsm_connect.verbs._organisation import organisation_option
from cjsm_connect.verbs._terminal import tell

Generation = dict[str, Any]


@click.command("history")
@click.argument("number", type=click.IntRange(1), required=False)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output, with all differences.")
@click.option("--limit", multiple=True, metavar="HOST", help="Only this host; may be given more than once.")
@organisation_option
def command(organisation: Organisation, number: int | None, as_json: bool, limit: tuple[str, ...]) -> None:
    """The generations that applies have left on the hosts, the newest first; NUMBER: one with its differences.

    Exit code: 0 told, 2 a host could not be looked at, or there is no such generation.
    """
    found, problems = generations(organisation, limited(organisation, limit))
    if number is not None:
        found = {name: [one for one in several if one["number"] == number] for name, several in found.items()}
        if not problems and not any(found.values()):
            raise CjsmError(f"there is no generation {number}; see them all: cjsm history")
    if as_json:
        click.echo(json.dumps({"schema": 1, "hosts": found, "problems": problems}, indent=1))
    else:
        for line in listed(found) if number is None else detailed(found):
            tell(line)
    for problem in problems:
        tell(problem, err=True)
    click.echo("Next: cjsm history NUMBER, or cjsm rollback NUMBER", err=True)
    sys.exit(2 if problems else 0)


def generations(organisation: Organisation, names: list[str]) -> tuple[dict[str, list[Generation]], list[str]]:
    """The generations of each host, and a sentence for each that could not be asked."""
    found = ssh.run_everywhere(organisation, names, lambda _: programs.history())
    told = {name: answer["generations"] for name, answer in found.items() if not isinstance(answer, ssh.HostError)}
    return told, [str(answer) for answer in found.values() if isinstance(answer, ssh.HostError)]


def listed(found: dict[str, list[Generation]]) -> Iterator[str]:
    """A line for each apply: its hosts together, because they changed together."""
    applies: dict[tuple[int, str], list[tuple[str, Generation]]] = {}
    for name, several in found.items():
        for one in several:
            applies.setdefault((one["number"], one["apply"]), []).append((name, one))
    if not applies:
        yield "no generation yet: nothing was applied to these hosts"
    for number, apply in sorted(applies, reverse=True):
        yield line(number, applies[number, apply])


def line(number: int, members: list[tuple[str, Generation]]) -> str:
    """One apply in a line: number, time, who, and for each host what became of it."""
    first = members[0][1]
    when = first["when"].replace("T", " ").partition("+")[0]
    hosts = "; ".join(f"{name}: {one['state']}, {counted(one)}" for name, one in members)
    return f"{number:>4}  {when} UTC  {first['who']}{kind(first)}  {hosts}"


def kind(one: Generation) -> str:
    """What an apply was limited to, or that it was a rollback."""
    if one.get("rollback_to"):
        return f" (rollback to {one['rollback_to']})"
    return f" (only {', '.join(one['only'])})" if one.get("only") else ""


def counted(one: Generation) -> str:
    """How many paths a generation replaced."""
    number = len(one["replaced"])
    return f"{number} path{'' if number == 1 else 's'}"


def detailed(found: dict[str, list[Generation]]) -> Iterator[str]:
    """One generation on every host that has it: who, and what was replaced by what."""
    for name, several in found.items():
        for one in several:
            yield click.style(f"{name}: generation {one['number']}, {one['state']}", bold=True)
            yield f"  {one['when']} by {one['who']}{kind(one)}"
            yield f"  cjsm-connect {one['tool_version']}, organisation file {one['organisation_digest'][:16]}"
            if one.get("why"):
                yield f"  put back: {one['why']}"
            yield from (row(item) for item in one["replaced"])


def row(item: dict[str, Any]) -> str:
    """One path of a generation, with its difference."""
    if item["secret"]:
        return f"  {item['path']} (a key, certificate or secret: not kept, not shown)"
    if not item["difference"]:
        return f"  {item['path']} (owner or mode)"
    lines = "".join(f"\n    {text}" for text in item["difference"].splitlines())
    return f"  {item['path']}{lines}"
