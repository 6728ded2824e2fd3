"""What follows from results: a failure refuses, what is not shown is never taken for met, limits are conditions."""

from datetime import UTC, datetime, timedelta

import pytest

from cjsm_connect.engineer.criteria import Criteria, Criterion, Limits
from cjsm_connect.engineer.judgement import Decision, Outcome, decision, reasons
from cjsm_connect.evidence import statement
from cjsm_connect.results import Status
from cjsm_connect.results.catalogue import Catalogue
from tests.evidence.samples import REQUIREMENTS, result, run

CATALOGUE = Catalogue(REQUIREMENTS, "0123456789ab")
ENDED = datetime(2026, 11, 21, 11, 59, 58, tzinfo=UTC)


def criteria(not_met="refuse", not_shown="refuse", laboratory="condition"):
    row = Criterion(id="inner", text="The inner hop", source="Clause 17", requirements=("tls.inner",),
                    not_met=not_met, not_shown=not_shown)  # fmt: skip
    return Criteria(schema=1, title="Mine", version="1", bundle=Limits(laboratory=laboratory), criteria=(row,))


def judged(*results, by=None, now=ENDED, **changes):
    made = run(*(results or (result("logging.forward"),)), **changes)
    said = statement.state(made, {}, statement.validity(ENDED, 30, None)).predicate
    return reasons(by or criteria(), CATALOGUE, said, made.plain()["results"], now)


@pytest.mark.parametrize(
    ("statuses", "outcome", "follows"),
    [
        (["pass"], Outcome.MET, Decision.COMPATIBLE),
        (["pass", "pass"], Outcome.MET, Decision.COMPATIBLE),
        (["pass", "fail"], Outcome.NOT_MET, Decision.NOT_COMPATIBLE),
        (["error", "fail"], Outcome.NOT_MET, Decision.NOT_COMPATIBLE),
        (["pass", "warn"], Outcome.LIMITED, Decision.CONDITIONS),
        (["pass", "waived"], Outcome.LIMITED, Decision.CONDITIONS),
        (["pass", "not_tested"], Outcome.NOT_SHOWN, Decision.NOT_COMPATIBLE),
        (["warn", "error"], Outcome.NOT_SHOWN, Decision.NOT_COMPATIBLE),
        ([], Outcome.NOT_SHOWN, Decision.NOT_COMPATIBLE),
    ],
)
def test_the_worst_result_decides_a_criterion_and_only_all_pass_meets_it(statuses, outcome, follows):
    found = judged(*(result("tls.inner", Status(status), subject=f"host{n}") for n, status in enumerate(statuses)))
    assert [reason.outcome for reason in found] == [outcome]
    assert decision(found) is follows


def test_a_criterion_can_leave_what_is_not_shown_as_a_condition_but_a_failure_still_refuses():
    by = criteria(not_shown="condition")
    assert decision(judged(by=by)) is Decision.CONDITIONS
    assert decision(judged(result("tls.inner", Status.FAIL), by=by)) is Decision.NOT_COMPATIBLE


def test_a_result_that_was_accepted_by_the_organisation_is_still_not_shown_to_the_engineer():
    (found,) = judged(result("tls.inner", Status.NOT_TESTED, scoped=True, reason="no vantage"))
    assert found.outcome is Outcome.NOT_SHOWN
    assert "no vantage" in found.evidence[0]


def test_a_status_that_nobody_knows_is_not_shown():
    rows = [{"requirement": "tls.inner", "status": "excellent"}]
    said = statement.state(run(), {}, statement.validity(ENDED, 30, None)).predicate
    assert reasons(criteria(), CATALOGUE, said, rows, ENDED)[0].outcome is Outcome.NOT_SHOWN


def test_a_laboratory_says_nothing_about_an_organisation():
    found = judged(result("tls.inner"), laboratory="lab")
    assert decision(found) is Decision.CONDITIONS
    assert (
        decision(judged(result("tls.inner"), laboratory="lab", by=criteria(laboratory="refuse")))
        is Decision.NOT_COMPATIBLE
    )


@pytest.mark.parametrize(("days", "follows"), [(31, Decision.COMPATIBLE), (32, Decision.NOT_COMPATIBLE)])
def test_evidence_that_was_seen_too_long_ago_is_refused(days, follows):
    assert decision(judged(result("tls.inner"), now=ENDED + timedelta(days=days))) is follows


@pytest.mark.parametrize("ended", ["yesterday", "2026-11-21T11:59:58"])
def test_a_time_that_cannot_be_read_is_no_recent_time(ended):
    assert decision(judged(result("tls.inner"), ended=ended)) is Decision.NOT_COMPATIBLE


def test_each_reason_carries_the_results_it_follows_from_as_plain_text():
    hostile = "\x1b[2Jno\nnew line"
    (found,) = judged(result("tls.inner", Status.FAIL, observed=hostile))
    assert found.evidence == (r"tls.inner-check on relay, seen from host: fail: \x1b[2Jno\x0anew line",)


def test_the_same_evidence_and_criteria_give_the_same_decision_again():
    assert judged(result("tls.inner", Status.WARN)) == judged(result("tls.inner", Status.WARN))
