"""Everything that can be said about an organisation file: its valid parts, and all its problems at once. Pure."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any, get_args, get_origin

from pydantic import BaseModel, ValidationError

from cjsm_connect.results.inputs import MOST_TOLD, and_more

from .mistakes import naming, problems_of
from .model import Organisation, Sections
from .problems import OrganisationError, Problem, did_you_mean, shown
from .references import certificate_problems, referred_files, resolve
from .rules import RULES, Known
from .values import MOST_ENTRIES

SCHEMA = 1
NOT_CONTENT = ("ssh_config", "known_hosts")
"""Files of the folder that say how to reach the hosts, not what the organisation is."""


@dataclass(frozen=True)
class Draft:
    """The sections that are valid, and what is wrong with the others. An array keeps its valid entries."""

    sections: Mapping[str, Any]
    problems: tuple[Problem, ...]
    folder: Path
    files: Mapping[str, str]
    digest: str

    def organisation(self) -> Organisation:
        """The organisation, or OrganisationError with every problem."""
        if self.problems:
            raise OrganisationError(self.problems)
        # each section is validated already; a second validation would double the time `apply` needs to start
        return Organisation.model_construct(**self.sections, folder=self.folder, files=self.files, digest=self.digest)


def examine(  # noqa: PLR0913 - the folder's content as plain values, so that this stays pure
    mapping: Mapping[str, Any],
    files: Mapping[str, str],
    today: date,
    *,
    folder: Path = Path("/"),
    file: str = "organisation.toml",
    require_files: bool = True,
    refused: Mapping[str, str] | None = None,
) -> Draft:
    """Judge a parsed organisation file. `files` holds the text of what it refers to; `today` is a UTC date. `refused`:
    files that are there and cannot be used, with the reason."""
    resolved, problems = resolve(mapping, files, folder, file=file, require_files=require_files, refused=refused or {})
    sections: dict[str, Any] = {}
    for name in Sections.model_fields:
        sections[name], found = _section(name, resolved.get(name), file)
        problems.setdefault(name, []).extend(found)
    broken = frozenset(name for name, found in problems.items() if found)
    known = Known(today=today, broken=broken, file=file, **sections)
    everything = [problem for found in problems.values() for problem in found]
    everything += _top_level(mapping, file)
    everything += _handed_back(files)
    everything += _refused(refused or {}, mapping)
    everything += (problem for rule in RULES for problem in rule(known))
    return Draft(sections, tuple(everything), folder, files, _digest(mapping, files))


def _section(name: str, raw: object, file: str) -> tuple[Any, list[Problem]]:
    """One top-level table or array: its value (None when unusable) and its problems."""
    field = Sections.model_fields[name]
    annotation = field.annotation
    if get_origin(annotation) is tuple:
        return _array(name, get_args(annotation)[0], [] if raw is None else raw, file)
    assert isinstance(annotation, type) and issubclass(annotation, BaseModel)
    if raw is None and not field.is_required():
        return field.default, []
    if raw is None:
        return None, [Problem(file, name, "nothing", f"a table [{name}]")]
    return _validated(annotation, (name,), raw, file)


def _array(name: str, model: type[BaseModel], raw: object, file: str) -> tuple[tuple[Any, ...], list[Problem]]:
    """An array of tables, each entry judged on its own so that one mistake does not hide another."""
    if not isinstance(raw, list):
        return (), [Problem(file, name, shown(raw), f"tables that start with [[{name}]]")]
    if len(raw) > MOST_ENTRIES:
        return (), [Problem(file, name, f"{len(raw):,} entries", f"at most {MOST_ENTRIES:,}")]
    valid, problems = [], []
    for index, entry in enumerate(raw):
        value, found = _validated(model, (name, f"[{naming(entry) or index + 1}]"), entry, file)
        problems += found
        if value is not None:
            valid.append(value)
    return tuple(valid), problems


def _validated(
    model: type[BaseModel], at: tuple[str, ...], raw: object, file: str
) -> tuple[BaseModel | None, list[Problem]]:
    try:
        return model.model_validate(raw), []
    except ValidationError as error:
        return None, problems_of(error, model, at, raw, file)


def _top_level(mapping: Mapping[str, Any], file: str) -> Iterator[Problem]:
    if mapping.get("schema") != SCHEMA:
        yield Problem(file, "schema", shown(mapping.get("schema")), f"schema = {SCHEMA}, the version of this form")
    known = ("schema", *Sections.model_fields)
    unknown = [key for key in mapping if key not in known]
    for key in unknown[:MOST_TOLD]:
        yield Problem(file, key, "an unknown key", f"one of: {', '.join(known)}{did_you_mean(key, known)}")
    if more := and_more(len(unknown)):
        yield Problem(file, "the file", f"{more} unknown keys", "the keys of inventories/example/organisation.toml")


def _refused(refused: Mapping[str, str], mapping: Mapping[str, Any]) -> Iterator[Problem]:
    """Files of the folder that nothing refers to by name: certificates, ssh_config, known_hosts."""
    referred = {reference.name for reference in referred_files(mapping)}
    for name, why in refused.items():
        if name not in referred:
            yield Problem(name, "the file", why, "a readable text file")


def _handed_back(files: Mapping[str, str]) -> Iterator[Problem]:
    for name, text in files.items():
        if name.startswith("certificates/"):
            yield from certificate_problems(name, text)


def _digest(mapping: Mapping[str, Any], files: Mapping[str, str]) -> str:
    """SHA-256 over the content, whatever the order of keys, comments and spelling of the TOML."""
    content = {name: text for name, text in files.items() if name not in NOT_CONTENT}
    canonical = json.dumps([mapping, content], sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(canonical.encode()).hexdigest()
