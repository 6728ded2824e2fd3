"""assess: which way into CJSM fits? Works before any host, and before any organisation file, exists."""

from __future__ import annotations

import json
import shutil
import sys
import textwrap
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

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

YES = {"yes": State.MET, "no": State.GAP, "unknown": State.UNKNOWN}


@click.command("assess")
@click.option("--mail-server", type=click.Choice([*map(str, MailServer)]), help="Where the mail server is.")
@click.option("--microsoft-365", type=click.Choice([*map(str, Extent)]), help="How much of the mail it holds.")
@click.option("--staff", type=click.IntRange(min=1), help="How many people work there.")
@click.option("--firewall", type=click.Choice(list(YES)), help="Is there a maintained firewall?")
@click.option("--antivirus", type=click.Choice(list(YES)), help="Does anti-virus update itself?")
@click.option("--patching", type=click.Choice(list(YES)), help="Are updates applied regularly?")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--org", type=click.Path(path_type=Path), help="Take what it says from this folder's organisation.toml.")
def command(as_json: bool, org: Path | None, **given: Any) -> None:
    """Which way into CJSM fits: server connection, cloud gateway, mailbox, or a call to the helpdesk. And what to do
    next.

    What is not given is asked for at a terminal, and is unknown elsewhere. Asks no host.

    Exit code: 0 a server connection fits, 1 another way does, 2 could not run.
    """
    answers = answered({**_declared(org), **{name: value for name, value in given.items() if value is not None}})
    found = assess(answers)
    click.echo(json.dumps({"answers": asdict(answers), **asdict(found)}, indent=1) if as_json else described(found))
    sys.exit(found.route is not Route.SERVER)


def answered(known: dict[str, Any]) -> Answers:
    """The answers; at a terminal, what is not known is asked for."""
    known = {**_asked(known), **known} if sys.stdin.isatty() else known
    return Answers(
        MailServer(known.get("mail_server", MailServer.UNKNOWN)),
        Extent(known.get("microsoft_365", Extent.UNKNOWN)),
        known.get("staff"),
        {name: YES[known.get(name, "unknown")] for name in PREREQUISITES},
    )


def _asked(known: dict[str, Any]) -> dict[str, Any]:
    """The questions of the form, in its order, as far as they have no answer yet."""
    choices = {
        "mail_server": ("Where is your mail server", map(str, MailServer)),
        "microsoft_365": ("How much of your mail does Microsoft 365 hold", map(str, Extent)),
        **{name: (f"Do you have {text}", YES) for name, text in PREREQUISITES.items()},
    }
    found: dict[str, Any] = {
        name: click.prompt(text, type=click.Choice([*values]), default="unknown", err=True)
        for name, (text, values) in choices.items()
        if name not in known
    }
    if "staff" not in known:
        found["staff"] = click.prompt("How many people work there", type=click.IntRange(min=1), err=True)
    return found


def _declared(org: Path | None) -> dict[str, Any]:
    """What an organisation file says. Prerequisites are not in it: having written rules down proves nothing."""
    if org is None:
        return {}
    from cjsm_connect.organisation import load
    from cjsm_connect.verbs._organisation import chosen

    identity = load(chosen(org, org)).organisation
    return {"mail_server": identity.mail_server, "staff": identity.staff}


def described(found: Assessment) -> str:
    """The assessment for people: the route, why, and what to do, numbered."""
    lines = [click.style(found.route.capitalize(), bold=True), *(_wrapped("", reason) for reason in found.reasons)]
    steps = (_wrapped(f"{number}. ", step) for number, step in enumerate(found.next_steps, 1))
    return "\n".join([*lines, "", "What to do next", *steps])


def _wrapped(mark: str, text: str) -> str:
    width = min(shutil.get_terminal_size().columns, 110)
    return textwrap.fill(f"{text}.", width, initial_indent=f"  {mark}", subsequent_indent=" " * (2 + len(mark)))
