"""--since shows what changed, and nothing that only one of the two runs was asked for."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest

from cjsm_connect.results import CjsmError, Result, Run, Status
from cjsm_connect.results.changes import NOTHING, Changes, compare, read
from tests.results.made_up import made

WHEN = "2026-11-21T12:00:00+00:00"


def run(*results: Result, **changes: Any) -> Run:
    return replace(Run(results, WHEN, WHEN, "Exampleshire", "digest", "0", "catalogue"), **changes)


def since(before: Run, after: Run) -> Changes:
    return compare(read(json.dumps(before.plain())), after)


def named(check: str, status: Status = Status.PASS, requirement: str = "firewall.default-deny") -> Result:
    return replace(made(status, reason="why"), check=check, requirement=requirement)


def seen(changes: Changes) -> list[tuple[str, str | None, str | None]]:
    return [(one.check, one.before and one.before.value, one.after and one.after.value) for one in changes.changes]


def test_what_is_new_gone_or_different_is_shown_and_the_rest_is_counted() -> None:
    before = run(named("same"), named("worse"), named("gone", Status.WARN), named("still", Status.FAIL))
    after = run(named("same"), named("worse", Status.FAIL), named("still", Status.FAIL), named("new", Status.ERROR))
    changes = since(before, after)
    assert seen(changes) == [("worse", "pass", "fail"), ("gone", "warn", None), ("new", None, "error")]
    assert [one.check for one in changes.results] == ["worse", "new"]
    assert changes.unchanged == {Status.PASS: 1, Status.FAIL: 1}


def test_one_check_on_two_hosts_is_two_results() -> None:
    mail = replace(named("one", Status.FAIL), subject="mail")
    assert seen(since(run(named("one"), mail), run(named("one", Status.FAIL), mail))) == [("one", "pass", "fail")]


def test_without_an_earlier_run_everything_is_new_and_it_is_said() -> None:
    changes = compare(NOTHING, run(named("one")))
    assert seen(changes) == [("one", None, "pass")]
    assert changes.notes == ("there is no earlier run: everything is new",)


def test_narrowing_now_makes_nothing_gone() -> None:
    before = run(named("one"), named("two", requirement="tls.other"))
    after = run(named("one", Status.FAIL), narrowed=("firewall.default-deny",))
    assert seen(since(before, after)) == [("one", "pass", "fail")]


def test_a_narrowed_run_before_makes_nothing_new_and_it_is_said() -> None:
    before = run(named("one"), narrowed=("firewall.default-deny",))
    changes = since(before, run(named("one"), named("two", requirement="tls.other")))
    assert seen(changes) == []
    assert changes.notes == ("the earlier run was narrowed: only what it judged is compared",)


def test_a_file_of_checks_that_cannot_be_read_is_a_change_whatever_was_asked_for() -> None:
    broken = named("collection.checks/test_tls.py", Status.ERROR, "collection")
    narrowed = ("firewall.default-deny",)
    changes = since(run(named("one"), narrowed=narrowed), run(named("one"), broken, narrowed=narrowed))
    assert seen(changes) == [("collection.checks/test_tls.py", None, "error")]


def test_a_changed_organisation_file_or_catalogue_is_said() -> None:
    changes = since(run(named("one")), run(named("one"), organisation_digest="other", catalogue_version="other"))
    assert changes.notes == (
        "the organisation file has changed since",
        "the catalogue of requirements has changed since",
    )


def test_another_organisation_is_refused() -> None:
    with pytest.raises(CjsmError, match="expected a run of Elsewhere, found one of Exampleshire"):
        since(run(named("one")), run(named("one"), organisation="Elsewhere"))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "expected the output of `cjsm check --json`"),
        ("[]", "expected the output"),
        ("[" * 100_000, "expected the output"),
        ('{"schema": 2}', "expected schema 1, found 2"),
        ('{"schema": 1, "run": {}, "results": []}', "KeyError: 'started'"),
        ('{"schema": 1, "run": {}, "results": [{}]}', "KeyError: 'check'"),
        ('{"schema": 1, "since": {}}', "found only changes; write it without --since"),
    ],
)
def test_what_is_no_run_is_refused_with_what_was_found(text: str, said: str) -> None:
    with pytest.raises(CjsmError, match=said):
        read(text)


def test_a_status_that_nobody_knows_is_refused() -> None:
    document = run(named("one")).plain()
    document["results"][0]["status"] = "passed"
    with pytest.raises(CjsmError, match="'passed' is not a valid Status"):
        read(json.dumps(document))
