"""Watchers on lab hosts while something else happens, and what the files are before and after, read past the host."""

from __future__ import annotations

import contextlib
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from cjsm_connect.desired import Desired
from cjsm_connect.lab import Lab
from cjsm_connect.organisation import load
from deploys.connection import desired
from tests.operations.background import on_host

MAPS = "/etc/cjsm/maps"
# where files are prepared: any staging folder, and the folders of what is replaced
PREPARED = ("/.cjsm-stage", "/*/.cjsm-stage", "/etc/cjsm", "/etc/postfix", "/etc/nftables.d", "/var/lib/cjsm")
NOBODY = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--")


@dataclass
class Watched:
    """What a watcher saw; filled when it has ended."""

    states: dict[str, list[str]] = field(default_factory=dict)
    touched: dict[str, list[str]] = field(default_factory=dict)
    strangers: list[str] = field(default_factory=list)
    leaks: list[str] = field(default_factory=list)
    rounds: int = 0


def managed(lab: Lab, host: str) -> list[str]:
    """Every path that the product writes on a host."""
    organisation = load(lab.organisation_folder)
    return sorted(set(_paths(desired(organisation, organisation.host(host)))))


def _paths(wanted: Desired) -> Iterator[str]:
    yield from (item.path for item in (*wanted.files, *wanted.settings))
    for table in wanted.maps:
        yield f"{MAPS}/{table.name}"
        yield from [f"{MAPS}/{table.name}.lmdb"] if table.kind == "lmdb" else []
    for key in wanted.keys:
        yield from (key.path, key.request_path, key.chain_path)
    yield from (wall.boot_path for wall in wanted.firewalls)


@contextlib.contextmanager
def watching(lab: Lab, host: str, secret: Iterable[str] = (), *, nobody: bool = False) -> Iterator[Watched]:
    """Look at the managed files of a host in a loop, in a process of its own: as root quickly and at nothing else, or
    as nobody and around them for what is being prepared."""
    folders = PREPARED if nobody else ()
    arguments = {"paths": managed(lab, host), "folders": folders, "secret": list(secret)}
    found = Watched()
    before = NOBODY if nobody else ()
    with on_host(lab, host, "watcher.py", json.dumps(arguments), before=before) as told:
        yield found
    for name, value in told.items():
        setattr(found, name, value)


def states(lab: Lab, host: str, paths: Iterable[str]) -> dict[str, str]:
    """Each file's state, in the watcher's words, read from the machine in the host's file system."""
    return {path: _state(lab.root(host), path) for path in paths}


def _state(root: Path, path: str) -> str:
    place = resolved(root, path)
    if not place.exists():
        return "missing"
    content, found = place.read_bytes(), place.stat()
    digest = hashlib.sha256(content).hexdigest()
    return f"{found.st_mode & 0o7777:o} {found.st_uid}:{found.st_gid} {len(content)} {digest}"


def resolved(root: Path, path: str) -> Path:
    """A host's path as one of the machine; the one symlink on the way is the host's, not the machine's."""
    folder = root / MAPS.lstrip("/")
    if path.startswith(MAPS) and folder.is_symlink():
        return root / str(folder.readlink()).lstrip("/") / path.removeprefix(MAPS).lstrip("/")
    return root / path.lstrip("/")
