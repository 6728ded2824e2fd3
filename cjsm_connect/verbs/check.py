"""check: run the checks and show what they found."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import click

from cjsm_connect.organisation import Organisation
from cjsm_connect.results import CjsmError, Run, Status, counts_against
from cjsm_connect.verbs._organisation import organisation_option


@click.command("check")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.option("--junit", type=click.Path(path_type=Path), help="Also write JUnit XML to this file.")
@click.option("--only", default="", metavar="CONCERN", help="Only the checks of one concern.")
@click.option("--record", type=click.Path(path_type=Path), help="Keep what was observed in a new file.")
@click.option("--observed", type=click.Path(path_type=Path), help="Judge a recorded observation; asks no host.")
@click.option("--hub", is_flag=True, help="Also do handshakes with the hub.")
@click.option("--send-test-to", default="", metavar="ADDRESS", help="Also send a message through the hub (clause 9).")
@organisation_option
@click.pass_obj
def command(rooms: Any, /, organisation: Organisation, as_json: bool, junit: Path | None, **asked: Any) -> None:
    """Run the checks and show what they found.

    On a real estate nothing reaches the hub unless --hub or --send-test-to says so; on the lab everything is tried.

    Exit code: 0 all is well, 1 findings, 2 something could not be told.
    """
    from cjsm_connect.probes.run import run_checks

    run, _ = run_checks(organisation, wanted(**asked))
    if junit:
        _write_junit(junit, run)
    if as_json:
        click.echo(json.dumps(run.plain(), indent=1))
    else:
        _show(run, rooms.root)
    click.echo(following(run), err=True)
    sys.exit(run.exit_code)


def wanted(*, hub: bool, send_test_to: str, **rest: Any) -> Any:
    """What the options ask for, as the checks' run understands it."""
    from cjsm_connect.probes.gather import Options
    from cjsm_connect.probes.run import Wanted

    return Wanted(Options(hub, send_test_to), say=lambda text: click.echo(f"cjsm: {text}", err=True), **rest)


def following(run: Run) -> str:
    """The last line: the next command to type."""
    against = {result.status for result in run.results if counts_against(result)}
    if run.totals()[Status.ERROR]:
        return "Something could not be told: see the errors above, and correct them. Next: cjsm check"
    if against & {Status.FAIL, Status.WARN}:
        return "Next: cjsm plan, which shows what apply would put right"
    if against:
        return "Not everything was tested: the reasons are above. Next: cjsm check --hub, once the hub may be asked"
    return "Next: cjsm evidence"


def _show(run: Run, root: Path) -> None:
    from cjsm_connect.reports import table
    from cjsm_connect.results.catalogue import load

    table.show(run, load(root / "checks" / "requirements.toml"), terminal=sys.stdout.isatty())


def _write_junit(path: Path, run: Run) -> None:
    from cjsm_connect.reports import junit

    try:
        path.write_text(junit.xml(run), encoding="utf-8")
    except OSError as error:
        raise CjsmError(f"--junit {path}: expected a file that can be written, found: {error.strerror}") from error
