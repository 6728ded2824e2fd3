"""rollback: back to how the hosts were after an earlier generation."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from typing import Any

import click

from cjsm_connect.operations import programs, ssh
from cjsm_connect.operations.deploys import about
from cjsm_connect.organisation import Organisation
from cjsm_connect.remote.lock import taken
from cjsm_connect.results import CjsmError
from cjsm_connect.verbs._converge import Job, confirmed_by_operator, converged, failures, untouched
from cjsm_connect.verbs._hosts import limited
from cjsm_connect.verbs._organisation import organisation_option
from cjsm_connect.verbs._terminal import tell
from cjsm_connect.verbs._which import on_lab

Generation = dict[str, Any]

STAYS = (
    "Packages, private keys, certificates and trust anchors stay as they are. The organisation file still says what it "
    "said: change it too, or the next apply undoes this."
)


@click.command("rollback")
@click.argument("number", type=click.IntRange(1), required=False)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--limit", multiple=True, metavar="HOST", help="Only this host; may be given more than once.")
@organisation_option
def command(organisation: Organisation, number: int | None, yes: bool, as_json: bool, limit: tuple[str, ...]) -> None:
    """Take the hosts back to how they were after generation NUMBER (the one before the present if none is given).

    Like an apply it is validated, confirmed over new connections, and recorded as a generation of its own.

    Exit code: 0 done or nothing to do, 1 changed and put back by itself, 2 could not run.
    """
    known = answers(organisation, limited(organisation, limit), lambda _: programs.history())
    stop_if_busy(known)
    to = existing(number, known) if number else before_newest(known)
    concerned = [name for name, told in known.items() if newest(told) > to]
    plans = answers(organisation, concerned, lambda _: programs.rollback_plan(to))
    for line in described(plans, to):
        click.echo(line, err=True)
    names = tuple(name for name, plan in plans.items() if plan["back"])
    outcome: dict[str, Any] = {}
    if names:
        if not yes and not all(told["lab"] for told in known.values()):
            confirmed_by_operator(f"Take {', '.join(names)} back?", f"cjsm rollback {to} --yes")
        job = Job(names, max(newest(told) for told in known.values()) + 1, to=to)
        outcome = converged(organisation, job, about(organisation))
    sys.exit(report(plans, names, outcome, to, as_json, on_lab(organisation.folder)))


def answers(organisation: Organisation, names: list[str], program_of: Any) -> dict[str, Any]:
    """What every host answers.

    Raises:
        CjsmError: one could not be asked; nothing was changed.
    """
    found = ssh.run_everywhere(organisation, names, program_of)
    problems = [str(answer) for answer in found.values() if isinstance(answer, ssh.HostError)]
    if problems:
        raise CjsmError("nothing was changed\n  " + "\n  ".join(problems))
    return found


def stop_if_busy(known: dict[str, Any]) -> None:
    """Another apply is at work, or its change still waits to be confirmed."""
    busy = [f"{name}: {taken(told['lock'])}" for name, told in known.items() if told["lock"]]
    busy += [f"{name}: a change waits to be confirmed" for name, told in known.items() if told["pending"]]
    if busy:
        raise CjsmError("nothing was changed\n  " + "\n  ".join(busy))


def kept(told: dict[str, Any]) -> list[int]:
    """The generations of a host that were not put back, the newest first."""
    return [one["number"] for one in told["generations"] if one["state"] == "kept"]


def newest(told: dict[str, Any]) -> int:
    """The number of a host's newest generation; 0 if it has none."""
    return max((one["number"] for one in told["generations"]), default=0)


def existing(number: int, known: dict[str, Any]) -> int:
    """The generation that was asked for.

    Raises:
        CjsmError: no host has it.
    """
    there = sorted({one for told in known.values() for one in kept(told)})
    if number not in there:
        raise CjsmError(
            f"no host has a generation {number} to go back to; there are: {', '.join(map(str, there)) or 'none'}"
        )
    return number


def before_newest(known: dict[str, Any]) -> int:
    """The generation before the newest; after a rollback the one before that it went back to, so that two go further.

    Raises:
        CjsmError: there is none.
    """
    present: Generation = max(
        (told["generations"][0] for told in known.values() if told["generations"]), key=number_of, default={}
    )
    now = present.get("rollback_to") or present.get("number", 0)
    older = [number for told in known.values() for number in kept(told) if number < now]
    if not older:
        raise CjsmError("there is no generation before the present one; see: cjsm history")
    return max(older)


def number_of(one: dict[str, Any]) -> int:
    """A generation's number."""
    return int(one["number"])


def described(plans: dict[str, Any], to: int) -> Iterator[str]:
    """What would come back on each host, with its difference, and what would not and why."""
    for name, plan in plans.items():
        yield click.style(f"{name}: back to generation {to}", bold=True)
        if not plan["back"]:
            yield "  nothing to do"
        for row in plan["back"]:
            yield f"  {row['path']}"
            yield from (f"    {line}" for line in row["difference"].splitlines())
        yield from (click.style(f"  left as it is: {row['path']}: {row['why']}", fg="yellow") for row in plan["left"])


def report(  # noqa: PLR0913, PLR0917
    plans: dict[str, Any], names: tuple[str, ...], outcome: dict[str, Any], to: int, as_json: bool, where: str = ""
) -> int:
    """Say what happened, and `where` if on a lab; return the exit code."""
    failed = failures(outcome)
    done = [name for name in names if name in outcome and name not in failed]
    if as_json:
        left = {name: plan["left"] for name, plan in plans.items()}
        data = {"schema": 1, "to": to, "changed": done, "failed": failed, "left": left}
        click.echo(json.dumps(data, indent=1))
    for name, why in failed.items():
        click.echo(click.style(f"{name}: failed. {why}", fg="red"), err=True)
    for line in untouched(names, outcome):
        click.echo(line, err=True)
    if done:
        back = "is" if len(done) == 1 else "are"
        tell(f"{where}Done: {', '.join(done)} {back} back at generation {to}. {STAYS}", err=True)
    elif not failed:
        tell(f"{where}Nothing to do: every host is as it was after generation {to}.", err=True)
    click.echo("Next: cjsm history" if failed else "Next: cjsm check", err=True)
    if any(told["put_back"] for told in outcome.values()):
        return 1
    return 2 if failed else 0
