"""A run as a monitoring plug-in says it: one line with performance data, and the plug-in's own exit codes. Pure.

https://www.monitoring-plugins.org/doc/guidelines.html
"""

from __future__ import annotations

from enum import IntEnum

from cjsm_connect.results import Result, Run, Severity, Status, counts_against
from cjsm_connect.results.judge import readable

NAMED = 5  # so many checks are named in the line; the rest is counted


class State(IntEnum):
    """What a monitoring system knows of; the number is the exit code."""

    OK = 0
    WARNING = 1
    CRITICAL = 2
    UNKNOWN = 3


def state(run: Run) -> State:
    """OK exactly when `cjsm check` exits 0. A failure goes before what could not be told, and that before a warning."""
    against = {one.status for one in run.results if counts_against(one)}
    if Status.FAIL in against:
        return State.CRITICAL
    if run.exit_code == 2 or Status.NOT_TESTED in against:
        return State.UNKNOWN
    return State.WARNING if run.exit_code else State.OK


def line(run: Run, seconds: float) -> str:
    """The line: state, counts, the worst checks by name; after the bar the performance data."""
    where = f"lab {run.laboratory}" if run.laboratory else run.organisation
    narrowed = f"ONLY {len(run.narrowed)} requirements, " if run.narrowed else ""
    counts = ", ".join(f"{number} {name}" for name, number in run.totals().items() if number)
    said = f"{where}: {narrowed}{counts or 'no results'}{_named(run)}"
    return f"{_head(state(run), said)} | {_performance(run, seconds)}"


def unknown(why: str) -> str:
    """The line of a run that did not come about."""
    return _head(State.UNKNOWN, why)


def _head(found: State, said: str) -> str:
    """One line; a bar would begin the performance data, wherever a host's or person's text has one."""
    return f"CJSM {found.name} - {readable(said).replace('|', '/')}"


def _named(run: Run) -> str:
    order = (Status.FAIL, Status.ERROR, Status.NOT_TESTED, Status.WARN)
    severities = list(Severity)
    against = [one for one in run.results if one.status is Status.ERROR or counts_against(one)]
    against.sort(key=lambda one: (order.index(one.status), severities.index(one.severity)))
    names = list(dict.fromkeys(map(_name, against)))
    more = f" and {len(names) - NAMED} more" if len(names) > NAMED else ""
    return f"; {', '.join(names[:NAMED])}{more}" if names else ""


def _name(one: Result) -> str:
    return f"{one.check} on {one.subject}: {one.status}"


def _performance(run: Run, seconds: float) -> str:
    """'label'=value;warn;crit;min;max. Only a failure is critical for its number alone."""
    most = len(run.results)
    counted = [f"{name}={number};;{'0' * (name == Status.FAIL)};0;{most}" for name, number in run.totals().items()]
    return " ".join([*counted, f"time={seconds:.1f}s;;;0"])
