"""apply: make every host what the organisation file says, safely."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from cjsm_connect.desired.condition import failed_units
from cjsm_connect.operations import programs, ssh
from cjsm_connect.operations.deploys import about
from cjsm_connect.organisation import Organisation
from cjsm_connect.remote.lock import taken
from cjsm_connect.results import CjsmError, inputs
from cjsm_connect.verbs import _example, _settling
from cjsm_connect.verbs._converge import Job, confirmed_by_operator, converged, failures, untouched
from cjsm_connect.verbs._hosts import Subject, subjects
from cjsm_connect.verbs._organisation import organisation_option
from cjsm_connect.verbs._scope import Scope, scope_options
from cjsm_connect.verbs._terminal import tell
from cjsm_connect.verbs.plan import closing_digest, described, steps_of


@click.command("apply")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option("--closing", default="", metavar="DIGEST", help="Close what is in use; cjsm plan shows it, with DIGEST.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@scope_options
@organisation_option
def command(organisation: Organisation, yes: bool, closing: str, as_json: bool, scope: Scope) -> None:
    """Make every host what the organisation file says; shows the plan and asks first.

    It ends when what it started has run once (looked for updates, heard a time server, ...), or says what it no longer
    waits for.

    Exit code: 0 done or nothing to do, 1 changed and put back by itself, 2 could not run.
    """
    before = settled(organisation, subjects(organisation, scope.desired_of, scope.limit), scope)
    stop_on_problems(before)
    outcome: dict[str, Any] = {}
    after = before
    if any(item.change for item in before):
        show(before, organisation, quiet=as_json)
        closing_agreed(before, yes, closing)
        agreed(before, yes, organisation)
        outcome = converged(organisation, job_of(before, scope.only), about(organisation))
        after = subjects(organisation, scope.desired_of, scope.limit)
    fetched = fetch_requests(organisation, after)
    begun = time.monotonic()
    waits = bool(outcome) and not failures(outcome)  # what an earlier apply started is only named
    settling = _settling.awaited(organisation, after) if waits else _settling.unsettled(after)
    end = End(before, after, outcome, fetched, settling, time.monotonic() - begun if waits else 0)
    sys.exit(report(end, as_json))


@dataclass(frozen=True, slots=True)
class End:
    """What an apply found, did and left."""

    before: list[Subject]
    after: list[Subject]
    outcome: dict[str, Any]  # of each host that was changed, see operations/run.py
    fetched: list[str]
    settling: dict[str, _settling.Rows]
    settling_seconds: float

    @property
    def where(self) -> str:
        """Said of a lab's hosts, so that nobody takes them for their own."""
        labs = {item.snapshot.get("lab", "") for item in self.after} - {""}
        return f" on the lab '{labs.pop()}'" if len(labs) == 1 else ""

    @property
    def differed(self) -> list[str]:
        """The hosts that were not as wanted."""
        return [item.name for item in self.before if item.change]

    @property
    def failed(self) -> dict[str, str]:
        """Why a host is not as it should be."""
        return failures(self.outcome)

    @property
    def left(self) -> dict[str, list[str]]:
        """What still differs."""
        return {item.name: steps_of(item) for item in self.after if item.change}

    @property
    def waiting(self) -> dict[str, list[str]]:
        """What is closed until somebody answers."""
        return {item.name: list(item.desired.waiting) for item in self.after if item.desired.waiting}

    @property
    def attention(self) -> dict[str, list[str]]:
        """What is the matter with a host and no apply puts right."""
        told = {item.name: list(failed_units(item.snapshot)) for item in self.after}
        return {name: sentences for name, sentences in told.items() if sentences}


def job_of(found: list[Subject], only: tuple[str, ...]) -> Job:
    """What pyinfra is told to do on the hosts that differ."""
    snapshots = {item.name: item.snapshot for item in found if item.change}
    number = max(item.snapshot["generation"] for item in found) + 1
    return Job(tuple(snapshots), number, snapshots, only)


def settled(organisation: Organisation, found: list[Subject], scope: Scope) -> list[Subject]:
    """A host where a change still waits for a confirmation that will not come goes back first, and is looked at again.

    Raises:
        CjsmError: another apply is at work on a host; who, from where and since when.
    """
    refuse_second(found)
    waiting = [item.name for item in found if item.snapshot.get("pending")]
    if not waiting:
        return found
    click.echo(f"putting back a change that nobody confirmed: {', '.join(waiting)}", err=True)
    ssh.run_everywhere(
        organisation, waiting, lambda _: programs.put_back("nobody had confirmed it when the next apply began")
    )
    return subjects(organisation, scope.desired_of, scope.limit)


def refuse_second(found: list[Subject]) -> None:
    """Two operators at once: the second is told."""
    held = [f"{item.name}: {taken(item.snapshot['lock'])}" for item in found if item.snapshot.get("lock")]
    if held:
        raise CjsmError("nothing was changed\n  " + "\n  ".join(held))


def stop_on_problems(found: list[Subject]) -> None:
    """Nothing is touched anywhere while one host cannot be looked at, or must not be changed so.

    Raises:
        CjsmError: with every problem, and the hosts that are well.
    """
    problems = [item.problem for item in found if item.problem]
    if problems:
        well = ", ".join(item.name for item in found if not item.problem) or "none"
        text = "\n  ".join(problems)
        raise CjsmError(f"nothing was changed, because not every host could be looked at (reachable: {well})\n  {text}")
    refused = [f"{item.name}: {text}" for item in found for text in item.refused]
    if refused:
        raise CjsmError("nothing was changed, because this must not be done:\n  " + "\n  ".join(refused))


