"""assess: which way into CJSM fits? Works before any host, and before any organisation file, exists."""

from __future__ import annotations

import json
import os
import shutil
import sys
import textwrap
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cjsm_connect.application.prerequisites import Standing, Stated, standings
from cjsm_connect.organisation import Problem
from cjsm_connect.organisation.assessment import (
    PREREQUISITES,
    Answers,
    Assessment,
    Extent,
    MailServer,
    Route,
    State,
    assess,
)
from cjsm_connect.rooms import CLONE
from cjsm_connect.verbs import _example

YES = {"yes": State.MET, "no": State.GAP, "unknown": State.UNKNOWN}
USED = ("organisation", "application", "declarations", "policy")
UNKNOWN = Standing(State.UNKNOWN, "nobody has said, and nothing was checked")


@click.command("assess")
@click.option("--mail-server", type=click.Choice([*map(str, MailServer)]), help="Where the mail server is.")
@click.option("--microsoft-365", type=click.Choice([*map(str, Extent)]), help="How much of the mail it holds.")
@click.option("--staff", type=click.IntRange(min=1), help="How many people work there.")
@click.option("--firewall", type=click.Choice(list(YES)), help="Is there a maintained firewall?")
@click.option("--antivirus", type=click.Choice(list(YES)), help="Does anti-virus update itself?")
@click.option("--patching", type=click.Choice(list(YES)), help="Are updates applied regularly?")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--org", type=click.Path(path_type=Path), help="Folder of organisation.toml (or CJSM_ORG).")
@click.pass_obj
def command(rooms: Any, /, as_json: bool, org: Path | None, **given: Any) -> None:
    """Which way into CJSM fits: server connection, cloud gateway, mailbox, or a call to the helpdesk. And what to do
    next.

    Prerequisites are taken from what you give here, else from the last cjsm check, else from the declarations of
    organisation.toml. What is not known then is asked for at a terminal, and is unknown elsewhere. Asks no host.

    Exit code: 0 a server connection fits, 1 another way does, 2 could not run.
    """
    known, standing = _known(org, rooms.root)
    known |= {name: value for name, value in given.items() if value is not None}
    answers, standing = answered(known, standing)
    found = _with_place(assess(answers))
    if as_json:
        bases = {name: one.basis for name, one in standing.items()}
        click.echo(json.dumps({"answers": asdict(answers), "bases": bases, **asdict(found)}, indent=1))
    else:
        click.echo(described(found, answers, standing))
    sys.exit(found.route is not Route.SERVER)


def answered(known: Mapping[str, Any], standing: Mapping[str, Standing]) -> tuple[Answers, dict[str, Standing]]:
    """The answers, and how each prerequisite is known; at a terminal, what is not known is asked for."""
    known = {**_asked(known, standing), **known} if sys.stdin.isatty() else known
    said = {name: _said(YES[known[name]], standing.get(name, UNKNOWN)) for name in PREREQUISITES if name in known}
    settled = {name: said.get(name) or standing.get(name, UNKNOWN) for name in PREREQUISITES}
    answers = Answers(
        MailServer(known.get("mail_server", MailServer.UNKNOWN)),
        Extent(known.get("microsoft_365", Extent.UNKNOWN)),
        known.get("staff"),
        {name: one.state for name, one in settled.items()},
        known.get("described", False),
    )
    return answers, settled


def _with_place(found: Assessment) -> Assessment:
    """Where the example lies: in a clone where it is said to be, in an installed tool inside of it."""
    from cjsm_connect.probes.example import EXAMPLE

    if CLONE:
        return found
    place = str(EXAMPLE)
    return replace(found, next_steps=tuple(step.replace("inventories/example", place) for step in found.next_steps))


def _said(state: State, found: Standing) -> Standing:
    """What was said now, with what was found before where that is something else."""
    other = f"; but {found.state}: {found.basis}" if found.state not in (state, State.UNKNOWN) else ""
    return Standing(state, f"as said now{other}")


