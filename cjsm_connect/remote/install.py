"""Install a tree of files, maps and keys: stage, validate, rename. Nothing is ever missing, partial or too readable.

New firewall rules are loaded last, under the timer that takes them back; services come only after they were confirmed.

What is renamed was prepared and tried by staging.py. main.cf is renamed last, so that it never names a map or a key
that is not there yet.
"""

from __future__ import annotations

import os
from typing import Any

from cjsm_connect.remote import collect, common, firewall, generation, staging

LAST = "/etc/postfix/main.cf"


def install(arguments: dict[str, Any]) -> dict[str, Any]:
    """Do one host's part of a change. Arguments: directories, files, absent, maps, map_set, keys, firewalls, about.

    Raises:
        Failed: something was not valid; nothing was renamed then.
    """
    with staging.prepared(arguments) as tree:
        folder = generation.begin(arguments["about"])
        activate_files(folder, tree.files, arguments["absent"], tree.table_set)
    loaded = load_firewalls(arguments["firewalls"], folder)
    files = [file["path"] for file, _ in tree.files]
    return {"generation": folder, "files": files, "keys": tree.keys, "loaded": loaded}


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
