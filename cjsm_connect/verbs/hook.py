"""hook: the programs of the organisation's own that its hosts are asked by (docs/hooks.md)."""

from __future__ import annotations

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from typing import Any

import click

from cjsm_connect.organisation import Organisation
from cjsm_connect.probes import hooks
from cjsm_connect.probes.connections import Connections, Unreachable, opened
from cjsm_connect.remote import RemoteError
from cjsm_connect.results import CjsmError
from cjsm_connect.results.judge import readable
from cjsm_connect.verbs._organisation import organisation_option
from cjsm_connect.verbs._terminal import tell

SCHEMA = 1
NONE = (
    'no hook: expected [antivirus] with scanner = "hook", or [patching] with system = "hook", in organisation.toml; '
    "docs/hooks.md shows both"
)
SECONDS = 20  # ten for the command itself


@dataclass(frozen=True)
class Answer:
    """What one hook said, and how it would be judged; `problem` is why its host could not be asked."""

    one: hooks.Configured
    printed: str
    findings: tuple[hooks.Finding, ...]
    problem: str = ""


@click.group("hook")
def command() -> None:
    """Scanners and patching systems of your own, in place of ClamAV and apt's timers (docs/hooks.md)."""


@command.command("test")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@organisation_option
def test(organisation: Organisation, as_json: bool) -> None:
    """Run each hook's status command on its host, show what it printed, and how a check would judge it.

    Its units, and the milter itself, are for `cjsm check` to try.

    Exit code: 0 all is met, 1 something is not, 2 a host could not be asked, or there is no hook.
    """
    configured = hooks.configured(organisation)
    if not configured:
        raise CjsmError(NONE)
    answers = asked(organisation, configured)
    if as_json:
        click.echo(json.dumps({"schema": SCHEMA, "hooks": [as_data(answer) for answer in answers]}, indent=1))
    else:
        for answer in answers:
            tell("\n".join(lines(answer)))
    code = exit_code(answers)
    click.echo(f"Next: cjsm {'check' if code == 0 else 'hook test, once that is put right'}", err=True)
    sys.exit(code)


def asked(organisation: Organisation, configured: tuple[hooks.Configured, ...]) -> list[Answer]:
    """All hooks at once."""
    with opened(organisation) as connections, ThreadPoolExecutor(len(configured)) as pool:
        return list(pool.map(partial(_ask, connections, organisation), configured))


def _ask(connections: Connections, organisation: Organisation, one: hooks.Configured) -> Answer:
    try:
        arguments = {**one.question, "printed": True}
        report: dict[str, Any] = connections.ask(one.host, ("hook",), "hook:report", arguments, SECONDS)
    except (Unreachable, RemoteError) as error:
        return Answer(one, "", (), str(error))
    return Answer(one, report["printed"], tuple(one.judge(report, organisation.policy, report["clock"])))


def lines(answer: Answer) -> list[str]:
    """One hook for people; what a program printed is shown without anything a terminal would obey."""
    told = [click.style(f"{answer.one.host.name}: {answer.one.concern}", bold=True)]
    told.append(f"  command  {' '.join(answer.one.hook.status)}")
    if answer.problem:
        return [*told, click.style(f"  {readable(answer.problem)}", fg="red")]
    told.append(f"  printed  {readable(answer.printed) or 'nothing'}")
    return told + [_line(finding) for finding in answer.findings]


def _line(finding: hooks.Finding) -> str:
    word = click.style("pass", fg="green") if finding.ok else click.style("fail", fg="red")
    return f"  {word}     {readable(finding.expected)}: {readable(finding.observed)}"


def as_data(answer: Answer) -> dict[str, Any]:
    """One hook as plain data (docs/hooks.md)."""
    return {
        "host": answer.one.host.name,
        "concern": answer.one.concern,
        "command": list(answer.one.hook.status),
        "problem": answer.problem,
        "printed": answer.printed,
        "findings": [asdict(finding) for finding in answer.findings],
    }


def exit_code(answers: list[Answer]) -> int:
    """2 if a host could not be asked, else 1 if anything is not met, else 0."""
    if any(answer.problem for answer in answers):
        return 2
    return int(not all(finding.ok for answer in answers for finding in answer.findings))
