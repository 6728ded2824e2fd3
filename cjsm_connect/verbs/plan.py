"""plan: what apply would change, with diffs; changes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from cjsm_connect.desired.change import Change, difference
from cjsm_connect.desired.lacking import lacking
from cjsm_connect.organisation import Organisation
from cjsm_connect.verbs._hosts import Subject, subjects
from cjsm_connect.verbs._organisation import organisation_option
from cjsm_connect.verbs._scope import Scope, scope_options


@click.command("plan")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@scope_options
@organisation_option
def command(organisation: Organisation, as_json: bool, scope: Scope) -> None:
    """What apply would change, host by host, with diffs. Reads only.

    Exit code: 0 nothing to do, 1 changes, 2 a host could not be looked at.
    """
    found = subjects(organisation, scope.desired_of, scope.limit)
    if as_json:
        click.echo(json.dumps({"hosts": {item.name: as_data(item) for item in found}}, indent=1))
    else:
        for item in found:
            click.echo(described(item))
        click.echo(conclusion(found), err=True)
    sys.exit(exit_code(found))


def exit_code(found: list[Subject]) -> int:
    """2 if a host could not be looked at, else 1 if anything differs, else 0."""
    if any(item.problem for item in found):
        return 2
    return int(any(item.change for item in found))


def conclusion(found: list[Subject]) -> str:
    """The last line: what to type next."""
    problems = [item.name for item in found if item.problem]
    changes = [item.name for item in found if item.change]
    if problems:
        return f"Could not look at {', '.join(problems)}: see above. Nothing was changed."
    if changes:
        return f"Changes on {', '.join(changes)}. Nothing was changed yet. Next: cjsm apply"
    return "Nothing to do: every host is as wanted. Next: cjsm check"


def described(item: Subject, new_files: bool = True) -> str:
    """One host's part of the plan, for people; without `new_files` only replaced files are shown with their content."""
    lines = [click.style(item.name, bold=True)]
    if item.problem:
        lines.append(click.style(f"  {item.problem}", fg="red"))
    elif not item.change:
        lines.append("  nothing to do")
    lines += [f"  {line}" for line in steps(item.change)]
    lines += [click.style(f"  lacking: {text}", fg="red") for text in lacking(item.desired, item.snapshot)]
    lines += [click.style(f"  waiting: {text}", fg="yellow") for text in item.desired.waiting]
    lines += [_indented(difference(change)) for change in item.change.files if new_files or change.exists]
    return "\n".join(line for line in lines if line)


def steps(change: Change) -> Iterator[str]:
    """Every step of a change as a sentence fragment, in the order in which apply takes them."""
    if change.packages:
        yield f"install {len(change.packages)} packages: {' '.join(item.name for item in change.packages)}"
    yield from (
        f"make directory {item.path} ({item.owner}:{item.group} {item.mode:04o})" for item in change.directories
    )
    yield from (f"{item.key.name} key: {item.why}" for item in change.keys)
    for item in change.files:
        reason = f": {item.file.reason}" if item.file.reason else ""
        yield f"{'replace' if item.exists else 'write'} {item.file.path} ({item.why}){reason}"
    yield from (f"remove {path}" for path in change.absent)
    if change.maps:
        yield f"switch to a new set of maps: {', '.join(item.name for item in change.maps)}"
    yield from (f"load firewall table {item.table}, to be confirmed by a fresh connection" for item in change.firewalls)
    yield from (f"{item.why} {item.service.unit}" for item in change.services)


def as_data(item: Subject) -> dict[str, Any]:
    """One host's part of the plan as plain data; secret contents are never in it."""
    files = [{"path": change.file.path, "why": change.why, "diff": difference(change)} for change in item.change.files]
    return {
        "problem": item.problem,
        "changes": bool(item.change),
        "steps": list(steps(item.change)),
        "files": files,
        "lacking": list(lacking(item.desired, item.snapshot)),
        "waiting": list(item.desired.waiting),
    }


def _indented(text: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    return "\n".join("    " + click.style(line, fg=colours.get(line[:1])) for line in text.splitlines())
