"""The table shows everything, the worst last, and nothing that a host said is markup."""

from __future__ import annotations

from dataclasses import replace

import pytest
from rich.console import Console

from cjsm_connect.reports.table import rendered
from cjsm_connect.results import Result, Run, Status
from cjsm_connect.results.catalogue import Catalogue
from tests.results.made_up import REQUIREMENT, made

CATALOGUE = Catalogue({REQUIREMENT.id: REQUIREMENT}, "v")


def shown(*results: Result) -> str:
    run = Run(results, "2026-11-21T12:00:00+00:00", "2026-11-21T12:00:09+00:00", "Exampleshire", "d", "0", "c", "h5")
    console = Console(width=120, markup=False, highlight=False, emoji=False)
    with console.capture() as captured:
        for part in rendered(run, CATALOGUE):
            console.print(part)
    return captured.get()


def test_a_failure_says_what_was_expected_what_was_seen_and_what_to_do() -> None:
    text = shown(made(Status.FAIL))
    for said in ("fail", "firewall.input on relay", "policy drop", "policy accept", "cjsm apply"):
        assert said in text


def test_a_finding_says_why_it_matters_and_who_asks_for_it() -> None:
    text = shown(made(Status.FAIL))
    assert f"matters       {REQUIREMENT.why}" in text
    assert f"asked for by  {REQUIREMENT.source}" in text
    assert REQUIREMENT.source not in shown(made(Status.PASS))


def test_hosts_with_the_same_finding_share_it() -> None:
    text = shown(made(Status.FAIL), replace(made(Status.FAIL), subject="mail"))
    assert text.count("cjsm apply") == 1
    assert "firewall.input on relay, mail" in text


def test_hosts_that_differ_stand_apart() -> None:
    text = shown(made(Status.FAIL), replace(made(Status.FAIL), subject="mail", observed="no policy"))
    assert text.count("cjsm apply") == 2


def test_checks_without_an_answer_for_one_reason_are_told_once() -> None:
    down = made(Status.ERROR, reason="relay could not be asked: SSH does not reach it")
    text = shown(down, replace(down, check="firewall.output"))
    assert text.count("could not be asked") == 1
    assert "firewall.input, firewall.output on relay (2 checks)" in text


def test_the_worst_stands_last() -> None:
    text = shown(made(Status.ERROR, reason="it broke"), made(Status.FAIL), made(Status.WARN))
    assert text.index("policy accept") < text.index("it broke")


def test_the_totals_name_every_status_and_the_lab() -> None:
    text = shown(made(Status.PASS), made(Status.FAIL), replace(made(Status.NOT_TESTED), scoped=True))
    assert "3 results: 1 pass, 1 fail, 0 warn, 0 waived, 1 not tested, 0 error" in text
    assert "1 not tested accepted" in text
    assert "the lab 'h5'" in text


def test_a_prerequisite_is_as_good_as_its_worst_result_and_nothing_seen_is_not_passed() -> None:
    text = shown(made(Status.PASS), made(Status.FAIL))
    firewall = next(line for line in text.splitlines() if "a maintained firewall" in line)
    antivirus = next(line for line in text.splitlines() if "antivirus" in line)
    assert "fail" in firewall
    assert "1 of 2 passed" in firewall
    assert "not tested" in antivirus


@pytest.mark.parametrize("hostile", ["[bold red]x[/]", "[link=file:///etc/passwd]x[/link]", ":skull:"])
def test_markup_from_a_host_is_only_text(hostile: str) -> None:
    assert hostile in shown(replace(made(Status.FAIL), observed=hostile))
