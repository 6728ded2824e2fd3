"""Every field of a form gets its answer, where that comes from, and what proves it; nothing is guessed."""

from __future__ import annotations

import dataclasses
import tomllib
from datetime import date
from typing import Any

import pytest

from cjsm_connect.application.answers import FACTS, Answer, Known, Origin, answers, sections_of
from cjsm_connect.application.forms import Form, form, forms
from cjsm_connect.organisation.draft import examine
from cjsm_connect.results import Requirement, Result, Severity, Status
from cjsm_connect.results import catalogue as catalogues
from tests.evidence.samples import ALL_PASS, REQUIREMENTS, material, result
from tests.made_up import ROOT, TODAY, lab_file, merged, organisation

CHECKLIST, LATER = form("2009-checklist"), form("2017-form")
NOTHING_SEEN: tuple[Result, ...] = ()
ASKED = {
    "host.program": "Do you know which mail server your organisation uses?",
    "host.signed": "Do you have the authority to sign contracts?",
}
CATALOGUE = REQUIREMENTS | {
    name: Requirement(name, "host", name, "because", "s", Severity.HIGH, "", text) for name, text in ASKED.items()
}


def known(*results: Result, **changes: object) -> Known:
    """The lab's organisation with what was seen of it."""
    parts = sections_of(organisation(**changes))
    rows = {one.requirement for one in results} | {"tls.inner", "firewall.deny", "antivirus.fresh", "patching.current"}
    asked = {name: row for name, row in CATALOGUE.items() if name in rows}
    return Known(parts, TODAY, results, asked, material().versions["hosts"] if results else {})


def unwritten(changes: dict[str, Any], **more: Any) -> Known:
    """An organisation file as far as it is written: no host, no hub, no network yet."""
    bare = dict.fromkeys(("hosts", "hub", "inner", "estate", "vantage", "tests", "syslog", "mail"))
    draft = examine(merged(lab_file(), bare | changes), {}, TODAY, require_files=False)
    return Known(draft.sections, TODAY, problems=draft.problems, **more)


def answer(words: str, given: Known, of: Form = CHECKLIST) -> Answer:
    [found] = [one for one in answers(of, given) if words in one.question]
    return found


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("premises", "Yes, on the organisation's premises"),
        ("authority to sign", "Robin Signatory, Director of Resources"),
        ("administrator of", "Sam Administrator, sam.administrator@council.example, 020 7946 0002"),
        ("Which mail server", "Postfix (version not seen) on mail.council.example"),
        ("operating system", "relay.council.example: Debian GNU/Linux 13 (trixie), release 13.2"),
        ("operate a DMZ", "Yes: dmz, 198.51.100.0/24"),
        ("reside in the DMZ", "mail.council.example (mail server): No, in lan"),
        ("reside in the DMZ", "relay.council.example (relay): Yes, in dmz"),
        ("domain names", "licensing.council.example"),
        ("letter with the log-in", "EX1 1EX"),
        ("Technical contacts", "IT helpdesk, it.helpdesk@council.example, 020 7946 0003"),
        ("Single user", "Multi user: the terms to sign are the Multiple User version"),
    ],
)
def test_what_is_declared_or_seen_is_the_answer(words: str, line: str) -> None:
    assert line in answer(words, known(*ALL_PASS)).lines


def test_a_mail_server_elsewhere_is_said_so() -> None:
    moved = known(organisation={"mail_server": "cloud"})
    assert answer("premises", moved).lines == ("No, at a cloud provider",)
    assert answer("set-up", moved, LATER).lines == ("Cloud provider",)


def test_that_nobody_knows_is_no_answer_to_yes_or_no_and_a_choice_of_the_later_list() -> None:
    unknown = known(organisation={"mail_server": "unknown"})
    assert answer("premises", unknown).origin is Origin.MISSING
    assert answer("set-up", unknown, LATER).lines == ("Don't know",)


