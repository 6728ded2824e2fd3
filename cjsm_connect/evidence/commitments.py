"""Commitments: what a bundle says without showing it, so that its owner can show a single field later and prove it.

HMAC-SHA-256 over a value with a random salt of 256 bits of its own: an unsalted digest of an address or a name is found
by trying them all. Anybody checks an opened field: printf %s VALUE | openssl dgst -sha256 -mac HMAC -macopt hexkey:SALT
"""

from __future__ import annotations

import hashlib
import hmac
import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cjsm_connect.printable import shown

from . import Refused
from .strict_json import parse, readable

COMMITMENTS = "commitments.json"
SALTS = "salts.json"  # with the values; only in the original
SALT_BYTES = 32

Entropy = Callable[[int], bytes]


@dataclass(frozen=True, slots=True)
class Field:
    """A value that may be hidden: its pseudonym, what kind of value it is, and the salt of its commitment (hex)."""

    name: str
    kind: str
    value: str
    salt: str

    @property
    def commitment(self) -> str:
        """HMAC-SHA-256 of the value (UTF-8) with the salt as key, hex."""
        value = self.value.encode("utf-8", "backslashreplace")
        return hmac.new(bytes.fromhex(self.salt), value, hashlib.sha256).hexdigest()


def fields(values: Mapping[str, Iterable[str]], entropy: Entropy) -> list[Field]:
    """A field for each value, by kind; numbered within the kind in an order that `entropy` decides and nothing else."""
    rows = [(kind, value) for kind in values for value in sorted(set(values[kind]))]
    drawn = sorted(rows, key=lambda row: entropy(16))
    numbers: Counter[str] = Counter()
    made = []
    for kind, value in drawn:
        numbers[kind] += 1
        made.append(Field(f"{kind}-{numbers[kind]}", kind, value, entropy(SALT_BYTES).hex()))
    return made


def sealed(made: Iterable[Field]) -> bytes:
    """commitments.json: every field with its commitment, without its value."""
    return readable([{"field": one.name, "kind": one.kind, "hmac_sha256": one.commitment} for one in _ordered(made)])


def opened(made: Iterable[Field]) -> bytes:
    """Fields with their values and salts: salts.json when it is all of them."""
    rows = [{"field": one.name, "kind": one.kind, "value": one.value, "salt": one.salt} for one in _ordered(made)]
    return readable(rows)


def _ordered(made: Iterable[Field]) -> list[Field]:
    return sorted(made, key=lambda one: (one.kind, int(one.name.rpartition("-")[2])))


def read_opened(data: bytes, name: str) -> list[Field]:
    """Fields from what `opened` wrote.

    Raises:
        Refused: it is something else.
    """
    return [_field(row, name) for row in _rows(data, name)]


def _rows(data: bytes, name: str) -> list[Any]:
    rows = parse(data, name)
    if not isinstance(rows, list):
        raise Refused(f"{name}: expected a list of fields")
    return rows


def _field(row: Any, name: str) -> Field:
    texts = [str(row.get(key)) for key in ("field", "kind", "value", "salt")] if isinstance(row, dict) else [""] * 4
    if not re.fullmatch("[0-9a-f]{64}", texts[3]):
        raise Refused(f"{name}: expected each field to have field, kind, value and a salt of 256 bits")
    if not re.fullmatch(r"[a-z]{1,20}-[1-9]\d{0,8}", texts[0]):
        raise Refused(f"{name}: expected fields named like address-1, found {shown(texts[0])}")
    return Field(*texts)


def doubts(commitments: bytes, made: Iterable[Field]) -> list[str]:
    """What is wrong with opened fields, in words; nothing when each is what was committed to.

    Raises:
        Refused: `commitments` is no commitments.json.
    """
    rows = [row for row in _rows(commitments, COMMITMENTS) if isinstance(row, dict)]
    known = {row.get("field"): row.get("hmac_sha256") for row in rows}
    return [
        f"{one.name}: {shown(one.value)} is not what the bundle was committed to"
        for one in made
        if known.get(one.name) != one.commitment
    ]
