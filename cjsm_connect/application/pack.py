"""The pack on disk: a folder that is replaced as a whole, readable by its owner only, and ignored by git.

What somebody else put into it (the scan of a signed sheet) is never removed: then the pack is not written at all.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from cjsm_connect.application.users import User
from cjsm_connect.printable import as_json
from cjsm_connect.results import CjsmError, inputs

MANIFEST = ".pack"  # the names of the pack's files, one a line
USERS = "users.json"  # what the next pack compares with
IGNORED = {".gitignore": b"*\n"}


def write(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put the files in place of the folder's earlier pack. A reader sees all of the old or all of the new.

    Raises:
        CjsmError: the folder is a link, holds files that are not of a pack, or cannot be written.
    """
    _replaceable(folder)
    everything = {**IGNORED, **files, MANIFEST: "\n".join([*IGNORED, *files, MANIFEST]).encode()}
    try:
        staged = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))  # 0700
    except OSError as error:
        raise _unwritable(folder, error) from error
    try:
        for name, content in everything.items():
            _write(staged / name, content)
        _switch(staged, folder)
    except OSError as error:
        raise _unwritable(folder, error) from error
    finally:
        shutil.rmtree(staged, ignore_errors=True)


def _replaceable(folder: Path) -> None:
    if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
        raise CjsmError(f"{folder}: expected a folder of its own for the pack, found something else. Choose: --output")
    if not folder.exists():
        return
    foreign = sorted({path.name for path in folder.iterdir()} - _own(folder))
    if foreign:
        raise CjsmError(
            f"{folder} holds {', '.join(foreign[:5])}{' and more' if len(foreign) > 5 else ''}, which no pack wrote. "
            "The folder is replaced as a whole, so that would be lost: move it elsewhere, or choose --output"
        )


def _own(folder: Path) -> set[str]:
    try:
        return set(inputs.text(folder / MANIFEST, inputs.PACK).split("\n"))
    except inputs.Unreadable:
        return set()


def _write(path: Path, content: bytes) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _switch(staged: Path, folder: Path) -> None:
    """Two renames: a folder that is not empty cannot be replaced by one. If the second fails, the first is undone."""
    if not folder.exists():
        staged.rename(folder)
        return
    earlier = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}.earlier."))
    folder.rename(earlier)
    try:
        staged.rename(folder)
    except OSError:
        earlier.rename(folder)
        raise
    shutil.rmtree(earlier, ignore_errors=True)


def _unwritable(folder: Path, error: OSError) -> CjsmError:
    return CjsmError(f"{folder}: the pack could not be written: {error.strerror or error}. Choose a folder: --output")


def kept(users: Iterable[User], day: str) -> bytes:
    """The list as the next pack reads it back."""
    rows = [{"name": one.name, "address": one.address} for one in users]
    return (as_json({"made": day, "users": rows}, indent=1) + "\n").encode()


def earlier(folder: Path) -> tuple[tuple[User, ...], str, bytes]:
    """The users of the folder's last pack, its day, and both as they are written; nothing where there is none.

    Raises:
        CjsmError: they are there and cannot be read: everybody would seem to join.
    """
    path = folder / USERS
    try:
        data = inputs.read(path, inputs.PACK)
    except inputs.Unreadable as error:
        if error.missing:
            return (), "", b""
        raise
    with suppress(ValueError, KeyError, TypeError):
        found: Any = inputs.json_of(data)
        return tuple(User(str(one["address"]), str(one["name"])) for one in found["users"]), str(found["made"]), data
    raise CjsmError(f"{path} is not the list of an earlier pack. Remove it to begin anew: then everybody joins")