def _asked(known: Mapping[str, Any], standing: Mapping[str, Standing]) -> dict[str, Any]:
    """The questions of the form, in its order, as far as they have no answer yet."""
    found = _chosen(known, {"mail_server": ("Where is your mail server", map(str, MailServer))})
    if "staff" not in known:
        found["staff"] = click.prompt("How many people work there", type=click.IntRange(min=1), err=True)
    settled = {name for name, one in standing.items() if one.state is not State.UNKNOWN}
    open_ones = {name: (f"Do you have {text}", YES) for name, text in PREREQUISITES.items() if name not in settled}
    extent = {"microsoft_365": ("How much of your mail does Microsoft 365 hold", map(str, Extent))}
    return found | _chosen(known, {**open_ones, **extent})


def _chosen(known: Mapping[str, Any], questions: Mapping[str, Any]) -> dict[str, Any]:
    return {
        name: click.prompt(text, type=click.Choice([*values]), default="unknown", err=True)
        for name, (text, values) in questions.items()
        if name not in known
    }


def _known(org: Path | None, root: Path) -> tuple[dict[str, Any], dict[str, Standing]]:
    """What an organisation's folder says, if one is named or the current one; mistakes elsewhere in it do not matter.

    Having written rules down proves nothing: prerequisites come from a check of hosts, or a person's declaration.
    """
    if not (org or os.environ.get("CJSM_ORG") or Path("organisation.toml").is_file()):
        return {}, {}
    from cjsm_connect.organisation import read
    from cjsm_connect.organisation.example import own
    from cjsm_connect.results.catalogue import load
    from cjsm_connect.verbs import _last
    from cjsm_connect.verbs._organisation import chosen

    folder = chosen(org, root)
    draft = read(folder, require_files=False)
    _tell(draft.problems)
    parts = draft.sections
    identity, cloud, policy = parts["organisation"], parts["application"], parts["policy"]
    said: dict[str, Any] = {"described": True}
    said |= {"mail_server": identity.mail_server, "staff": identity.staff} if identity else {}
    if cloud and cloud.microsoft_365 != Extent.UNKNOWN:
        said["microsoft_365"] = cloud.microsoft_365
    days = policy.declaration_days.value if policy else 0
    copied = _example.left_over(folder)
    for line in _example.told(copied):
        click.echo(f"cjsm: {line}" if line[0] != " " else line, err=True)
    stated = Stated(own(parts["declarations"], copied), datetime.now(UTC).date(), days)
    catalogue = load(root / "checks" / "requirements.toml")
    found = _last.last(folder)
    return said, standings(found[0] if found else None, catalogue.requirements, stated)


def _tell(problems: Sequence[Problem]) -> None:
    """Mistakes in what is used here: their sections count as not known."""
    for problem in problems:
        if problem.key.partition(".")[0].partition("[")[0] in USED:
            click.echo(f"cjsm: not used: {problem}", err=True)


def described(found: Assessment, answers: Answers, standing: Mapping[str, Standing]) -> str:
    """The assessment for people: the route, why, how the prerequisites stand, and what to do, numbered."""
    lines = [click.style(found.route.capitalize(), bold=True), *(_wrapped("", reason) for reason in found.reasons)]
    rows = [_row(f"{answers.prerequisites[name]:<8} {name}: {one.basis}") for name, one in standing.items()]
    steps = (_wrapped(f"{number}. ", step) for number, step in enumerate(found.next_steps, 1))
    return "\n".join([*lines, "", "Minimum prerequisites", *rows, "", "What to do next", *steps])


def _row(text: str) -> str:
    return textwrap.fill(text, _width(), initial_indent="  ", subsequent_indent=" " * 11)


def _wrapped(mark: str, text: str) -> str:
    return textwrap.fill(f"{text}.", _width(), initial_indent=f"  {mark}", subsequent_indent=" " * (2 + len(mark)))


def _width() -> int:
    return min(shutil.get_terminal_size().columns, 110)
