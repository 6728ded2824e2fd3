"""Install a tree of files, maps and keys: stage, validate, rename. Nothing is ever missing, partial or too readable.

The way back is written down and its timer runs before the first rename; new firewall rules are loaded, and sshd takes
up its files, last. Services come only after somebody has come in over a new connection.

What is renamed was prepared and tried by staging.py. main.cf is renamed last, so that it never names a map or a key
that is not there yet.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any

from cjsm_connect.remote import collect, common, firewall, generation, lock, reach, staging, undo

LAST = "/etc/postfix/main.cf"


def install(arguments: dict[str, Any]) -> dict[str, Any]:
    """Do one host's part of a change, which waits to be confirmed then.

    Arguments: directories, files, absent, maps, map_set, keys, firewalls: what changes; wanted (services, health,
    firewalls): what belongs to it afterwards; access: units that let administrators in and must read their files at
    once; flows: connections that must still work; about, claim, undo, seconds: who, and how to go back (generation.py,
    lock.py, undo.py).

    Raises:
        Failed: something was not valid, and nothing was changed; or it did not work, and everything was put back.
    """
    with lock.held(arguments["claim"]):
        if undo.pending():
            undo.put_back({"why": "nobody had confirmed it when the next apply began"})
            raise common.Failed("a change that nobody had confirmed was put back first; apply again")
        writable([file["path"] for file in arguments["files"]] + arguments["absent"])
        with staging.prepared(arguments) as tree:
            walls = [wall for wall in arguments["firewalls"] if not firewall.settled(wall)]
            reached = reach.tried(arguments)
            folder = generation.begin(
                arguments["about"], replacing(tree, arguments["absent"], walls), arguments["wanted"]
            )
            undo.arm(folder, arguments, walls, reached)
            take_effect(tree, arguments, walls)
    return {"generation": folder, "files": [file["path"] for file, _ in tree.files], "keys": tree.keys}


def writable(paths: list[str]) -> None:
    """Can all of these be replaced? Found out before the first of them is.

    Raises:
        Failed: one is on a file system that is mounted read-only (statvfs(3)); nothing was changed.
    """
    for folder in sorted({existing(os.path.dirname(path)) for path in paths}):
        if os.statvfs(folder).f_flag & os.ST_RDONLY:
            raise common.Failed(
                f"{folder} is on a file system that is mounted read-only, as Linux does after an error of its disk; "
                f"nothing was changed. Look why: findmnt -T {folder}; dmesg"
            )


def existing(folder: str) -> str:
    """The nearest folder above that is there."""
    while not os.path.isdir(folder):
        folder = os.path.dirname(folder)
    return folder


def replacing(tree: staging.Tree, absent: list[str], walls: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Every path that will change, as generation.begin wants to know it."""
    rows = [
        path_row(file["path"], file.get("text"), file["secret"], file.get("returns", "always"))
        for file, _ in tree.files
    ]
    if tree.table_set:
        rows.append(dict(path_row(collect.MAPS, None, returns="same hub"), link=tree.table_set))
    rows += [path_row(path, None) for path in absent]
    for wall in walls:
        rows.append(path_row(wall["boot_path"], wall["ruleset"], returns="same hub"))
        rows.append(path_row(firewall.MAIN, firewall.main_with(wall["boot_path"])))
    return rows


def path_row(path: str, text: Any, secret: bool = False, returns: str = "always") -> dict[str, Any]:
    """One path and its new text; None: removed, or not text."""
    return {"path": path, "text": text, "link": None, "secret": secret, "returns": returns}


def take_effect(tree: staging.Tree, arguments: dict[str, Any], walls: list[dict[str, Any]]) -> None:
    """Rename everything into place, load the rules, let sshd read its files; all of it or nothing.

    Raises:
        Failed: it did not work, and was put back.
    """
    try:
        rename(tree, arguments["absent"])
        for wall in walls:
            firewall.load(wall)
        for unit in arguments["access"]:
            common.run(["systemctl", "reload", unit], seconds=60)
    except (common.Failed, OSError) as error:
        problems = undo.put_back({"why": str(error)})["problems"]
        back = f"NOT everything was put back: {'; '.join(problems)}" if problems else "everything was put back"
        raise common.Failed(f"{error}; {back}") from error


def rename(tree: staging.Tree, absent: list[str]) -> None:
    """Files, maps in one link, main.cf last, removals after it."""
    for file, path in sorted(tree.files, key=lambda pair: pair[0]["path"] == LAST):
        if file["path"] == LAST:
            switch_maps(tree.table_set)
        os.rename(path, file["path"])
    switch_maps(tree.table_set)
    for path in absent:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def switch_maps(table_set: str) -> None:
    """Point the one link at a new set of maps, in one rename."""
    if not table_set or (os.path.islink(collect.MAPS) and os.readlink(collect.MAPS) == table_set):
        return
    fresh = collect.MAPS + ".new"
    with contextlib.suppress(FileNotFoundError):
        os.unlink(fresh)
    os.symlink(table_set, fresh)
    os.rename(fresh, collect.MAPS)
