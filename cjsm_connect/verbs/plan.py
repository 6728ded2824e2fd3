"""plan: what apply would change, with diffs; changes nothing."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

import click

from cjsm_connect.desired.closing import digest, kept_by
from cjsm_connect.desired.lacking import lacking
from cjsm_connect.desired.planned import SCHEMA, differences, planned, steps
from cjsm_connect.organisation import Organisation
from cjsm_connect.remote.common import HIDDEN, without_passwords
from cjsm_connect.verbs import _example
from cjsm_connect.verbs._hosts import Subject, subjects
from cjsm_connect.verbs._organisation import organisation_option
from cjsm_connect.verbs._scope import Scope, scope_options
from cjsm_connect.verbs._terminal import tell


@click.command("plan")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--summary", is_flag=True, help="What kind of change and how much, on one screen; no diffs.")
@scope_options
@organisation_option
def command(organisation: Organisation, as_json: bool, summary: bool, scope: Scope) -> None:
    """What apply would change, host by host, with diffs. Reads only.

    Exit code: 0 nothing to do, 1 changes, 2 a host could not be looked at, or the change is refused.
    """
    found = subjects(organisation, scope.desired_of, scope.limit)
    copied = _example.left_over(organisation.folder)
    if as_json:
        hosts = {item.name: as_data(item) for item in found}
        closing, example = closing_digest(found), [asdict(one) for one in copied]
        click.echo(json.dumps({"schema": SCHEMA, "closing": closing, "hosts": hosts, "example": example}, indent=1))
    else:
        for item in found:
            tell(summarised(item) if summary else described(item))
        for line in kept(found):
            tell(line)
        for line in _example.told(copied):
            tell(click.style(line, fg="yellow"))
        tell(conclusion(found), err=True)
    sys.exit(exit_code(found))


def exit_code(found: list[Subject]) -> int:
    """2 if a host could not be looked at or must not be changed so, else 1 if anything differs, else 0."""
    if any(item.problem or item.refused for item in found):
        return 2
    return int(any(item.change for item in found))


def closing_digest(found: list[Subject]) -> str:
    """What apply has to be told before it closes what is in use; "" when nothing would close."""
    return digest(one for item in found for one in item.closing)


def kept(found: list[Subject]) -> Iterator[str]:
    """How to keep what would close: lines for organisation.toml."""
    lines = list(kept_by(one for item in found for one in item.closing))
    if lines:
        yield click.style("To keep what would close, in organisation.toml (each with its reason):", bold=True)
        yield from ("\n" + _indented(text) for text in lines)


def conclusion(found: list[Subject]) -> str:
    """The last line: what to type next."""
    unseen = [item.name for item in found if item.problem]
    refused = [item.name for item in found if item.refused]
    changes = [item.name for item in found if item.change]
    if unseen:
        return f"Could not look at {', '.join(unseen)}: see above. Nothing was changed."
    if refused:
        return f"Refused for {', '.join(refused)}: see above. Nothing was changed. Next: put it right, then cjsm plan"
    if closing := closing_digest(found):
        return (
            f"Changes on {', '.join(changes)}; they would close what is in use. Nothing was changed yet. "
            f"Next: keep it by [[flows]], then cjsm plan; or close it: cjsm apply --closing {closing}"
        )
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
    lines += [click.style(f"  refused: {text}", fg="red") for text in item.refused]
    lines += [click.style(f"  warning: {text}", fg="yellow") for text in item.warnings]
    lines += [click.style(f"  would close: {one.text}", fg="yellow") for one in item.closing]
    lines += [f"  {line}" for line in steps_of(item)]
    lines += [click.style(f"  lacking: {text}", fg="red") for text in lacking(item.desired, item.snapshot)]
    lines += [click.style(f"  waiting: {text}", fg="yellow") for text in item.desired.waiting]
    texts = differences(item.change, item.snapshot, new_files)
    lines += [_indented(without_passwords(text)) for text in texts]
    return "\n".join(line for line in lines if line)


def summarised(item: Subject) -> str:
    """One host's part of the plan in a few lines: whatever needs a person in full, everything else counted."""
    if item.problem or not item.change:
        return described(item)
    concerns = [
        *(("refused", "red", text) for text in item.refused),
        *(("warning", "yellow", text) for text in item.warnings),
        *(("would close", "yellow", one.text) for one in item.closing),
        *(("lacking", "red", text) for text in lacking(item.desired, item.snapshot)),
        *(("waiting", "yellow", _briefly(item.name, text)) for text in item.desired.waiting),
    ]
    lines = [click.style(item.name, bold=True), f"  {'; '.join(_counts(item))}"]
    lines += [click.style(f"  {word}: {text}", fg=colour) for word, colour, text in concerns]
    return "\n".join(lines)


def _briefly(name: str, text: str) -> str:
    """The first sentence, without the host that stands above it; plan says all of it."""
    return text.removeprefix(f"{name}: ").partition(". ")[0]


def _counts(item: Subject) -> Iterator[str]:
    """How much of each kind changes; files that are there already are the ones to look at."""
    change = item.change
    replaced = [one.file.path for one in change.files if one.exists]
    kinds = {
        ("package", "packages"): change.packages,
        ("new file", "new files"): [one for one in change.files if not one.exists],
        ("replaced file", "replaced files"): replaced,
        ("removed file", "removed files"): change.absent,
        ("key", "keys"): change.keys,
        ("unit", "units"): change.services,
    }
    for words, found in kinds.items():
        if found:
            yield f"{len(found)} {words[len(found) > 1]}"
    if replaced:
        yield f"replaced: {', '.join(replaced)}"
    if change.maps:
        yield "a new set of maps"
    if change.firewalls:
        yield "firewall rules, confirmed by a new connection"


def steps_of(item: Subject) -> list[str]:
    """What apply does on a host, without passwords that somebody has written into a file of ours."""
    return [without_passwords(step) for step in steps(item.change, item.snapshot)]


def as_data(item: Subject) -> dict[str, Any]:
    """One host's part of the plan as plain data (docs/plan.md); secret contents are never in it."""
    told = planned(item.change, item.snapshot)
    return {
        "problem": item.problem,
        "refused": list(item.refused),
        "warnings": list(item.warnings),
        "closing": [asdict(one) for one in item.closing],
        "changes": bool(item.change),
        **told,
        "steps": steps_of(item),
        "files": [{**one, **_shown(one)} for one in told["files"]],
        "lacking": list(lacking(item.desired, item.snapshot)),
        "waiting": list(item.desired.waiting),
    }


def _shown(file: dict[str, Any]) -> dict[str, Any]:
    """A file's difference without such passwords."""
    settings = [{**one, "found": _setting(one["name"], one["found"])} for one in file["settings"]]
    return {"diff": without_passwords(file["diff"]), "settings": settings}


def _setting(name: str, found: str | None) -> str | None:
    return HIDDEN if found and without_passwords(f"{name} = {found}") != f"{name} = {found}" else found


def _indented(text: str) -> str:
    colours = {"+": "green", "-": "red", "@": "cyan"}
    return "\n".join("    " + click.style(line, fg=colours.get(line[:1])) for line in text.splitlines())
