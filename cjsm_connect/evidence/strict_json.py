"""JSON that has one meaning: written canonically or readably, read without duplicate keys, NaN or endless nesting."""

from __future__ import annotations

import json
from collections import Counter
from typing import Any

import rfc8785

from cjsm_connect.printable import as_json, shown

from . import EvidenceError, Refused

MOST_BYTES = 8 * 2**20  # what is parsed when a bundle is verified: statement, envelope, results
# the results of three hosts have 4,500; a value of a few bytes takes over a hundred once it is parsed
MOST_VALUES = 400_000


def canonical(value: Any) -> bytes:
    """The one byte sequence for a value that RFC 8785 (JSON Canonicalization Scheme) defines.

    Raises:
        EvidenceError: the value has no canonical form (NaN, an integer beyond 2^53, a lone surrogate).
    """
    try:
        return rfc8785.dumps(value)
    except (rfc8785.CanonicalizationError, UnicodeEncodeError) as error:
        raise EvidenceError(f"a value cannot be written as canonical JSON (RFC 8785): {error}") from error


def readable(value: Any) -> bytes:
    """JSON for people and programs: sorted, indented, always the same for the same value.

    Bytes of a host that are not UTF-8 arrive here as lone surrogates; they and what a terminal would obey leave as JSON
    escapes.
    """
    return as_json(value, sort_keys=True, indent=1, allow_nan=False).encode("utf-8") + b"\n"


def parse(data: bytes, name: str) -> Any:
    """Read hostile JSON.

    Raises:
        Refused: too large, too many values, not UTF-8, not JSON, a key twice in one object, NaN, nested too deep, a
            number too long.
    """
    if len(data) > MOST_BYTES:
        raise Refused(f"{name}: larger than {MOST_BYTES // 2**20} MiB")
    if sum(map(data.count, (b",", b"[", b"{"))) > MOST_VALUES:
        raise Refused(f"{name}: holds more than {MOST_VALUES:,} values")
    try:
        return json.loads(data.decode("utf-8"), object_pairs_hook=_without_duplicates, parse_constant=_no_constant)
    except UnicodeDecodeError as error:
        raise Refused(f"{name}: expected JSON in UTF-8; byte {error.start} is not") from error
    except RecursionError as error:
        raise Refused(f"{name}: expected JSON of ordinary depth; it is nested too deeply") from error
    except ValueError as error:
        raise Refused(f"{name}: expected JSON; {shown(error)}") from error


def parse_object(data: bytes, name: str) -> dict[str, Any]:
    """As `parse`, for a file that must hold one object."""
    value = parse(data, name)
    if not isinstance(value, dict):
        raise Refused(f"{name}: expected one JSON object, found {type(value).__name__}")
    return value


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        twice = next(key for key, times in Counter(key for key, _ in pairs).items() if times > 1)
        raise ValueError(f"the key {twice!r} appears twice in one object")
    return members


def _no_constant(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")
