"""A run read back from what `Run.plain` gave: the last check, or the results of a bundle. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cjsm_connect.results import SCHEMA, CjsmError, Impact, Result, Run, Severity, Status, Waived, WaiverEntry

SAID_TWICE = ("complete", "exit_code")  # `plain` adds them; they follow from the rest


def run_of(document: Mapping[str, Any]) -> Run:
    """The run that a document describes.

    Raises:
        CjsmError: it is of another schema, or is no run.
    """
    try:
        if document["schema"] != SCHEMA:
            raise CjsmError(f"expected schema {SCHEMA}, found {document['schema']!r}; write it again: cjsm check")
        head = {name: value for name, value in document["run"].items() if name not in SAID_TWICE}
        _texts(head, "notes", "narrowed", "waivers")
        parts = {name: tuple(map(str, head[name])) for name in ("notes", "narrowed")}
        results = tuple(_result(row) for row in document["results"])
        return Run(**{**head, **parts, "results": results, "waivers": tuple(map(_waiver, document["waivers"]))})
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise CjsmError(f"expected the results of a run, found: {type(error).__name__}: {error}") from error


def _result(row: Mapping[str, Any]) -> Result:
    _texts(row, "scoped", "waiver")
    kinds = {"status": Status(row["status"]), "severity": Severity(row["severity"]), "impact": Impact(row["impact"])}
    return Result(**{**row, **kinds, "waiver": _waived(row["waiver"]) if row["waiver"] else None})


def _waived(row: Mapping[str, Any]) -> Waived:
    _texts(row)
    return Waived(**{**row, "status": Status(row["status"])})


def _waiver(row: Mapping[str, Any]) -> WaiverEntry:
    _texts(row, "covers")
    return WaiverEntry(**row)


def _texts(row: Mapping[str, Any], *others: str) -> None:
    """A document of a bundle is hostile: what is told to people has to be text."""
    for name, value in row.items():
        if name not in others and type(value) is not str:
            raise TypeError(f"{name} is {type(value).__name__}, expected a text")
