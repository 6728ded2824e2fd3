"""Whatever stands in the file: it is an organisation, or its problems are told. Nothing else is ever raised."""

from __future__ import annotations

import random
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from datetime import UTC, date, datetime, time
from typing import Any

import pytest

from cjsm_connect.organisation import OrganisationError, parse
from tests.made_up import TODAY

from .mistaken import EXAMPLE

pytestmark = pytest.mark.slow

NONSENSE: tuple[Any, ...] = (
    0,
    -1,
    10**30,
    1.5,
    float("nan"),
    True,
    "",
    " ",
    "x",
    "\x00",
    "../../etc/passwd",
    "ü" * 300,
    date(1, 1, 1),
    datetime(2026, 1, 1, tzinfo=UTC),
    time(4, 0),
    [],
    [[]],
    [{}],
    [1, "x", {}],
    {},
    {"x": {"y": []}},
)
SAMPLE = 400
Path = tuple[str | int, ...]


def example() -> dict[str, Any]:
    return tomllib.loads((EXAMPLE / "organisation.toml").read_text())


def files() -> dict[str, str]:
    names = ("domains.txt", "hub/ca.pem", "hub/inner-ca.pem", "hub/fingerprints.txt")
    return {name: (EXAMPLE / name).read_text() for name in names}


def places(value: Any, path: Path = ()) -> Iterator[Path]:
    if path:
        yield path
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, entry in entries:
        yield from places(entry, (*path, key))


def replaced(path: Path, value: Any) -> dict[str, Any]:
    mapping: Any = example()
    table = mapping
    for step in path[:-1]:
        table = table[step]
    table[path[-1]] = deepcopy(value)
    assert isinstance(mapping, dict)
    return mapping


def removed(path: Path) -> dict[str, Any]:
    mapping: Any = example()
    table = mapping
    for step in path[:-1]:
        table = table[step]
    del table[path[-1]]
    assert isinstance(mapping, dict)
    return mapping


def judged(mapping: dict[str, Any]) -> str:
    try:
        parse(mapping, files(), TODAY)
    except OrganisationError as error:
        assert error.problems
        return str(error)
    return ""


def test_nonsense_at_any_key_is_told_and_never_raised() -> None:
    chances = [(path, value) for path in places(example()) for value in NONSENSE]
    for path, value in random.Random(2026).sample(chances, SAMPLE):  # the same sample in every run
        message = judged(replaced(path, value))
        assert "Traceback" not in message, (path, value)
        assert all(ord(character) >= 32 or character == "\n" for character in message), (path, value)


def test_a_key_that_is_left_out_is_told_or_not_needed() -> None:
    needed = [path for path in places(example()) if judged(removed(path))]
    assert ("hub", "port") in needed
    assert ("estate", "administered_from") in needed
    assert ("mail", "queue_lifetime_days") not in needed


@pytest.mark.parametrize("value", NONSENSE, ids=repr)
def test_a_file_that_holds_nonsense_at_the_top_is_told(value: Any) -> None:
    assert "unknown key" in judged({**example(), "extra": value})