@pytest.mark.parametrize(
    ("status", "line"),
    [
        (Status.PASS, "Yes"),
        (Status.WARN, "Yes, with warnings"),
        (Status.WAIVED, "Yes, with waivers"),
        (Status.FAIL, "Not shown in full: 1 pass, 1 fail"),
        (Status.NOT_TESTED, "Not shown in full: 1 pass, 1 not tested"),
        (Status.ERROR, "Not shown in full: 1 pass, 1 error"),
    ],
)
def test_a_question_about_practice_is_answered_by_results(status: Status, line: str) -> None:
    rows = result("firewall.deny"), result("firewall.deny", status, subject="mail")
    found = answer("maintained firewall", known(*rows))
    assert found.lines == (line,)
    assert found.origin is Origin.OBSERVED
    assert len(found.proofs) == 2
    assert found.stops == line.startswith("Not shown")


def test_a_requirement_without_any_result_is_not_shown() -> None:
    given = known(result("firewall.deny"))
    more = {"firewall.other": dataclasses.replace(REQUIREMENTS["firewall.deny"], id="firewall.other")}
    found = answer("maintained firewall", dataclasses.replace(given, requirements={**given.requirements, **more}))
    assert found.lines == ("Not shown in full: 1 pass, 1 not looked at",)


def test_before_any_check_a_declaration_answers_with_its_owner_and_day() -> None:
    found = answer("maintained firewall", known())
    assert found.origin is Origin.DECLARED
    assert found.lines[0] == "Yes"
    assert found.basis == "Declared by Chris Technical on 2026-11-01"


def test_a_declaration_that_is_too_old_is_none_and_says_so() -> None:
    later = dataclasses.replace(known(), today=date(2028, 1, 1))
    found = answer("maintained firewall", later)
    assert found.origin is Origin.MISSING
    assert found.todo.startswith("the declaration of Chris Technical is of 2026-11-01: too old")


def test_what_was_declared_and_seen_otherwise_is_a_contradiction_that_names_both() -> None:
    found = answer("maintained firewall", known(result("firewall.deny", Status.FAIL)))
    assert found.contradictions[0].startswith("Chris Technical declared on 2026-11-01: The firewall is reviewed")
    assert found.contradictions[1] == "relay: Only declared flows pass: expected what should be; observed what is"
    assert found.stops


def test_a_declared_fact_that_a_host_denies_is_a_contradiction() -> None:
    denied = result("host.program", Status.FAIL, subject="mail", expected="postfix", observed="exim4-base 4.98")
    found = answer("Which mail server", known(denied))
    assert found.origin is Origin.DECLARED
    assert found.contradictions == ("mail: host.program: expected postfix; observed exim4-base 4.98",)
    assert found.lines == ("Postfix (version not seen) on mail.council.example",)


def test_a_declared_fact_that_a_host_confirms_is_observed_with_its_version() -> None:
    seen = result("host.program", subject="mail", observed="postfix 3.10.5-1")
    found = answer("Which mail server", known(seen))
    assert (found.origin, found.lines) == (Origin.OBSERVED, ("Postfix 3.10.5-1 on mail.council.example",))


def test_judging_a_declaration_is_not_seeing_and_its_remedy_is_the_thing_to_do() -> None:
    stale = result("host.signed", Status.FAIL, vantage="declaration", remedy="have a signatory accept the terms")
    found = answer("authority to sign", known(stale))
    assert (found.origin, found.contradictions) == (Origin.DECLARED, ())
    assert found.todo == "have a signatory accept the terms"


def test_without_any_check_and_declaration_nothing_is_shown() -> None:
    found = answer("SSL", known(declarations=[]))
    assert (found.origin, found.lines) == (Origin.MISSING, ())
    assert found.todo.startswith("cjsm apply and cjsm check; before there are hosts")


def test_before_any_host_exists_what_is_written_answers_and_the_rest_says_what_to_do() -> None:
    given = unwritten({})
    origins = {one.question: one.origin for one in answers(CHECKLIST, given)}
    assert origins["Organisation name, in full"] is Origin.DECLARED
    assert origins["Which mail server does your organisation use?"] is Origin.MISSING
    assert answer("operate a DMZ", given).todo.startswith("estate: found nothing. Needed: [[estate.networks]]")


def test_a_mistake_in_a_section_is_the_thing_to_do_for_all_that_needs_it() -> None:
    given = unwritten({"contacts": {"helpdesk": {"email": "helpdesk"}}})
    assert 'contacts.helpdesk.email: found "helpdesk"' in answer("Applicant", given).todo
    assert answer("Switchboard", given).origin is Origin.DECLARED


