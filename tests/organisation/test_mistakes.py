"""Every mistake is told by file, key, what was found and what was expected; all at once and without a traceback."""

from __future__ import annotations

from pathlib import Path

import pytest

from cjsm_connect.organisation import OrganisationError, Problem, load
from cjsm_connect.results import CjsmError

from .mistaken import Mistake, mistakes

MISTAKES = mistakes()
ALONE = {"toml-text-without-quotes", "toml-key-twice"}
"""A file that is not TOML at all hides what else is in it."""


def problems_in(folder: Path) -> tuple[Problem, ...]:
    with pytest.raises(OrganisationError) as caught:
        load(folder)
    return caught.value.problems


def tells(problem: Problem, mistake: Mistake) -> bool:
    file, key, found, expected = mistake.reported
    return (
        problem.file == file and problem.key.startswith(key) and found in problem.found and expected in problem.expected
    )


def is_for_people(message: str) -> bool:
    foreign = ("Traceback", "pydantic", "ValidationError", "hunter2", "object at 0x", "Input should")
    return not any(word in message for word in foreign)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.name)
def test_a_mistake_is_told_by_file_key_found_and_expected(mistake: Mistake, tmp_path: Path) -> None:
    with pytest.raises(CjsmError) as caught:
        load(mistake.build(tmp_path))
    message = str(caught.value)
    assert isinstance(caught.value, OrganisationError)
    problems = caught.value.problems
    assert any(tells(problem, mistake) for problem in problems), message
    assert all(str(problem) in message for problem in problems)
    assert len(problems) <= 4, "one mistake is told as many"
    assert is_for_people(message)


def test_there_are_many_mistakes() -> None:
    assert len(MISTAKES) >= 60


def test_mistakes_in_different_places_are_all_told_at_once(tmp_path: Path) -> None:
    chosen = [mistake for mistake in MISTAKES if mistake.name in TOGETHER]
    assert len(chosen) == len(TOGETHER)
    folder = chosen[0].build(tmp_path)
    for mistake in chosen[1:]:
        mistake.apply(folder)
    problems = problems_in(folder)
    untold = [mistake.name for mistake in chosen if not any(tells(problem, mistake) for problem in problems)]
    assert not untold


TOGETHER = {
    "administered-from-anywhere",
    "ca-file-missing",
    "declaration-from-the-future",
    "domain-in-the-list-file",
    "e-mail-address-without-domain",
    "gateway-out-of-reach",
    "log-days-below-the-terms",
    "message-size-in-megabytes",
    "nhs-uk-is-not-a-secure-destination",
    "nobody-signs",
    "overlapping-networks",
    "port-too-high",
    "recipients-without-a-list",
    "schema-of-the-future",
    "syslog-without-port",
    "test-message-into-the-open",
    "two-relays-reboot-together",
    "unknown-table",
    "waiver-with-an-unknown-field",
}
