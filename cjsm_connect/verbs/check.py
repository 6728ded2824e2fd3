"""check: run the checks and show what they found."""

from __future__ import annotations

import json
import sys
import time
from functools import partial
from pathlib import Path
from typing import Any, TextIO

import click

from cjsm_connect import ending
from cjsm_connect.organisation import Organisation
from cjsm_connect.results import CjsmError, Run, Status, counts_against
from cjsm_connect.results.changes import Changes, compare
from cjsm_connect.verbs import _last
from cjsm_connect.verbs._organisation import organisation_option
from cjsm_connect.verbs._terminal import tell
from cjsm_connect.verbs._which import without_colour

FILE = click.Path(path_type=Path)


class Plugin(click.Command):
    """With --nagios whatever goes wrong is UNKNOWN, exit code 3: a monitoring system would take 2 for CRITICAL."""

    def make_context(self, info_name: str | None, args: list[str], *rest: Any, **extra: Any) -> click.Context:
        """Read the command line."""
        asked = "--nagios" in args
        try:
            return super().make_context(info_name, args, *rest, **extra)
        except click.UsageError as error:
            if asked:
                _unknown(error.format_message())
            raise

    def invoke(self, ctx: click.Context) -> Any:
        """Run the verb."""
        if not ctx.params["nagios"]:
            return super().invoke(ctx)
        try:
            return super().invoke(ctx)
        except (CjsmError, click.ClickException) as error:
            _unknown(str(error))
        except Exception as bug:
            click.echo(f"cjsm: {ending.unexpected(bug)}", err=True)
            _unknown(f"{type(bug).__name__}: {bug}")


@click.command("check", cls=Plugin)
@click.option("--only", multiple=True, metavar="CONCERN", help="Only this concern; may be given more than once.")
@click.option("--requirement", multiple=True, metavar="ID", help="Only this requirement; may be given more than once.")
@click.option("--since", default="", metavar="FILE|last", help="Show only what changed since that run of --json.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output (docs/check.schema.json).")
@click.option("--junit", type=FILE, help="Also write JUnit XML to this file.")
@click.option("--nagios", is_flag=True, help="One line and the exit codes of a monitoring plug-in.")
@click.option("--record", type=FILE, help="Keep what was observed in a new file.")
@click.option("--observed", type=FILE, help="Judge a recorded observation; asks no host.")
@click.option("--hub", is_flag=True, help="Also do handshakes with the hub.")
@click.option("--send-test-to", default="", metavar="ADDRESS", help="Also send a message through the hub (clause 9).")
@organisation_option
@click.pass_obj
def command(  # noqa: PLR0913 - one parameter for each way to show a run
    rooms: Any,
    /,
    *,
    organisation: Organisation,
    as_json: bool,
    junit: Path | None,
    nagios: bool,
    since: str,
    **asked: Any,
) -> None:
    """Run the checks and show what they found.

    On a real estate nothing reaches the hub unless --hub or --send-test-to says so; on the lab everything is tried.

    Exit code: 0 all is well, 1 findings, 2 something could not be told; with --nagios 0 to 3. docs/check.md has more.
    """
    if nagios and (as_json or since):
        raise click.UsageError("--nagios says one line about the whole run: it goes with neither --json nor --since")
    from cjsm_connect.probes.run import run_checks

    earlier = _last.earlier(since, organisation.folder) if since else None
    if junit:
        _clear(junit)
    begun = time.monotonic()
    run, _ = run_checks(organisation, wanted(quiet=nagios, **asked))
    changes = compare(earlier, run) if earlier else None
    if junit:
        _write_junit(junit, run)
    code = _plugin(run, time.monotonic() - begun) if nagios else _told(run, changes, rooms.root, as_json=as_json)
    _keep(run, organisation, asked["observed"], quiet=nagios)
    sys.exit(code)


def wanted(*, hub: bool, send_test_to: str, texts: bool = False, quiet: bool = False, **rest: Any) -> Any:
    """What the options ask for, as the checks' run understands it."""
    from cjsm_connect.probes.gather import Options
    from cjsm_connect.probes.run import Wanted

    # bound now: while the checks are read, standard error belongs to pytest
    say = (lambda text: None) if quiet else partial(_say, stream=sys.stderr)
    return Wanted(Options(hub, send_test_to, texts=texts), say=say, **rest)


def following(run: Run) -> str:
    """The last line: the next command to type."""
    against = {result.status for result in run.results if counts_against(result)}
    if run.totals()[Status.ERROR]:
        return "Something could not be told: see the errors above, and correct them. Next: cjsm check"
    if against & {Status.FAIL, Status.WARN}:
        return "Next: cjsm plan, which shows what apply would put right"
    if any("--hub" in result.reason for result in run.results if counts_against(result)):
        return "Not everything was tested: the reasons are above. Next: cjsm check --hub, once the hub may be asked"
    if against:
        return "Not everything was tested: declare what the reasons name, or accept it in [[scope]]. Next: cjsm check"
    if run.narrowed:
        return "Nothing counts against what was asked for; nothing is said of the rest. Next: cjsm check"
    return "Next: cjsm evidence"


def _told(run: Run, changes: Changes | None, root: Path, *, as_json: bool) -> int:
    """Show a run, or its changes, on standard output; the exit code is that of the whole run."""
    if as_json:
        click.echo(json.dumps(_plain(run, changes), indent=1))
    else:
        _show(run, changes, root)
    tell(following(run), err=True)
    return run.exit_code


def _plain(run: Run, changes: Changes | None) -> dict[str, Any]:
    """The run; of its results only those that changed, if it was compared. The totals are always of all results."""
    whole = run.plain()
    if changes is None:
        return whole
    return whole | {"results": [one.plain() for one in changes.results], "since": changes.plain()}


def _show(run: Run, changes: Changes | None, root: Path) -> None:
    from cjsm_connect.reports import table
    from cjsm_connect.results.catalogue import load

    table.show(
        run,
        load(root / "checks" / "requirements.toml"),
        changes,
        terminal=sys.stdout.isatty(),
        colour=not without_colour(),
    )


def _plugin(run: Run, seconds: float) -> int:
    from cjsm_connect.reports import nagios

    click.echo(nagios.line(run, seconds))
    return nagios.state(run)


def _unknown(why: str) -> None:
    from cjsm_connect.reports import nagios

    click.echo(nagios.unknown(why))
    sys.exit(nagios.State.UNKNOWN)


def _keep(run: Run, organisation: Organisation, observed: Path | None, *, quiet: bool) -> None:
    """Remember a whole run of live hosts for --since last; one that was narrowed or recorded is not the last run."""
    if run.narrowed or observed:
        return
    try:
        _last.keep(run, organisation.folder)
    except OSError as error:
        if not quiet:
            _say(f"this run is not kept for --since last: {error}")


def _say(text: str, stream: TextIO | None = None) -> None:
    click.echo(f"cjsm: {text}", file=stream, err=True)


def _clear(path: Path) -> None:
    """Take an earlier file away: a run that is killed half-way must not leave yesterday's success behind."""
    try:
        if path.is_file():
            path.unlink()
        path.touch()
    except OSError as error:
        raise _unwritable(path, error) from error


def _write_junit(path: Path, run: Run) -> None:
    from cjsm_connect.reports import junit

    try:
        path.write_text(junit.xml(run), encoding="utf-8")
    except OSError as error:
        raise _unwritable(path, error) from error


def _unwritable(path: Path, error: OSError) -> CjsmError:
    return CjsmError(f"--junit {path}: expected a file that can be written, found: {error.strerror}")
