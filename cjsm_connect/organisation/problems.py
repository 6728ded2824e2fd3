"""What is wrong with an organisation file, said so that it can be mended: file, key, found, expected."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, time

from cjsm_connect.printable import as_json, escaped
from cjsm_connect.results import CjsmError
from cjsm_connect.results.inputs import MOST_TOLD, and_more

SECRET_KEY = re.compile("password|secret|token|passphrase")
LONGEST_SHOWN = 70
LONGEST_KEY = 200


@dataclass(frozen=True, order=True)
class Problem:
    """One mistake: in which file, at which key (or line), what stands there and what should."""

    file: str
    key: str
    found: str
    expected: str

    def __str__(self) -> str:
        key = self.key if len(self.key) <= LONGEST_KEY else f"{self.key[:LONGEST_KEY]}..."
        return escaped(f"{self.file}: {key}: found {self.found}; expected {self.expected}")


class OrganisationError(CjsmError):
    """The organisation file cannot be used. Carries every problem found, not only the first."""

    def __init__(self, problems: Iterable[Problem]) -> None:
        self.problems = tuple(sorted(set(problems)))
        count = len(self.problems)
        noun = "problem" if count == 1 else "problems"
        lines = [f"\n  {problem}" for problem in self.problems[:MOST_TOLD]]
        lines += [f"\n  {more}" for more in (and_more(count),) if more]
        super().__init__(f"The organisation file has {count:,} {noun}; nothing was touched. Correct:{''.join(lines)}")


def shown(value: object) -> str:
    """A value as its author would recognise it: TOML's spelling, shortened, one line, no control characters."""
    if value is None:
        return "nothing"
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list | tuple):
        return "an empty list" if not value else "a list"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, date | time):
        return value.isoformat()
    text = str(value)
    shortened = text if len(text) <= LONGEST_SHOWN else f"{text[:LONGEST_SHOWN]}..."
    return as_json(shortened) if isinstance(value, str) else shortened


def shown_at(key: str, value: object) -> str:
    """Like `shown`, but a value at a key that sounds like a secret stays hidden."""
    return "a value (not shown)" if SECRET_KEY.search(key) and value is not None else shown(value)


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """` (did you mean "port"?)` for the nearest known word, or nothing."""
    import difflib  # only needed once something is wrong

    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f' (did you mean "{near[0]}"?)' if near else ""
