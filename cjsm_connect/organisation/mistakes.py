"""From pydantic's errors to problems that name the key as it stands in the file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from cjsm_connect.results.inputs import MOST_TOLD, and_more

from .problems import Problem, did_you_mean, shown_at

NAMING_KEYS = ("name", "id", "requirement", "check")
EXPECTED_TYPES = {
    "string_type": "a text in quotes",
    "int_type": "a whole number without quotes",
    "bool_type": "true or false, without quotes",
    "date_type": "a date such as 2026-11-01, without quotes",
    "datetime_type": "a time with its zone, such as 2026-11-22T09:00:00Z, without quotes",
    "timezone_aware": "a time with its zone, such as 2026-11-22T09:00:00Z",
    "tuple_type": "a list in [ ]",
    "dict_type": "a table",
    "model_type": "a table",
    "is_instance_of": "the name of a file in quotes",
    "too_short": "at least one entry",
    "too_long": "fewer entries (docs/limits.md)",
}
Location = tuple[int | str, ...]


def problems_of(error: ValidationError, model: type[BaseModel], at: Location, raw: object, file: str) -> list[Problem]:
    """All problems of one validation. `at` is where `raw` stands in the file, for the keys."""
    told = error.errors(include_url=False)
    problems = [_problem(details, model, at, raw, file) for details in told[:MOST_TOLD]]
    more = and_more(len(told))
    return [*problems, Problem(file, key_of(at, (), raw), f"{more} mistakes", "none")] if more else problems


def _problem(details: ErrorDetails, model: type[BaseModel], at: Location, raw: object, file: str) -> Problem:
    location = tuple(step for step in details["loc"] if step != "[key]")
    last = str((at + location)[-1])
    context = details.get("ctx", {})
    found = context.get("found") or shown_at(last, details["input"])
    expected = _expected(details, model, location)
    if details["type"] == "missing":
        found = "nothing"
    if details["type"] == "extra_forbidden":
        found = "an unknown key"
    return Problem(file, key_of(at, location, raw), found, expected)


def _expected(details: ErrorDetails, model: type[BaseModel], location: Location) -> str:
    kind, context = details["type"], details.get("ctx", {})
    if kind == "missing":
        return _required(model, location)
    if kind == "extra_forbidden":
        known = tuple(fields_at(model, location[:-1]))
        return f"one of: {', '.join(known)}{did_you_mean(str(location[-1]), known)}"
    if kind == "literal_error":
        return str(context["expected"]).replace("'", '"')
    if kind == "greater_than_equal":
        return f"at least {context['ge']}"
    if kind == "less_than_equal":
        return f"at most {context['le']}"
    return EXPECTED_TYPES.get(kind, details["msg"])


def _required(model: type[BaseModel], location: Location) -> str:
    if model.__name__ == "Hub" and len(location) == 1:
        return "a value: the hub's operator supplies it and there is no default"
    return "a value: this key is required"


def fields_at(model: type[BaseModel], location: Location) -> tuple[str, ...]:
    """The keys that a table at a location below a model may have."""
    for step in location:
        if isinstance(step, str):
            model = _model_in(model.model_fields[step].annotation) or model
    return tuple(model.model_fields)


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """The model inside an annotation such as `tuple[Person, ...]` or `Egress | None`."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    found = (_model_in(argument) for argument in get_args(annotation))
    return next((model for model in found if model is not None), None)


def key_of(at: Location, location: Sequence[int | str], raw: object) -> str:
    """A key as people find it: `hosts["relay"].ssh.port`; entries without a name are counted from 1."""
    key = "".join(_step(step) for step in at).lstrip(".")
    for step in location:
        raw = _below(raw, step)
        key += _entry(step, raw) if isinstance(step, int) else _step(step)
    return key


def _step(step: int | str) -> str:
    return f"[{step + 1}]" if isinstance(step, int) else f".{step}" if not step.startswith("[") else step


def _entry(index: int, value: object) -> str:
    return f"[{naming(value) or index + 1}]"


def naming(value: object) -> str:
    """The quoted name of a table in an array, or nothing."""
    if isinstance(value, dict):
        for key in NAMING_KEYS:
            if isinstance(value.get(key), str) and value[key]:
                return shown_at("", value[key])
    return ""


def _below(raw: object, step: int | str) -> object:
    if isinstance(raw, dict) and isinstance(step, str):
        return raw.get(step)
    if isinstance(raw, list) and isinstance(step, int) and step < len(raw):
        return raw[step]
    return None
