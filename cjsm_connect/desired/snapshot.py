"""What the collector is asked for one host's Desired. Pure."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from cjsm_connect.desired import Desired, Firewall, Key, Map, Service

COLLECTOR = (
    "common",
    "sessions",
    "lock",
    "firewall",
    "traffic",
    "walls",
    "freshclam",
    "settling",
    "collect",
)  # modules of remote/, in the order in which they import each other
COLLECT = "collect:collect"
MAPS = "/etc/cjsm/maps"

Snapshot = dict[str, Any]


def questions(desired: Desired) -> dict[str, Any]:
    """The collector's arguments: every path, package, unit and key that Desired names, with the expected digests."""
    paths: dict[str, str | None] = {file.path: sha256(file.content) for file in desired.files}
    paths |= dict.fromkeys([directory.path for directory in desired.directories])
    paths |= dict.fromkeys([item.path for item in desired.absent])
    paths |= dict.fromkeys([item.path for item in desired.settings])
    return {
        "paths": paths,
        "content": [item.path for item in desired.settings],
        "secret": [file.path for file in desired.files if file.secret],
        "packages": [package.name for package in desired.packages],
        "units": units(desired),
        "awaited": awaited(desired),
        "map_set": map_set(desired.maps),
        "keys": [_key(key) for key in desired.keys],
        "firewalls": [_wall(wall) for wall in desired.firewalls],
    }


def units(desired: Desired) -> dict[str, list[str]]:
    """Each unit with the paths that its process must have taken up."""
    return {service.unit: watched(service, desired) for service in desired.services}


def awaited(desired: Desired) -> list[dict[str, Any]]:
    """What has to have run once before the host is settled."""
    return [{"name": item.name, "probe": item.probe, "arguments": dict(item.arguments)} for item in desired.awaited]


def watched(service: Service, desired: Desired) -> list[str]:
    """The absolute paths a service watches: names of maps and keys become the paths they live at."""
    names = {key.name: key.chain_path for key in desired.keys} | {table.name: MAPS for table in desired.maps}
    return list(dict.fromkeys(names.get(item, item) for item in service.watches))


def map_set(maps: tuple[Map, ...]) -> str:
    """The directory name of a set of maps: one digest over all of them, so that equal content is the same set."""
    rows = [[table.name, table.kind, [list(row) for row in table.rows]] for table in maps]
    return "maps-" + sha256(json.dumps(rows))[:16] if maps else ""


def sha256(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def _wall(wall: Firewall) -> dict[str, Any]:
    return {"table": wall.table, "boot_path": wall.boot_path, "sha256": sha256(wall.ruleset)}


def _key(key: Key) -> dict[str, Any]:
    paths = {"path": key.path, "request_path": key.request_path, "chain_path": key.chain_path}
    return paths | {"certificate": key.certificate_digest}
