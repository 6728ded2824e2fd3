"""Install a tree of files, maps and keys: stage, validate, rename. Nothing is ever missing, partial or too readable.

New firewall rules are loaded last, under the timer that takes them back; services come only after they were confirmed.

Staging is `.cjsm-stage` (0700, root) at the top of the file system that the target lives on, because a rename does
not cross file systems. main.cf is renamed last, so that it never names a map or a key that is not there yet.
"""

from __future__ import annotations

import grp
import os
import pwd
import shutil
import tempfile
from typing import Any

from cjsm_connect.remote import collect, common, firewall, generation, keys, validate

LAST = "/etc/postfix/main.cf"


def install(arguments: dict[str, Any]) -> dict[str, Any]:
    """Do one host's part of a change. Arguments: directories, files, absent, maps, map_set, keys, firewalls, about.

    Raises:
        Failed: something was not valid; nothing was renamed then.
    """
    for directory in arguments["directories"]:
        make_directory(directory)
    stages: dict[str, str] = {}
    try:
        staged = [(file, stage(file, stages)) for file in arguments["files"]]
        pairs = [(file["path"], path) for file, path in staged]
        with validate.postfix_folder(pairs) as configuration:
            validate.everything(pairs, configuration)
            table_set = stage_maps(arguments["maps"], arguments["map_set"], configuration)
        made = [keys.settle(key) for key in arguments["keys"]]
        folder = generation.begin(arguments["about"])
        activate_files(folder, staged, arguments["absent"], table_set)
    finally:
        for folder_of_stage in stages.values():
            shutil.rmtree(folder_of_stage, ignore_errors=True)
    loaded = load_firewalls(arguments["firewalls"], folder)
    return {"generation": folder, "files": [file["path"] for file, _ in staged], "keys": made, "loaded": loaded}


def load_firewalls(walls: list[dict[str, Any]], folder: str) -> list[str]:
    """Load what is not live and confirmed yet; returns the tables that wait to be confirmed.

    Raises:
        Failed: nft refused the rules; the files are put back then.
    """
    loaded = []
    for wall in walls:
        if not firewall.settled(wall):
            try:
                firewall.load(wall)
            except common.Failed:
                generation.restore(folder)
                raise
            loaded.append(wall["table"])
    return loaded


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
    return str(path)


def stage_directory(root: str) -> str:
    """A fresh private directory below ROOT/.cjsm-stage."""
    top = os.path.join(root, ".cjsm-stage")
    os.makedirs(top, mode=0o700, exist_ok=True)
    status = os.lstat(top)
    if os.path.islink(top) or status.st_uid != 0 or status.st_mode & 0o077:
        raise common.Failed(f"{top} must be a directory that only root can use; remove it and apply again")
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


def activate_files(folder: str, staged: list[tuple[dict[str, Any], str]], absent: list[str], table_set: str) -> None:
    """Keep what is replaced, then rename into place: files, maps in one link, main.cf last, removals after it."""
    for file, path in sorted(staged, key=lambda pair: pair[0]["path"] == LAST):
        if file["path"] == LAST and table_set:
            switch_maps(folder, table_set)
        generation.keep(folder, file["path"], file["secret"])
        os.rename(path, file["path"])
    if table_set:
        switch_maps(folder, table_set)
    for path in absent:
        generation.keep(folder, path, secret=False)
        os.unlink(path)


def switch_maps(folder: str, table_set: str) -> None:
    """Point the one link at a new set of maps, in one rename."""
    if os.path.islink(collect.MAPS) and os.readlink(collect.MAPS) == table_set:
        return
    generation.keep(folder, collect.MAPS, secret=False)
    fresh = collect.MAPS + ".new"
    if os.path.lexists(fresh):
        os.unlink(fresh)
    os.symlink(table_set, fresh)
    os.rename(fresh, collect.MAPS)
