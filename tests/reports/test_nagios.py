"""One line and an exit code that a monitoring system reads rightly; OK exactly when `check` exits 0."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import product

import pytest

from cjsm_connect.reports import nagios
from cjsm_connect.results import Result, Run, Severity, Status
from tests.results.made_up import made

ONE_OF_EACH = (
    made(Status.PASS),
    made(Status.FAIL),
    made(Status.WARN),
    replace(made(Status.WARN), severity=Severity.LOW),
    made(Status.WAIVED, reason="until spring"),
    made(Status.NOT_TESTED, reason="no vantage"),
    replace(made(Status.NOT_TESTED, reason="no vantage"), scoped=True),
    made(Status.ERROR, reason="relay is down"),
)
PERFORMANCE = re.compile(r"[a-z_]+=[0-9.]+s?;[0-9]*;[0-9]*;[0-9]*;?[0-9]*")


def run(*results: Result, **changes: object) -> Run:
    made_up = Run(results, "2026-11-21T12:00:00+00:00", "2026-11-21T12:00:09+00:00", "Exampleshire", "d", "0", "c")
    return replace(made_up, **changes)


@pytest.mark.parametrize(
    ("results", "state"),
    [
        ((0,), "OK"),
        ((0, 3, 4, 6), "OK"),
        ((0, 2), "WARNING"),
        ((0, 5), "UNKNOWN"),
        ((0, 2, 7), "UNKNOWN"),
        ((0, 1), "CRITICAL"),
        ((1, 2, 5, 7), "CRITICAL"),
        ((), "UNKNOWN"),
    ],
)
def test_a_failure_goes_before_what_could_not_be_told_and_that_before_a_warning(
    results: tuple[int, ...], state: str
) -> None:
    assert nagios.state(run(*(ONE_OF_EACH[at] for at in results))).name == state


def test_ok_exactly_when_check_exits_0() -> None:
    for wanted in product([False, True], repeat=len(ONE_OF_EACH)):
        made_up = run(*(one for one, taken in zip(ONE_OF_EACH, wanted, strict=True) if taken))
        assert (nagios.state(made_up) == 0) == (made_up.exit_code == 0)


def test_the_line_says_state_counts_and_what_is_worst_first() -> None:
    said, _, performance = nagios.line(run(*reversed(ONE_OF_EACH)), 7.94).partition(" | ")
    assert said == (
        "CJSM CRITICAL - Exampleshire: 1 pass, 1 fail, 2 warn, 1 waived, 2 not_tested, 1 error; "
        "firewall.input on relay: fail, firewall.input on relay: error, firewall.input on relay: not_tested, "
        "firewall.input on relay: warn"
    )
    assert performance == (
        "pass=1;;;0;8 fail=1;;0;0;8 warn=2;;;0;8 waived=1;;;0;8 not_tested=2;;;0;8 error=1;;;0;8 time=7.9s;;;0"
    )


def test_many_findings_are_named_in_part_and_counted() -> None:
    failing = [replace(made(Status.FAIL), check=f"firewall.n{number}") for number in range(9)]
    assert "firewall.n4 on relay: fail and 4 more |" in nagios.line(run(*failing), 1)


def test_it_is_one_line_with_one_bar_whatever_names_there_are() -> None:
    hostile = replace(made(Status.FAIL), subject="relay|x=1\nOK")
    for line in (nagios.line(run(hostile, organisation="A|B\nC"), 1), nagios.unknown("a|b\nc")):
        assert "\n" not in line
        assert line.count("|") <= 1
        assert all(PERFORMANCE.fullmatch(part) for part in line.partition(" | ")[2].split())


def test_a_narrowed_run_says_so() -> None:
    line = nagios.line(run(made(Status.PASS), narrowed=("firewall.default-deny",)), 1)
    assert line.startswith("CJSM OK - Exampleshire: ONLY 1 requirements, 1 pass |")
