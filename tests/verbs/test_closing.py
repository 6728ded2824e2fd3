"""What is in use closes only for somebody who has seen the list."""

from __future__ import annotations

import sys
from dataclasses import replace

import click
import pytest

from cjsm_connect.desired.closing import Closing, digest
from cjsm_connect.results import CjsmError
from cjsm_connect.verbs import apply, plan
from cjsm_connect.verbs._hosts import Subject
from tests.verbs.test_plan import everything_wrong, subject

IMAP = Closing("mail", "in", "tcp", 143, "lan", "dovecot listens", ("192.0.2.0/24",))
SMARTHOST = Closing("mail", "out", "tcp", 587, "smarthost.example", "Postfix sends there", ("203.0.113.9",))


def closing(*found: Closing, lab: str = "") -> list[Subject]:
    made = subject(everything_wrong())
    made.snapshot["lab"] = lab
    return [replace(made, closing=found)]


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Somebody at the terminal who says yes; what was asked."""
    asked: list[str] = []
    monkeypatch.setattr(sys.stdin, "isatty", lambda: True, raising=False)
    monkeypatch.setattr(click, "confirm", lambda text, **_: not asked.append(text))  # type: ignore[func-returns-value]
    return asked


def test_nothing_is_asked_where_nothing_closes(terminal: list[str]) -> None:
    apply.closing_agreed(closing(), yes=False, given="")
    assert not terminal


@pytest.mark.parametrize("lab", ["", "lab"])
@pytest.mark.parametrize("yes", [True, False])
def test_neither_yes_nor_a_lab_nor_a_pipe_closes_anything(monkeypatch: pytest.MonkeyPatch, lab: str, yes: bool) -> None:
    monkeypatch.setattr(sys.stdin, "isatty", lambda: False, raising=False)
    with pytest.raises(CjsmError) as refused:
        apply.closing_agreed(closing(IMAP, SMARTHOST, lab=lab), yes=yes, given="")
    said = str(refused.value)
    assert "143/tcp" in said and "smarthost.example" in said and "[[flows]]" in said
    assert f"--closing {digest([IMAP, SMARTHOST])}" in said


def test_yes_at_a_terminal_is_not_an_answer_to_a_list_that_nobody_was_shown(terminal: list[str]) -> None:
    with pytest.raises(CjsmError, match="in use"):
        apply.closing_agreed(closing(IMAP), yes=True, given="")
    assert not terminal


def test_somebody_at_the_terminal_is_asked_about_the_list_itself(terminal: list[str]) -> None:
    apply.closing_agreed(closing(IMAP, SMARTHOST), yes=False, given="")
    (question,) = terminal
    assert "dovecot listens" in question and "smarthost.example" in question


def test_the_digest_of_another_list_closes_nothing_and_the_list_of_now_is_shown(terminal: list[str]) -> None:
    apply.closing_agreed(closing(IMAP), yes=True, given=digest([IMAP]))
    with pytest.raises(CjsmError, match="another list") as refused:
        apply.closing_agreed(closing(IMAP, SMARTHOST), yes=True, given=digest([IMAP]))
    assert "smarthost.example" in str(refused.value)
    assert not terminal


def test_the_plan_names_what_closes_the_lines_that_keep_it_and_the_digest() -> None:
    found = closing(IMAP)
    shown = "\n".join([*map(plan.described, found), *plan.kept(found), plan.conclusion(found)])
    for text in ("would close: in", "143/tcp", "ports = [143]", f"cjsm apply --closing {digest([IMAP])}"):
        assert text in click.unstyle(shown)
    assert plan.as_data(found[0])["closing"][0]["port"] == 143
    assert "--closing" not in plan.conclusion(closing())
