"""A change as plain data and in words: what `plan` prints, and what `apply` then does. Pure.

The fields are documented in docs/plan.md; their names and meaning stay while `schema` is 1. Secrets are never in it.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from typing import Any

from cjsm_connect.desired import Directory, File, Firewall, Map
from cjsm_connect.desired.change import Change, FileChange, KeyChange, difference
from cjsm_connect.desired.settings import shown
from cjsm_connect.desired.snapshot import Snapshot, sha256

SCHEMA = 1


def planned(change: Change, snapshot: Snapshot) -> dict[str, Any]:
    """Everything that apply will do to one host, as builtin types."""
    sources = snapshot.get("map_sources", {})
    return {
        "steps": list(steps(change, snapshot)),
        "packages": [item.name for item in change.packages],
        "directories": [_owned(item) for item in change.directories],
        "keys": [_key(item) for item in change.keys],
        "files": [_file(item) for item in change.files],
        "removed": list(change.absent),
        "maps": [_map(item, sources) for item in change.maps],
        "firewall": [_wall(item, snapshot["firewalls"][item.table]) for item in change.firewalls],
        "services": [{"unit": item.service.unit, "actions": list(item.actions)} for item in change.services],
    }


def steps(change: Change, snapshot: Snapshot) -> Iterator[str]:
    """Every step of a change as a sentence fragment, in the order in which apply takes them."""
    if change.packages:
        number = len(change.packages)
        plural = "" if number == 1 else "s"
        names = " ".join(item.name for item in change.packages)
        yield f"install {number} package{plural}: {names}"
    yield from (
        f"make directory {item.path} ({item.owner}:{item.group} {item.mode:04o})" for item in change.directories
    )
    yield from (f"{item.key.name} key: {item.why}" for item in change.keys)
    yield from (text for item in change.files for text in _file_steps(item))
    yield from (f"remove {path}" for path in change.absent)
    if change.maps:
        sources = snapshot.get("map_sources", {})
        yield f"switch to a new set of maps: {', '.join(_rows_said(_map(item, sources)) for item in change.maps)}"
    for wall in change.firewalls:
        yield from _wall_steps(_wall(wall, snapshot["firewalls"][wall.table]))
    yield from (f"{item.why} {item.service.unit}" for item in change.services)


def differences(change: Change, snapshot: Snapshot, new: bool = True) -> Iterator[str]:
    """The differences of files, map rows and rules as text; without `new` only of what exists already."""
    yield from (difference(item) for item in change.files if new or item.exists)
    sources = snapshot.get("map_sources", {})
    yield from (_rows(item, sources) for item in change.maps if new or item.name in sources)
    for wall in change.firewalls:
        told = _wall(wall, snapshot["firewalls"][wall.table])
        yield told["live_diff"]
        if new or snapshot["firewalls"][wall.table]["boot"]:
            yield told["boot_diff"]


def _key(item: KeyChange) -> dict[str, Any]:
    return {"name": item.key.name, "path": item.key.path, "needs": list(item.needs), "writes": list(item.writes)}


def _owned(item: Directory | File) -> dict[str, Any]:
    return {"path": item.path, "owner": item.owner, "group": item.group, "mode": f"{item.mode:04o}"}


def _file(item: FileChange) -> dict[str, Any]:
    changed = [{"name": name, "found": old, "expected": new} for name, old, new in item.settings]
    told = {"why": item.why, "reason": item.file.reason, "secret": item.file.secret}
    return _owned(item.file) | told | {"diff": difference(item), "settings": changed}


def _file_steps(item: FileChange) -> Iterator[str]:
    """Writing one file; of an administrator's main.cf or master.cf also which settings are replaced."""
    reason = f": {item.file.reason}" if item.file.reason else ""
    yield f"{'replace' if item.exists else 'write'} {item.file.path} ({item.why}){reason}"
    for name, old, new in item.settings:
        if old is not None:
            form = item.file.path.rpartition("/")[2]
            instead = "is removed" if new is None else f"becomes {shown(new)}"
            yield f"setting {form}: {name}, now {shown(old)}, {instead}; the old file is kept in the generation"


def _map(table: Map, sources: dict[str, str]) -> dict[str, Any]:
    """Rows that come and go, in the order of the tables; all of them come where there is no such table yet."""
    wanted = [f"{key} {value}" for key, value in table.rows]
    found = sources.get(table.name, "").splitlines()
    added, removed = _without(wanted, found), _without(found, wanted)
    return {"name": table.name, "kind": table.kind, "added": added, "removed": removed}


def _without(rows: list[str], others: list[str]) -> list[str]:
    known = set(others)
    return [row for row in rows if row not in known]


def _rows_said(told: dict[str, Any]) -> str:
    rows = [f"{sign}{len(told[key])}" for sign, key in (("+", "added"), ("-", "removed")) if told[key]]
    return f"{told['name']} ({' '.join(rows)} rows)" if rows else told["name"]


def _rows(table: Map, sources: dict[str, str]) -> str:
    told = _map(table, sources)
    if table.told and (told["added"] or told["removed"]):
        return f"--- map {table.name}\n+{len(told['added'])} -{len(told['removed'])} rows: {table.told}\n"
    rows = [f"+{row}\n" for row in told["added"]] + [f"-{row}\n" for row in told["removed"]]
    return f"--- map {table.name}\n{''.join(rows)}" if rows else ""


def _wall(wall: Firewall, state: dict[str, Any]) -> dict[str, Any]:
    """`live_diff`: rules that somebody changed on the running host; `boot_diff`: the file, before and after."""
    changed = state["boot"] != sha256(wall.ruleset)
    return {
        "table": wall.table,
        "path": wall.boot_path,
        "boot_diff": _rules(wall, state.get("boot_text", "")) if changed else "",
        "live_diff": state.get("live", ""),
        "load_at_boot": not state["enabled"],
        "left_alone": list(state.get("foreign", ())),
    }


def _rules(wall: Firewall, old: str) -> str:
    before, after = old.splitlines(keepends=True), wall.ruleset.splitlines(keepends=True)
    return "".join(difflib.unified_diff(before, after, wall.boot_path if old else "/dev/null", wall.boot_path))


def _wall_steps(told: dict[str, Any]) -> Iterator[str]:
    yield f"load firewall table {told['table']}, to be confirmed by a fresh connection"
    if told["live_diff"]:
        yield f"live rules of table {told['table']} were changed by hand and are replaced"
    if told["boot_diff"]:
        yield f"write {told['path']} once the rules are confirmed"
    if told["load_at_boot"]:
        yield f"have nftables.service load {told['path']} at boot"
    if told["left_alone"]:
        yield f"firewall tables of others are left alone: {', '.join(told['left_alone'])}"
