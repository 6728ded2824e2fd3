"""The field catalogues: what is known of each version of the form, as data files with their source and day."""

from __future__ import annotations

import tomllib
from datetime import date
from functools import cache
from pathlib import Path

from cjsm_connect.organisation.values import Part, Several, Text
from cjsm_connect.results import Requirement


class Field(Part):
    """One thing that a form asks. `answer` names who answers it; 2009-checklist.toml tells the keys."""

    part: Text
    place: Text
    question: Text
    answer: Text
    missing: Text
    words: Several[Text] = ()
    prerequisite: Text | None = None
    declared_by: Text | None = None
    optional: bool = False


class Form(Part):
    """A version of the form as it was seen on a day (`as_of`), with what has to be confirmed about it today."""

    id: Text
    version: int
    title: Text
    as_of: date
    source: Text
    confirm: Text
    field: Several[Field]

    def parts(self) -> dict[str, tuple[Field, ...]]:
        """The fields under their headings, in the form's order."""
        return {name: tuple(one for one in self.field if one.part == name) for name in dict.fromkeys(self._headings())}

    def _headings(self) -> list[str]:
        return [one.part for one in self.field]

    def proves(self, requirement: Requirement, field: Field) -> bool:
        """Whether a requirement's results answer a field: it names its question, or is part of its pre-requisite."""
        part = requirement.prerequisite and requirement.prerequisite == field.prerequisite and not requirement.advice
        return bool(part) or self.asked_by(requirement) == field

    def asked_by(self, requirement: Requirement) -> Field | None:
        """The field whose question a requirement names: the first with a word of it."""
        if not requirement.question:
            return None
        asked = requirement.question.lower()
        return next((one for one in self.field if any(word in asked for word in one.words)), None)


@cache
def form(name: str) -> Form:
    """A catalogue of this folder, by its file name without the ending."""
    return Form.model_validate(tomllib.loads(Path(__file__).with_name(f"{name}.toml").read_text(encoding="utf-8")))


def forms() -> tuple[Form, ...]:
    """Every version that is known, the oldest first."""
    names = sorted(path.stem for path in Path(__file__).parent.glob("*.toml"))
    return tuple(form(name) for name in names)
