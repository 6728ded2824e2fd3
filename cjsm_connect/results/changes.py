"""What is different between two runs of the checks: the status of each check on each subject. Pure."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from cjsm_connect.results import SCHEMA, CjsmError, Result, Run, Status

Key = tuple[str, str]
"""A check and its subject; each pair stands once in a run."""


@dataclass(frozen=True, slots=True)
class Row:
    """What is remembered of an earlier result."""

    requirement: str
    title: str
    status: Status


@dataclass(frozen=True, slots=True)
class Earlier:
    """An earlier run, as `cjsm check --json` wrote it. `narrowed` as in Run."""

    started: str
    organisation: str
    organisation_digest: str
    catalogue_version: str
    narrowed: tuple[str, ...]
    rows: Mapping[Key, Row]


@dataclass(frozen=True, slots=True)
class Change:
    """A check on a subject whose status differs: new (`before` is None), gone (`after` is None), or changed."""

    check: str
    subject: str
    title: str
    before: Status | None
    after: Status | None

    def plain(self) -> dict[str, Any]:
        """Builtin types, for JSON."""
        before, after = (status.value if status else None for status in (self.before, self.after))
        return {"check": self.check, "subject": self.subject, "title": self.title, "before": before, "after": after}


@dataclass(frozen=True, slots=True)
class Changes:
    """What changed since an earlier run. `started` is when that one began, "" if there was none."""

    started: str
    changes: tuple[Change, ...]
    results: tuple[Result, ...]  # the results of now that are new or changed
    unchanged: Mapping[Status, int]  # how many results of now are as before
    notes: tuple[str, ...]

    def plain(self) -> dict[str, Any]:
        """Builtin types, for JSON."""
        return {
            "started": self.started,
            "changes": [change.plain() for change in self.changes],
            "unchanged": {status.value: self.unchanged.get(status, 0) for status in Status},
            "notes": list(self.notes),
        }


NOTHING = Earlier("", "", "", "", (), {})
"""There was no earlier run: everything is new."""


def compare(earlier: Earlier, run: Run) -> Changes:
    """What changed. Only what both runs were asked for is compared, so that narrowing makes nothing new or gone.

    Raises:
        CjsmError: the earlier run is of another organisation.
    """
    if earlier is not NOTHING and earlier.organisation != run.organisation:
        raise CjsmError(
            f"--since: expected a run of {run.organisation}, found one of {earlier.organisation}: nothing to compare"
        )
    now = {(one.check, one.subject): one for one in run.results if _asked(one.requirement, earlier.narrowed)}
    before = {key: row for key, row in earlier.rows.items() if _asked(row.requirement, run.narrowed)}
    changes = [_change(key, before.get(key), now.get(key)) for key in {**before, **now}]
    different = tuple(change for change in changes if change.before != change.after)
    changed = {(change.check, change.subject) for change in different}
    return Changes(
        earlier.started,
        different,
        tuple(one for key, one in now.items() if key in changed),
        Counter(one.status for key, one in now.items() if key not in changed),
        tuple(_notes(earlier, run)),
    )


def read(text: str) -> Earlier:
    """An earlier run from what `cjsm check --json` wrote.

    Raises:
        CjsmError: it is not one; the message says what was found.
    """
    try:
        document = json.loads(text)
        if document["schema"] != SCHEMA:
            raise CjsmError(f"expected schema {SCHEMA}, found {document['schema']!r}; write it again")
        if "since" in document:
            raise CjsmError("expected the results of a whole run, found only changes; write it without --since")
        return _earlier(document["run"], document["results"])
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        found = f"{type(error).__name__}: {error}"
        raise CjsmError(f"expected the output of `cjsm check --json`, found: {found}") from error


def _earlier(head: Mapping[str, Any], results: Iterable[Mapping[str, Any]]) -> Earlier:
    rows = {
        (str(one["check"]), str(one["subject"])): Row(str(one["requirement"]), str(one["title"]), Status(one["status"]))
        for one in results
    }
    return Earlier(
        started=str(head["started"]),
        organisation=str(head["organisation"]),
        organisation_digest=str(head["organisation_digest"]),
        catalogue_version=str(head["catalogue_version"]),
        narrowed=tuple(map(str, head["narrowed"])),
        rows=rows,
    )


def _asked(requirement: str, narrowed: tuple[str, ...]) -> bool:
    return not narrowed or requirement in (*narrowed, "collection")  # what could not be read belongs to everything


def _change(key: Key, before: Row | None, after: Result | None) -> Change:
    check, subject = key
    title = after.title if after else before.title if before else ""
    return Change(check, subject, title, before.status if before else None, after.status if after else None)


def _notes(earlier: Earlier, run: Run) -> Iterable[str]:
    if earlier is NOTHING:
        yield "there is no earlier run: everything is new"
        return
    if earlier.narrowed:
        yield "the earlier run was narrowed: only what it judged is compared"
    if earlier.organisation_digest != run.organisation_digest:
        yield "the organisation file has changed since"
    if earlier.catalogue_version != run.catalogue_version:
        yield "the catalogue of requirements has changed since"
