"""Results for a terminal: every check by concern, then what needs attention in full, then the three prerequisites.

Compared with an earlier run: what changed, then of that what needs attention in full.
"""

from __future__ import annotations

import io
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from rich import box
from rich.console import Console, ConsoleRenderable, Group
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cjsm_connect.printable import everywhere
from cjsm_connect.results import Result, Run, Status, worst
from cjsm_connect.results.acceptance import IN_FORCE
from cjsm_connect.results.catalogue import PREREQUISITES, Catalogue
from cjsm_connect.results.changes import Changes
from cjsm_connect.terminal import ours

STYLES = {
    Status.PASS: "green",
    Status.FAIL: "bold red",
    Status.WARN: "yellow",
    Status.WAIVED: "cyan",
    Status.NOT_TESTED: "magenta",
    Status.ERROR: "bold white on red",
}
WORDS = {status: status.value.replace("_", " ") for status in Status}
ATTENTION = (Status.NOT_TESTED, Status.WAIVED, Status.WARN, Status.FAIL, Status.ERROR)
"""In this order, so that the worst stands last: nearest to where a person looks in a terminal."""

_PLAIN_WIDTH = 120  # columns, where there is no terminal to ask


def show(
    run: Run, catalogue: Catalogue, changes: Changes | None = None, *, terminal: bool, colour: bool = True
) -> None:
    """Print a run on standard output; without `colour` no escape sequence. What hosts said is text, never markup."""
    page = io.StringIO()
    console = Console(
        file=page,
        force_terminal=terminal or None,
        width=None if terminal else _PLAIN_WIDTH,
        color_system="auto" if colour else None,
        highlight=False,
        markup=False,
        emoji=False,
    )
    console.print(Group(*rendered(everywhere(run), catalogue, everywhere(changes))))
    sys.stdout.write(ours(page.getvalue()))


def rendered(run: Run, catalogue: Catalogue, changes: Changes | None = None) -> Iterator[ConsoleRenderable]:
    """The parts of the page, in order."""
    yield _heading(run)
    shown = run.results if changes is None else changes.results
    if changes is None:
        for concern, results in _by_concern(shown, catalogue).items():
            yield Text(f"\n{concern}", style="bold")
            yield _rows(results)
    else:
        yield _changed(changes)
    for status in ATTENTION:
        yield from _in_full([result for result in shown if result.status is status], catalogue)
    if run.waivers:
        yield _waivers(run)
    yield Text()
    yield _not_judged() if run.narrowed else _prerequisites(run.results, catalogue)
    yield _totals(run)


def _changed(changes: Changes) -> ConsoleRenderable:
    """One row for each check that is not as it was, and in one line how the others are."""
    since = f"since {changes.started}" if changes.started else "so far"
    table = Table(f"\nchanged {since}: {len(changes.changes)}", box=None, pad_edge=False, header_style="bold")
    for change in changes.changes:
        before = _word(change.before) if change.before else Text("new", style="dim")
        after = _word(change.after) if change.after else Text("gone", style="bold red")
        table.add_row(
            Text.assemble("  ", before, " -> ", after, f"  {change.check} on {change.subject}: {change.title}")
        )
    left = [f"{number} {WORDS[status]}" for status in Status if (number := changes.unchanged.get(status, 0))]
    lines = [*changes.notes, f"as before: {', '.join(left) or 'nothing'}"]
    return Group(table, *(Text(line, style="dim") for line in lines))


def _waivers(run: Run) -> Table:
    """Every waiver of the organisation file, whether it covers anything or not."""
    table = Table("waivers (days in UTC, both included)", "", box=box.SIMPLE_HEAD, pad_edge=False)
    for entry in run.waivers:
        covers = f"covers {entry.covers}" if entry.state == IN_FORCE else entry.state.upper()
        days = f"{entry.start} to {entry.expiry}, {covers}"
        said = f"{entry.reason}; risk: {entry.risk}; approved by {entry.approver}"
        table.add_row(Text(f"{entry.requirement}\n{days}"), Text(said))
    return table


def _not_judged() -> Text:
    return Text("The three minimum prerequisites were not judged: only a part was asked for.", style="bold")


