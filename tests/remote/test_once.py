"""What several topics ask of one program is asked once, also at the same moment."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from cjsm_connect.remote import common, once


def test_everybody_who_asks_the_same_gets_the_answer_of_one_run(tmp_path: Path) -> None:
    counting = ["sh", "-c", f"echo x >> {tmp_path}/runs; sleep 0.2; echo told"]
    answers: list[tuple[int, str, str]] = []
    asking = [threading.Thread(target=lambda: answers.append(once.attempt(counting))) for _ in range(5)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert answers == [(0, "told\n", "")] * 5
    assert (tmp_path / "runs").read_text() == "x\n"


def test_another_question_is_another_run() -> None:
    assert once.attempt(["cat"], "one")[1] == "one"
    assert once.attempt(["cat"], "two")[1] == "two"


def test_a_program_that_must_succeed_and_did_not_is_a_failure_for_everybody() -> None:
    for _ in range(2):
        with pytest.raises(common.Failed, match="ended with 1: no"):
            once.run(["sh", "-c", "echo no >&2; exit 1"])