def test_as_many_users_as_are_declared_have_to_be_on_the_list() -> None:
    equal, other = (answer("How many users", unwritten({}, listed=number), LATER) for number in (5, 4))
    assert equal.contradictions == ()
    assert other.contradictions == ("organisation.users says 5; the list of users has 4",)


def test_the_later_form_is_answered_from_the_organisation_file() -> None:
    told = {one.question: one.lines for one in answers(LATER, known())}
    assert told["How many users?"] == ("5 of 1200 staff",)
    assert told["Is webmail wanted as well?"] == ("No",)
    assert told["Who sponsors the application?"][0].startswith("Pat Sponsor, Exampleshire Constabulary")


def test_who_has_no_sponsor_is_told_where_one_is_named() -> None:
    found = answer("sponsors", known(organisation={"sponsors": []}), LATER)
    assert found.stops
    assert "[[organisation.sponsors]]" in found.todo


def test_a_sponsor_in_a_family_of_domains_that_was_closed_is_a_contradiction() -> None:
    gone = {"name": "Pat", "organisation": "O", "domain": "x.gsi.gov.uk", "email": "pat@x.gsi.gov.uk"}
    found = answer("sponsors", known(organisation={"sponsors": [gone]}), LATER)
    assert found.contradictions == (
        "Pat: x.gsi.gov.uk was closed on 31 March 2019 (GOV.UK, Securing government email)",
    )
    assert found.stops


def test_what_the_form_does_without_stops_nobody() -> None:
    found = answer("Parent", known())
    assert (found.origin, found.stops) == (Origin.MISSING, False)
    assert answer("Parent", known(application={"parent": "Eastshire"})).lines == ("Eastshire",)


REAL = catalogues.load(ROOT / "checks/requirements.toml").requirements
PARTS = [one for one in REAL.values() if one.prerequisite and not one.advice]


@pytest.mark.parametrize("part", PARTS, ids=lambda one: one.id)
def test_no_prerequisite_is_answered_with_yes_while_a_part_of_it_fails(part: Requirement) -> None:
    rows = [result(one, Status.FAIL if one == part.id else Status.PASS) for one in REAL]
    given = Known(sections_of(organisation()), TODAY, rows, REAL)
    [found] = [one for one in answers(CHECKLIST, given) if one.field.prerequisite == part.prerequisite]
    assert found.lines[0].startswith("Not shown in full")
    assert found.contradictions
    others = [one for one in answers(CHECKLIST, given) if one.field.prerequisite not in (None, part.prerequisite)]
    assert [one.lines for one in others] == [("Yes",)] * 2


def test_each_question_that_a_requirement_names_is_a_field_of_the_checklist() -> None:
    for requirement in REAL.values():
        assert bool(CHECKLIST.asked_by(requirement)) == bool(requirement.question), requirement.id


def test_a_requirement_without_a_question_proves_none() -> None:
    silent = Requirement("x.y", "x", "t", "w", "s", Severity.LOW)
    assert not any(CHECKLIST.proves(silent, one) for one in CHECKLIST.field)


def test_what_belongs_to_a_prerequisite_proves_its_question_too_but_advice_does_not() -> None:
    [asked] = [one for one in CHECKLIST.field if one.prerequisite == "antivirus"]
    part = Requirement("x.y", "x", "t", "w", "s", Severity.LOW, "antivirus", "")
    assert CHECKLIST.proves(part, asked)
    assert not CHECKLIST.proves(dataclasses.replace(part, advice=True), asked)
    assert not CHECKLIST.proves(dataclasses.replace(part, prerequisite="patching"), asked)


@pytest.mark.parametrize("of", forms(), ids=lambda one: one.id)
def test_each_catalogue_says_of_when_and_from_where_it_is_and_names_answers_that_exist(of: Form) -> None:
    assert of.as_of < TODAY
    assert of.source
    assert "may ask otherwise" in of.confirm
    assert {one.answer for one in of.field} <= FACTS.keys() | {"practice"}
    assert len({one.question for one in of.field}) == len(of.field)


def test_what_a_field_tells_to_write_is_a_key_of_the_organisation_file() -> None:
    tables = tomllib.loads((ROOT / "inventories/example/organisation.toml").read_text())
    for one in (field for of in forms() for field in of.field):
        named = [word for word in tables if f"{word}." in one.missing or f"[{word}" in one.missing]
        assert named or "cjsm" in one.missing, one.question
