"""The engineer's criteria: a versioned TOML file in which each row names its source. Pure but for `load`."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, StringConstraints, ValidationError, model_validator

from cjsm_connect.results import CjsmError, inputs
from cjsm_connect.results.catalogue import PREREQUISITES, Catalogue

SHIPPED = Path(__file__).with_name("criteria.toml")

Text = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=1000)]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9-]{0,63}$")]
Effect = Literal["refuse", "condition"]


class CriteriaError(CjsmError):
    """The criteria file cannot be used; the message lists every mistake."""


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid")


class Criterion(_Part):
    """One thing that must be shown. Its results are those of its requirements, or of a minimum prerequisite.

    `not_met` and `not_shown` say what follows: the system is refused, or it may connect on a condition.
    """

    id: Identifier
    text: Text
    source: Text
    requirements: tuple[Text, ...] = ()
    prerequisite: Text | None = None
    not_met: Effect = "refuse"
    not_shown: Effect = "refuse"

    @model_validator(mode="after")
    def _names_one_kind(self) -> Criterion:
        if bool(self.requirements) == bool(self.prerequisite):
            raise ValueError("expected either requirements or prerequisite")
        if self.prerequisite and self.prerequisite not in PREREQUISITES:
            raise ValueError(f"prerequisite {self.prerequisite!r}: expected one of {', '.join(PREREQUISITES)}")
        return self

    def named(self, catalogue: Catalogue) -> tuple[str, ...]:
        """The ids of the requirements that it is about."""
        return catalogue.of_prerequisite(self.prerequisite) if self.prerequisite else self.requirements


class Limits(_Part):
    """What is asked of every bundle. `max_age_days`: since the hosts were looked at."""

    max_age_days: Annotated[int, Field(ge=1, le=366)] = 31
    laboratory: Effect = "condition"


class Criteria(_Part):
    """The whole file. `digest` is the SHA-256 of its text, so that a record says by what it was judged."""

    schema_: Literal[1] = Field(alias="schema")
    title: Text
    version: Text
    bundle: Limits = Limits()
    criteria: Annotated[tuple[Criterion, ...], Field(min_length=1, max_length=500)]
    digest: str = ""

    @model_validator(mode="after")
    def _ids_are_unique(self) -> Criteria:
        names = [one.id for one in self.criteria]
        if twice := sorted({name for name in names if names.count(name) > 1}):
            raise ValueError(f"criteria that are there twice: {', '.join(twice)}")
        return self


def load(path: Path, catalogue: Catalogue) -> Criteria:
    """Read the criteria.

    Raises:
        CriteriaError: not readable, not TOML, or not criteria; each mistake is named.
    """
    try:
        data = inputs.read(path, inputs.CRITERIA)
    except inputs.Unreadable as error:
        raise CriteriaError(str(error)) from error
    return parse(data, catalogue, str(path))


def parse(data: bytes, catalogue: Catalogue, name: str) -> Criteria:
    """The criteria of a text; `load` without the file."""
    try:
        found = inputs.toml(data.decode("utf-8"))
        criteria = Criteria.model_validate({**_tuples(found), "digest": hashlib.sha256(data).hexdigest()})
    except ValidationError as error:
        raise CriteriaError(f"{name}: {'; '.join(_mistakes(error))}") from error
    except ValueError as error:
        raise CriteriaError(f"{name}: expected TOML in UTF-8, found: {error}") from error
    unknown = {one for row in criteria.criteria for one in row.requirements} - catalogue.requirements.keys()
    if unknown:
        raise CriteriaError(
            f"{name}: requirements that the catalogue does not have: {', '.join(sorted(unknown))}. "
            "Their names are in checks/requirements.toml"
        )
    return criteria


def _tuples(value: Any) -> Any:
    """TOML's arrays as tuples, as the strict model wants them."""
    if isinstance(value, dict):
        return {key: _tuples(inner) for key, inner in value.items()}
    return tuple(map(_tuples, value)) if isinstance(value, list) else value


def _mistakes(error: ValidationError) -> list[str]:
    told = error.errors(include_url=False)
    return [*map(_mistake, told[: inputs.MOST_TOLD]), *filter(None, [inputs.and_more(len(told))])]


def _mistake(error: Any) -> str:
    place = ".".join(str(step) for step in error["loc"]) or "the file"
    return f"{place}: {error['msg']}"
