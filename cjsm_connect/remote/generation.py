"""Generations on a host: what an apply replaced, kept so that it can be put back. Never a private key or a secret."""

from __future__ import annotations

import json
import os
import shutil
from typing import Any

from cjsm_connect.remote import collect, common

KEPT = 10


def begin(about: dict[str, Any]) -> str:
    """Make the folder of the next generation and return its path; the oldest beyond `KEPT` go."""
    root = collect.STATE + "/generations"
    os.makedirs(root, mode=0o700, exist_ok=True)
    number = collect.generation() + 1
    folder = f"{root}/{number}"
    os.mkdir(folder, 0o700)
    write(folder, dict(about, number=number, replaced=[]))
    for old in sorted((int(name) for name in os.listdir(root) if name.isdigit()), reverse=True)[KEPT:]:
        shutil.rmtree(f"{root}/{old}")
    return folder


def newest() -> str:
    """The folder of the newest generation; "" before the first apply."""
    number = collect.generation()
    return f"{collect.STATE}/generations/{number}" if number else ""


def write(folder: str, manifest: dict[str, Any]) -> None:
    """Replace a generation's manifest in one rename."""
    fresh = folder + "/manifest.new"
    if os.path.exists(fresh):
        os.unlink(fresh)
    common.write_private(fresh, json.dumps(manifest, indent=1))
    os.rename(fresh, folder + "/manifest.json")


def manifest(folder: str) -> dict[str, Any]:
    """A generation's manifest."""
    return dict(json.loads(common.read(folder + "/manifest.json")))


def keep(folder: str, path: str, secret: bool) -> None:
    """Note that `path` is about to be replaced or removed, and keep what is there now unless it is secret."""
    noted = manifest(folder)
    row = {"path": path, "kept": None, "link": None, "existed": os.path.lexists(path), "secret": secret}
    if os.path.islink(path):
        row["link"] = os.readlink(path)
    elif row["existed"] and not secret:
        row["kept"] = str(len(noted["replaced"]))
        copy = f"{folder}/{row['kept']}"
        shutil.copy2(path, copy)
        status = os.stat(path)
        os.chown(copy, status.st_uid, status.st_gid)
    noted["replaced"].append(row)
    write(folder, noted)


def restore(folder: str) -> list[str]:
    """Put back what a generation replaced, newest first; returns the paths. Secrets stay as they are now."""
    rows = [row for row in manifest(folder)["replaced"] if not row["secret"]]
    for row in reversed(rows):
        put_back(folder, row)
    return [row["path"] for row in rows]


def put_back(folder: str, row: dict[str, Any]) -> None:
    """Restore one path in one rename, or remove it if it was not there before."""
    path = row["path"]
    fresh = f"{os.path.dirname(path)}/.{os.path.basename(path)}.cjsm-restore"
    if row["link"] is not None:
        os.symlink(row["link"], fresh)
    elif row["kept"] is not None:
        copy = f"{folder}/{row['kept']}"
        shutil.copy2(copy, fresh)
        status = os.stat(copy)
        os.chown(fresh, status.st_uid, status.st_gid)
    elif os.path.lexists(path):
        os.unlink(path)
        return
    else:
        return
    os.rename(fresh, path)
