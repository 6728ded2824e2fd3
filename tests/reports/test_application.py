"""Every question of the application gets its answer, and what proves it."""

from __future__ import annotations

import pytest

from cjsm_connect.reports.application import CHECKLIST, Answer, Known, answers, form_of_2017, proves
from cjsm_connect.results import Requirement, Result, Severity, Status
from cjsm_connect.results import catalogue as catalogues
from tests.evidence.samples import ALL_PASS, REQUIREMENTS, material, result
from tests.made_up import ROOT, organisation


def answer(words: str, *results: Result, **changes: object) -> Answer:
    known = Known(organisation(**changes), material().versions["hosts"], results or ALL_PASS, REQUIREMENTS)
    [found] = [one for one in answers(known) if words in one.question]
    return found


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("premises", "Yes, on the organisation's premises"),
        ("authority to sign", "Robin Signatory, Director of Resources"),
        ("administrator", "Sam Administrator, sam.administrator@council.example, 020 7946 0002"),
        ("Which mail server", "Postfix version not seen on mail.council.example"),
        ("operating system", "relay.council.example: Debian GNU/Linux 13 (trixie), release 13.2"),
        ("operate a DMZ", "Yes: dmz, 198.51.100.0/24"),
        ("reside in the DMZ", "mail.council.example (mail server): No, in lan"),
        ("reside in the DMZ", "relay.council.example (relay): Yes, in dmz"),
        ("domain names", "licensing.council.example"),
    ],
)
def test_what_is_declared_or_seen_is_the_answer(words: str, line: str) -> None:
    assert line in answer(words).lines


def test_a_mail_server_elsewhere_is_said_so() -> None:
    assert answer("premises", organisation={"mail_server": "cloud"}).lines == ("No, at a cloud provider",)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (Status.PASS, "Yes"),
        (Status.WARN, "Yes, with warnings"),
        (Status.WAIVED, "Yes, with waivers"),
        (Status.FAIL, "Not shown in full: see what failed or was not tested"),
        (Status.NOT_TESTED, "Not shown in full: see what failed or was not tested"),
        (Status.ERROR, "Not shown in full: see what failed or was not tested"),
    ],
)
def test_a_question_about_practice_is_answered_by_results(status: Status, line: str) -> None:
    found = answer("maintained firewall", result("firewall.deny"), result("firewall.deny", status, subject="mail"))
    assert found.lines == (line,)
    assert len(found.proofs) == 2


def test_without_any_check_nothing_is_shown() -> None:
    assert answer("SSL", result("firewall.deny")).lines == ("Not shown: no check answers this question",)


def test_the_later_form_is_answered_from_the_organisation_file() -> None:
    told = {one.question: one.lines for one in form_of_2017(organisation())}
    assert told["How many users?"] == ("5 of 1200 staff",)
    assert told["Is webmail wanted as well?"] == ("No",)
    assert "it.helpdesk@council.example" in told["Technical contacts"][0]


def test_each_question_that_a_requirement_names_is_one_of_the_list() -> None:
    catalogue = catalogues.load(ROOT / "checks/requirements.toml")
    for requirement in catalogue.requirements.values():
        claimed = [question for question in CHECKLIST if proves(question, requirement)]
        assert len(claimed) == bool(requirement.question), f"{requirement.id}: {requirement.question!r}"


def test_a_requirement_without_a_question_proves_none() -> None:
    silent = Requirement("x.y", "x", "t", "w", "s", Severity.LOW)
    assert not any(proves(question, silent) for question in CHECKLIST)