def show(found: list[Subject], organisation: Organisation, quiet: bool) -> None:
    """The plan, before anything is asked."""
    if quiet:
        return
    for item in found:
        tell(described(item, new_files=False), err=True)
    for line in _example.told(_example.left_over(organisation.folder)):
        tell(click.style(line, fg="yellow"), err=True)


def closing_agreed(found: list[Subject], yes: bool, given: str) -> None:
    """What is in use closes only for somebody who has seen this very list: by its digest, or asked at the terminal.

    Neither --yes nor a lab says so.

    Raises:
        CjsmError: nobody did; with the list, and how to keep or close it.
    """
    wanted = closing_digest(found)
    if given == wanted or not wanted:
        return
    several = [f"{item.name}: {one.text}" for item in found for one in item.closing]
    listed = "\n  ".join(several)
    ways = f"keep it by [[flows]] in organisation.toml (cjsm plan prints the lines), or close it: --closing {wanted}"
    if given:
        raise CjsmError(
            f"nothing was changed: --closing {given} is for another list. Now it would close\n  {listed}\n{ways}"
        )
    if yes or not sys.stdin.isatty():
        raise CjsmError(f"nothing was changed: it would close what is in use\n  {listed}\n{ways}")
    if not click.confirm(f"In use, and would close:\n  {listed}\nClose all of it ({len(several)})?", err=True):
        raise CjsmError(f"nothing was changed; {ways}")


def agreed(found: list[Subject], yes: bool, organisation: Organisation) -> None:
    """Ask; without a terminal only --yes, or a lab, goes on."""
    laboratory = all(item.snapshot.get("lab") for item in found)
    if not yes and not laboratory:
        confirmed_by_operator(f"Apply this to {organisation.organisation.name}?", "cjsm apply --yes")


def fetch_requests(organisation: Organisation, found: list[Subject]) -> list[str]:
    """Keep the certificate requests that await an answer as certificates/HOST[-inner].csr; returns the new ones."""
    fetched = []
    for item in found:
        for key in item.desired.keys:
            request = item.snapshot["keys"][key.path].get("request", "") if item.snapshot else ""
            if request and key.certificate is None:
                suffix = "" if key.name == "hub" else f"-{key.name}"
                path = organisation.folder / "certificates" / f"{item.name}{suffix}.csr"
                path.parent.mkdir(exist_ok=True)
                if not path.is_file() or inputs.text(path, inputs.CERTIFICATES) != request:
                    path.write_text(request)
                    fetched.append(str(path))
    return fetched


def report(end: End, as_json: bool) -> int:
    """Say what happened and return the exit code."""
    if as_json:
        click.echo(json.dumps(as_data(end), indent=1))
    else:
        for line in (*untouched(end.differed, end.outcome), *told(end)):
            tell(line, err=True)
    return exit_code(end.outcome, end.failed, end.left)


def as_data(end: End) -> dict[str, Any]:
    """The same as plain data (docs/apply.md)."""
    return {
        "changed": end.differed,
        "failed": end.failed,
        "left": end.left,
        "waiting": end.waiting,
        "settling": {name: [_settling.as_data(row) for row in rows] for name, rows in end.settling.items()},
        "settling_seconds": round(end.settling_seconds, 1),
        "attention": end.attention,
        "requests": end.fetched,
    }


def exit_code(outcome: dict[str, Any], failed: dict[str, str], left: dict[str, list[str]]) -> int:
    """1 when a host changed and put itself back, 2 when something else is not as wanted, 0 otherwise."""
    if any(told["put_back"] for told in outcome.values()):
        return 1
    return 2 if failed or left else 0


def told(end: End) -> Iterator[str]:
    """The closing lines for people; the last one says what to type next."""
    for name, why in end.failed.items():
        yield click.style(f"{name}: failed. {why}", fg="red")
    for name, rest in end.left.items():
        if name not in end.failed:
            yield click.style(f"{name}: still differs: {'; '.join(rest)}", fg="red")
    changed = [name for name in end.differed if name not in end.failed]
    if changed and not end.left:
        yield f"Done{end.where}: {', '.join(changed)} {'is' if len(changed) == 1 else 'are'} as wanted."
    elif not end.failed and not end.left:
        yield f"Nothing to do{end.where}: every host is as wanted."
    for word, sentences in (
        ("waiting", end.waiting),
        ("not settled yet", {name: list(_settling.sentences(rows)) for name, rows in end.settling.items()}),
        ("attention", end.attention),
    ):
        for name, texts in sentences.items():
            yield from (click.style(f"{name}: {word}: {text}", fg="yellow") for text in texts)
    yield from (f"fetched {path}" for path in end.fetched)
    yield next_command(end)


def next_command(end: End) -> str:
    """What to type next."""
    if end.failed or end.left:
        return "Next: cjsm plan"
    if end.waiting:
        return (
            "Next: send the requests; put each answer beside it as .pem, then: cjsm apply (on the lab: cjsm lab sign)"
        )
    known = max((row["until"] for rows in end.settling.values() for row in rows), default=0)
    return f"Next: cjsm check, after {_settling.at(known)}" if known else "Next: cjsm check"
