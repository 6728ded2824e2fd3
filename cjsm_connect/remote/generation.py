"""Generations on a host: what an apply replaced and what came instead. Never a private key, never a secret.

`/var/lib/cjsm/generations/N` holds `manifest.json` and copies of the old files. A manifest says who applied what and
when, `state` (pending, kept or put back), `replaced` (one row for each path) and `wanted`: the services, tries and
firewall rules that belonged to it, so that a rollback to it needs nobody but the host.
"""

from __future__ import annotations

import contextlib
import difflib
import glob
import hashlib
import json
import os
import shutil
from typing import Any

from cjsm_connect.remote import collect, common

KEPT = 10
LONGEST_DIFF = 20_000  # characters kept of one path's difference


def root() -> str:
    """The folder of all generations."""
    return collect.STATE + "/generations"


def begin(about: dict[str, Any], replacing: list[dict[str, Any]], wanted: dict[str, Any]) -> str:
    """Record the next generation, before anything is replaced; returns its folder.

    `replacing`: {"path", "text" (None: removed), "link" (None: not a link), "secret", "returns"}, see `row`.
    """
    number = max(collect.generation() + 1, int(about.get("number", 0)))
    folder, fresh = f"{root()}/{number}", f"{root()}/.{number}.new"
    os.makedirs(root(), mode=0o700, exist_ok=True)
    shutil.rmtree(fresh, ignore_errors=True)
    os.mkdir(fresh, 0o700)
    rows = [row(fresh, str(place), item) for place, item in enumerate(replacing)]
    write(fresh, dict(about, number=number, state="pending", replaced=rows, wanted=wanted))
    os.rename(fresh, folder)
    return folder


def row(folder: str, name: str, item: dict[str, Any]) -> dict[str, Any]:
    """One path that is about to change: how it was, how it will be, and a copy of the old unless it is secret.

    `returns` says what a later rollback may do with it: always, same hub (only while the hub is the same), never.
    """
    path = item["path"]
    found = {key: item[key] for key in ("path", "secret", "returns")}
    found.update(existed=os.path.lexists(path), link=None, kept=None, difference="", after=item["link"] or "")
    if os.path.islink(path):
        found["link"] = os.readlink(path)
    elif found["existed"] and not item["secret"]:
        found["kept"] = name
        copy(path, f"{folder}/{name}")
    if item["text"] is not None and not item["secret"]:
        found["after"] = hashlib.sha256(item["text"].encode()).hexdigest()
    if not item["secret"]:
        found["difference"] = common.without_passwords(difference(path, item))[:LONGEST_DIFF]
    return found


def difference(path: str, item: dict[str, Any]) -> str:
    """A unified diff of a text file; of a set of maps, one of all its sources."""
    if item["link"]:
        return unified(path, tables(os.path.realpath(path)), tables(item["link"]))
    return unified(path, common.read(path), item["text"] or "")


def tables(folder: str) -> str:
    """The sources of a set of maps as one text, a line for each row."""
    names = sorted(os.listdir(folder)) if os.path.isdir(folder) else []
    sources = [name for name in names if "." not in name]
    return "".join(
        "%s: %s\n" % (name, line) for name in sources for line in common.read(f"{folder}/{name}").splitlines()
    )


def unified(path: str, old: str, new: str) -> str:
    """What differs between two texts (unified diff)."""
    return "".join(difflib.unified_diff(old.splitlines(True), new.splitlines(True), path, path))


def copy(source: str, target: str) -> None:
    """Copy a file with its mode and owner; never wider than it was, not even for a moment."""
    status = os.stat(source)
    with open(source, "rb") as file:
        data = file.read()
    descriptor = os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fchown(descriptor, status.st_uid, status.st_gid)
        os.fchmod(descriptor, status.st_mode & 0o7777)
        os.fsync(descriptor)


def write(folder: str, manifest: dict[str, Any]) -> None:
    """Replace a generation's manifest in one rename."""
    fresh = folder + "/manifest.new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh)
    common.write_private(fresh, json.dumps(manifest, indent=1))
    os.rename(fresh, folder + "/manifest.json")


def manifest(folder: str) -> dict[str, Any]:
    """A generation's manifest."""
    return dict(json.loads(common.read(folder + "/manifest.json")))


def mark(folder: str, state: str, why: str = "") -> None:
    """Note what has become of a generation: kept, or put back and why."""
    write(folder, dict(manifest(folder), state=state, why=why))


def numbers() -> list[int]:
    """All generations of this host, the newest first."""
    return (
        sorted((int(name) for name in os.listdir(root()) if name.isdigit()), reverse=True)
        if os.path.isdir(root())
        else []
    )


def recorded() -> list[dict[str, Any]]:
    """All manifests, the newest first; one that cannot be read is left out."""
    found = []
    for number in numbers():
        with contextlib.suppress(ValueError):
            found.append(manifest(f"{root()}/{number}"))
    return found


def restore(folder: str, rows: list[dict[str, Any]]) -> list[str]:
    """Put back rows of a generation, the last first; returns their paths."""
    for item in reversed(rows):
        put_back(folder, item)
    return [item["path"] for item in rows]


def put_back(folder: str, item: dict[str, Any]) -> None:
    """Restore one path in one rename, or remove it if it was not there before. A secret stays as it is."""
    path = item["path"]
    if item["link"] is not None:
        fresh = beside(path)
        os.symlink(item["link"], fresh)
        os.rename(fresh, path)
    elif item["kept"] is not None:
        replace(f"{folder}/{item['kept']}", path)
    elif not item["existed"] and os.path.lexists(path):
        os.unlink(path)


def replace(source: str, path: str) -> None:
    """Put a copy of a file, with its owner and mode, in the place of another in one rename."""
    fresh = beside(path)
    copy(source, fresh)
    os.rename(fresh, path)


def beside(path: str) -> str:
    """A free name in the folder of `path`; what an interrupted try has left there goes."""
    fresh = f"{os.path.dirname(path)}/.{os.path.basename(path)}.cjsm-restore"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh)
    return fresh


def prune() -> None:
    """Only the last `KEPT` generations stay, and only the sets of maps that they or the present need."""
    for number in numbers()[KEPT:]:
        shutil.rmtree(f"{root()}/{number}", ignore_errors=True)
    needed = {os.path.realpath(collect.MAPS)}
    for known in recorded():
        needed.update(link for item in known["replaced"] for link in (item["link"], item["after"]) if link)
    for folder in glob.glob(collect.STATE + "/maps/*"):
        if folder not in needed:
            shutil.rmtree(folder, ignore_errors=True)
