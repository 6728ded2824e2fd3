"""The terms: what serves each clause, and when they are due again. Pure but for the data file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path

from cjsm_connect.application.prerequisites import Stated
from cjsm_connect.organisation.values import Part, Several, Text
from cjsm_connect.results import Requirement, Result

ACCEPTED = "terms-accepted"


class Clause(Part):
    """A duty of the terms, paraphrased. `by_people`: what only people can see to."""

    number: Text
    duty: Text
    by_people: Text = ""

    def serves(self, requirement: Requirement, version: str) -> bool:
        """Whether a requirement names this clause as its source."""
        named = set(re.findall(rf"Terms v{re.escape(version)} clause (\d+)", requirement.source))
        return bool(named & set(self.number.split(", ")))


class Terms(Part):
    """A version of the terms."""

    version: Text
    as_of: date
    source: Text
    confirm: Text
    renewal_source: Text
    clause: Several[Clause]


@dataclass(frozen=True, slots=True)
class Item:
    """A clause with the requirements that serve it, and their results if there are any."""

    clause: Clause
    requirements: tuple[Requirement, ...]
    results: tuple[Result, ...]


@dataclass(frozen=True, slots=True)
class Renewal:
    """When the terms were accepted, by whom, and by when again. `late`: that day is over, or nobody accepted them."""

    accepted: date | None
    owner: str
    due: date | None
    late: bool


@cache
def terms() -> Terms:
    """The terms that this tool knows."""
    return Terms.model_validate(tomllib.loads(Path(__file__).with_name("terms.toml").read_text(encoding="utf-8")))


def checklist(requirements: Mapping[str, Requirement], results: Sequence[Result]) -> tuple[Item, ...]:
    """Every clause, in the order of the terms, with what serves it."""
    return tuple(_item(one, requirements, results) for one in terms().clause)


def _item(clause: Clause, requirements: Mapping[str, Requirement], results: Sequence[Result]) -> Item:
    serving = tuple(one for one in requirements.values() if clause.serves(one, terms().version))
    ids = {one.id for one in serving}
    return Item(clause, serving, tuple(one for one in results if one.requirement in ids))


def renewal(stated: Stated) -> Renewal:
    """One year after a signatory accepted the terms (the declaration `terms-accepted`)."""
    made = stated.find(ACCEPTED)
    if made is None:
        return Renewal(None, "", None, late=True)
    due = _a_year_after(made.date)
    return Renewal(made.date, made.owner, due, late=stated.today > due)


def _a_year_after(day: date) -> date:
    leap = (day.month, day.day) == (2, 29)
    return day.replace(year=day.year + 1, day=28 if leap else day.day)