def _heading(run: Run) -> Text:
    where = f"the lab '{run.laboratory}'" if run.laboratory else "the estate"
    lines = [f"{run.organisation}: {where}, {run.started}", *run.notes]
    return Text("\n".join(lines), style="bold")


def _by_concern(results: Iterable[Result], catalogue: Catalogue) -> dict[str, list[Result]]:
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        known = catalogue.requirements.get(result.requirement)
        groups[known.concern if known else "the checks themselves"].append(result)
    return groups


def _rows(results: Sequence[Result]) -> Table:
    """One row for each check and verdict; hosts with the same verdict share it."""
    hosts: dict[tuple[str, str, Status], list[str]] = defaultdict(list)
    for result in results:
        hosts[result.check, result.title, result.status].append(result.subject)
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    table.add_column(min_width=10)
    table.add_column(ratio=1)
    table.add_column()
    for (_, title, status), subjects in hosts.items():
        table.add_row(_word(status), Text(title), Text(", ".join(subjects), style="dim"))
    return table


def _in_full(results: Sequence[Result], catalogue: Catalogue) -> Iterator[ConsoleRenderable]:
    """What needs attention, each finding once: hosts that share it, or checks that share a reason, stand together."""
    findings: dict[tuple[str, ...], list[Result]] = defaultdict(list)
    for result in results:
        findings[_same(result)].append(result)
    for group in findings.values():
        yield Text()
        yield Text.assemble(_word(group[0].status), "  ", _names(group))
        yield Padding(_details(group[0], catalogue), (0, 0, 0, 4))


def _same(result: Result) -> tuple[str, ...]:
    if result.status in (Status.ERROR, Status.NOT_TESTED):
        return (result.reason,)
    return (result.check, result.expected, result.observed, result.reason)


def _names(group: Sequence[Result]) -> str:
    checks = list(dict.fromkeys(result.check for result in group))
    hosts = ", ".join(dict.fromkeys(result.subject for result in group))
    title = f": {group[0].title}" if len(checks) == 1 else f" ({len(checks)} checks)"
    return f"{', '.join(checks)} on {hosts}{title}"


def _details(result: Result, catalogue: Catalogue) -> Table:
    table = Table(box=None, show_header=False, padding=(0, 1), pad_edge=False)
    table.add_column(style="dim")
    table.add_column(overflow="fold")
    for name, text in _said(result, catalogue).items():
        if text:
            table.add_row(name, Text(text))
    return table


def _said(result: Result, catalogue: Catalogue) -> dict[str, str]:
    if result.status in (Status.ERROR, Status.NOT_TESTED):
        return {"why": result.reason}
    asked = catalogue.requirements.get(result.requirement)
    remedy = result.remedy if result.status is not Status.WAIVED else ""
    return {
        "why": result.reason,
        "expected": result.expected,
        "observed": result.observed,
        "seen from": result.vantage,
        "requirement": f"{result.requirement} ({result.severity} severity)",
        "matters": result.why,
        "asked for by": asked.source if asked else "",
        "remedy": remedy,
    }


def _prerequisites(results: Sequence[Result], catalogue: Catalogue) -> Table:
    table = Table("the three minimum prerequisites", "", "", box=box.SIMPLE_HEAD, pad_edge=False)
    for name, title in PREREQUISITES.items():
        wanted = set(catalogue.of_prerequisite(name))
        statuses = [result.status for result in results if result.requirement in wanted]
        passed = f"{sum(status is Status.PASS for status in statuses)} of {len(statuses)} passed"
        table.add_row(title, _word(worst(statuses)), passed)
    return table


def _totals(run: Run) -> Text:
    totals = run.totals()
    parts = [Text(f"{len(run.results)} results: ", style="bold")]
    for status in Status:
        parts += [Text(f"{totals[status.value]} {WORDS[status]}", STYLES[status] if totals[status.value] else "dim")]
        parts += [Text(", ")]
    accepted = sum(result.scoped for result in run.results)
    ending = f" ({accepted} not tested accepted in [[scope]])" if accepted else ""
    return Text.assemble(*parts[:-1], ending)


def _word(status: Status) -> Text:
    return Text(WORDS[status], style=STYLES[status])
