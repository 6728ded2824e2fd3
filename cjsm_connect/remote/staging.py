"""What will be renamed into place, prepared beside its target: files with their final owner and mode, compiled maps.

Staging is `.cjsm-stage` (0700, root) at the top of the file system that the target lives on, because a rename does
not cross file systems.
"""

from __future__ import annotations

import contextlib
import grp
import os
import pwd
import shutil
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from cjsm_connect.remote import collect, common, keys, rehearsal, validate


@dataclass
class Tree:
    """What waits to be renamed, in this order: (file, staged path) pairs, and the new set of maps ("" for none)."""

    files: list[tuple[dict[str, Any], str]]
    table_set: str
    keys: list[str]  # names of the keys that were settled


@contextlib.contextmanager
def prepared(arguments: dict[str, Any]) -> Iterator[Tree]:
    """Stage and validate one host's part of a change; what was not renamed is gone afterwards.

    Raises:
        Failed: something was not valid; nothing that the host uses has changed then.
    """
    for directory in arguments["directories"]:
        make_directory(directory)
    stages: dict[str, str] = {}
    valid = False
    table_set = ""
    try:
        made = [keys.settle(key) for key in arguments["keys"]]
        chains = [chain_file(key) for key in arguments["keys"] if key["certificate"]]
        staged = [(file, stage(file, stages)) for file in (*chains, *arguments["files"])]
        pairs = [(file["path"], path) for file, path in staged]
        with validate.postfix_folder(pairs) as configuration:
            validate.everything(pairs, configuration)
            # a rollback brings the set that it goes back to
            table_set = arguments.get("table_set") or stage_maps(arguments["maps"], arguments["map_set"], configuration)
            rehearsal.rehearse(configuration, dict(pairs) | ({collect.MAPS: table_set} if table_set else {}))
        validate.rulesets(arguments["firewalls"])
        valid = True
        yield Tree(staged, table_set, made)
    finally:
        new = not arguments.get("table_set")
        for folder in (*stages.values(), *([table_set] if table_set and new and not valid else [])):
            shutil.rmtree(folder, ignore_errors=True)


def chain_file(key: dict[str, Any]) -> dict[str, Any]:
    """A key with its returned certificate as a file to stage; secret, so that no generation keeps it."""
    closed = {"owner": "root", "group": "root", "mode": 0o600, "secret": True}
    return {"path": key["chain_path"], "text": keys.chain(key), **closed}


def make_directory(directory: dict[str, Any]) -> None:
    """A directory with its owner and mode; new ones are private until they are theirs."""
    path = directory["path"]
    if not os.path.isdir(path):
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        os.mkdir(path, 0o700)
    os.chown(path, *numbers(directory))
    os.chmod(path, directory["mode"])


def numbers(item: dict[str, Any]) -> tuple[int, int]:
    """User and group number of an item's owner and group names."""
    try:
        return pwd.getpwnam(item["owner"]).pw_uid, grp.getgrnam(item["group"]).gr_gid
    except KeyError as error:
        raise common.Failed(f"{item['path']}: the host has no user or group {error}") from error


def stage(file: dict[str, Any], stages: dict[str, str]) -> str:
    """Write a file with its final owner and mode into the staging directory of its target's file system."""
    os.makedirs(os.path.dirname(file["path"]), mode=0o755, exist_ok=True)
    root = mount_point(os.path.dirname(file["path"]))
    if root not in stages:
        stages[root] = stage_directory(root)
    path = stages[root] + file["path"]
    os.makedirs(os.path.dirname(path), exist_ok=True)
    common.write_private(path, file["text"])
    os.chown(path, *numbers(file))
    os.chmod(path, file["mode"])
    if file["path"] in validate.POSTFIX:
        common.settled(path)
    return str(path)


def stage_directory(root: str) -> str:
    """A fresh private directory below ROOT/.cjsm-stage."""
    top = os.path.join(root, ".cjsm-stage")
    os.makedirs(top, mode=0o700, exist_ok=True)
    status = os.lstat(top)
    if os.path.islink(top) or status.st_uid != 0 or status.st_mode & 0o077:
        raise common.Failed(f"{top} must be a directory that only root can use; remove it and apply again")
    common.swept(top + "/*")
    return tempfile.mkdtemp(dir=top)


def mount_point(path: str) -> str:
    """The top directory of the file system that holds `path`."""
    path = os.path.realpath(path)
    while not os.path.ismount(path):
        path = os.path.dirname(path)
    return path


def stage_maps(tables: list[dict[str, Any]], name: str, configuration: str) -> str:
    """Compile a whole set of lookup tables into a new directory and try each; returns the directory, "" for none."""
    if not tables:
        return ""
    top = collect.STATE + "/maps"
    os.makedirs(top, mode=0o755, exist_ok=True)
    os.chmod(collect.STATE, 0o711)  # Postfix's own users open maps below it, and nothing else
    # always a new directory: the one in use may have the same name, and Postfix is reading it
    fresh = tempfile.mkdtemp(dir=top, prefix=name + ".")
    os.chmod(fresh, 0o755)
    for table in tables:
        validate.table(compile_table(fresh, table, configuration), table, configuration)
    common.write_private(fresh + "/" + collect.SEAL, collect.sealed(fresh))
    return fresh


def compile_table(folder: str, table: dict[str, Any], configuration: str) -> str:
    """Write one table's source and compile it (postmap(1)); returns the source's path."""
    path = f"{folder}/{table['name']}"
    text = "".join(f"{key} {value}\n" for key, value in table["rows"])
    common.write_private(path, text, 0o644)
    if table["kind"] == "lmdb":
        common.run(["postmap", "-c", configuration, f"lmdb:{path}"])
    return path
