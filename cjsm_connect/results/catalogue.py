"""The catalogue: every requirement, read from checks/requirements.toml."""

from __future__ import annotations

import hashlib
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

from cjsm_connect.results import CjsmError, Requirement, Severity

PREREQUISITES = {
    "firewall": "a maintained firewall",
    "antivirus": "automatically updating antivirus",
    "patching": "regular updates of hardware and software",
}
"""The three minimum prerequisites for a server connection, as the application process of 2009 names them."""

_OPTIONAL = {"prerequisite", "question", "advice"}
_REQUIRED = {field.name for field in fields(Requirement)} - _OPTIONAL


class CatalogueError(CjsmError):
    """checks/requirements.toml is not usable; the message lists every mistake."""


@dataclass(frozen=True, slots=True)
class Catalogue:
    """All requirements by id. `version`: two runs can be compared if it is equal.

    It is the file's edition, a number that grows with each change, and a short digest: "7.0123456789ab".
    """

    requirements: Mapping[str, Requirement]
    version: str

    def __getitem__(self, identifier: str) -> Requirement:
        """The requirement with this id.

        Raises:
            CatalogueError: there is none; a check names a requirement that nobody asked for.
        """
        try:
            return self.requirements[identifier]
        except KeyError:
            raise CatalogueError(
                f"requirement {identifier!r} is not in checks/requirements.toml; add it there"
            ) from None

    def of_prerequisite(self, prerequisite: str) -> tuple[str, ...]:
        """The ids of the requirements that belong to one of the three minimum prerequisites."""
        return tuple(r.id for r in self.requirements.values() if r.prerequisite == prerequisite)


def load(path: Path) -> Catalogue:
    """Read the catalogue.

    Raises:
        CatalogueError: the file is missing, is not TOML, or has mistakes (all of them are listed).
    """
    try:
        return parse(path.read_text(encoding="utf-8"))
    except (OSError, tomllib.TOMLDecodeError) as error:
        raise CatalogueError(f"{path.name}: expected a readable TOML file of requirements, found: {error}") from error


def parse(text: str) -> Catalogue:
    """The catalogue of a text; `load` without the file."""
    document = tomllib.loads(text)
    rows, number = document.get("requirement", []), document.get("edition", 0)
    if mistakes := list(_mistakes(rows)):
        raise CatalogueError("requirements.toml: " + "; ".join(mistakes))
    found = {row["id"]: _requirement(row) for row in rows}
    return Catalogue(found, f"{number}.{hashlib.sha256(text.encode()).hexdigest()[:12]}")


def edition(version: str) -> int | None:
    """The edition in a catalogue's version, the larger the newer; None for what is no version."""
    found = re.fullmatch(r"(0|[1-9][0-9]{0,8})\.[0-9a-f]{12}", version)
    return int(found[1]) if found else None


def _requirement(row: dict[str, Any]) -> Requirement:
    return Requirement(**{**row, "severity": Severity(row["severity"])})


def _mistakes(rows: Iterable[dict[str, Any]]) -> Iterator[str]:
    seen: set[str] = set()
    for number, row in enumerate(rows, 1):
        name = row.get("id", f"number {number}")
        yield from (f"{name}: {problem}" for problem in _row_mistakes(row))
        if name in seen:
            yield f"{name}: is there twice"
        seen.add(name)


def _row_mistakes(row: dict[str, Any]) -> Iterator[str]:
    if missing := sorted(key for key in _REQUIRED if not row.get(key)):
        yield f"lacks {', '.join(missing)}"
    if unknown := sorted(row.keys() - _REQUIRED - _OPTIONAL):
        yield f"has unknown keys {', '.join(unknown)}"
    if row.get("severity") not in set(Severity):
        yield f"severity is {row.get('severity')!r}, expected high, medium or low"
    if row.get("prerequisite", "") not in {"", *PREREQUISITES}:
        yield f"prerequisite is {row['prerequisite']!r}, expected one of {', '.join(PREREQUISITES)}"
    if not str(row.get("id", "")).startswith(f"{row.get('concern')}."):
        yield f"the id must start with its concern, {row.get('concern')!r} and a dot"
