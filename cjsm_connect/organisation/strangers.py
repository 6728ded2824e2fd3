"""Values that a stranger wrote (in a bundle, a record, a certificate, an answer of DNS), read as if they stood in the
organisation file: each in the form that is kept there, or not at all. Pure.
"""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any

from pydantic import TypeAdapter, ValidationError

from . import values


def domain(value: object) -> str | None:
    """A domain name, as A-labels."""
    found: str | None = _read("Domain", value)
    return found


def address(value: object) -> str | None:
    """One IP address, in its shortest form, without a zone."""
    found = _read("Address", value)
    return None if found is None else str(found)


def port(value: object) -> int | None:
    """A TCP port."""
    found: int | None = _read("Port", value)
    return found


def text(value: object) -> str | None:
    """A text of one line, without control characters."""
    found: str | None = _read("Text", value)
    return found


def url(value: object) -> str | None:
    """An address of http or https, without a user name or password."""
    found: str | None = _read("Url", value)
    return found


def moment(value: object) -> datetime | None:
    """A time with its zone, in UTC, as an organisation file has it; from the text in which JSON carries it."""
    try:
        return _read("Moment", datetime.fromisoformat(value)) if isinstance(value, str) else None
    except (ValueError, OverflowError):  # the year 1 or 9999 has no UTC in every zone
        return None


def _read(kind: str, value: object) -> Any:
    try:
        return _form(kind).validate_python(value, strict=True)
    except (ValidationError, ValueError, OverflowError):
        return None


@cache
def _form(kind: str) -> TypeAdapter[Any]:
    return TypeAdapter(getattr(values, kind))
