"""Recorded observations of one check each; the file name states the verdict: CHECKID[.WHAT].VERDICT.json.

A recording is a small patch: `host` (the subject), `facts` of it by topic, `tries` by id, and where needed
`organisation` (merged over the lab's file), `hosts` (further hosts' entries), `entry` (beside the facts), `ended`,
`unmade` (declarations that are the example's).
"""

from __future__ import annotations

import json
from datetime import date, datetime
from pathlib import Path
from typing import Any, NamedTuple

from cjsm_connect.probes.seen import Seen
from cjsm_connect.results import Status
from tests.made_up import organisation

FOLDER = Path(__file__).parent / "recordings"
WHEN = "2026-11-21T12:00:00+00:00"


class Recording(NamedTuple):
    """One file."""

    check: str
    expected: Status
    path: Path


def recordings() -> list[Recording]:
    """All of them, sorted by name."""
    return [_recording(path) for path in sorted(FOLDER.glob("*.json"))]


def _recording(path: Path) -> Recording:
    parts = path.name.split(".")
    return Recording(".".join(parts[:2]), Status(parts[-2]), path)


def seen(path: Path) -> Seen:
    """What the check gets to see of a recording."""
    patch: dict[str, Any] = json.loads(path.read_text())
    where = organisation(**dated(patch.get("organisation", {})))
    subject = where.host(patch["host"]) if "host" in patch else None
    return Seen(where, observation(patch), datetime.fromisoformat(patch.get("ended", WHEN)).date(), subject)


def dated(value: Any) -> Any:
    """JSON has no dates, an organisation file has: those of statements and waivers."""
    if isinstance(value, dict):
        days = {key: _moment(value[key]) for key in ("date", "start", "expiry") if key in value}
        return {key: dated(inner) for key, inner in value.items()} | days
    return [dated(inner) for inner in value] if isinstance(value, list) else value


def _moment(text: str) -> date:
    return datetime.fromisoformat(text) if "T" in text else date.fromisoformat(text)


def observation(patch: dict[str, Any]) -> dict[str, Any]:
    """The whole observation of a patch."""
    hosts = dict(patch.get("hosts", {}))
    if "host" in patch:
        hosts[patch["host"]] = {"facts": patch.get("facts", {}), "asked": 0, "answered": 0, **patch.get("entry", {})}
    ended = patch.get("ended", WHEN)
    rest = {"lab": "", "hosts": hosts, "tries": patch.get("tries", {}), "unmade": patch.get("unmade", [])}
    return {"version": 1, "started": ended, "ended": ended, **rest}
