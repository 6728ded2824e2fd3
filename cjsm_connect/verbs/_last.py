"""The last run of the checks, kept in the organisation's folder for `check --since last`, `assess` and `application`.

It holds what was observed: readable by its owner only, and ignored by git.
"""

from __future__ import annotations

import json
import os
import tempfile
from pathlib import Path

from cjsm_connect.results import CjsmError, Run
from cjsm_connect.results.changes import NOTHING, Earlier, read
from cjsm_connect.results.stored import run_of

FOLDER = ".cjsm"
FILE = "last-check.json"
LAST = "last"
LARGEST = 64 * 1024 * 1024  # bytes; a run of a real estate has less than one megabyte


def earlier(since: str, folder: Path) -> Earlier:
    """The run that `--since` names: a file of `check --json`, or the last run of this organisation.

    Raises:
        CjsmError: the file cannot be read, or is no run.
    """
    path = folder / FOLDER / FILE if since == LAST else Path(since)
    if since == LAST and not path.exists():
        return NOTHING
    try:
        return read(_text(path))
    except (OSError, UnicodeDecodeError, CjsmError) as error:
        advice = f" ({path}; remove it to begin anew)" if since == LAST else ""
        raise CjsmError(f"--since {since}{advice}: {error}") from error


def last(folder: Path) -> Run | None:
    """The last whole run of live hosts of this organisation; None where there was none.

    Raises:
        CjsmError: it cannot be read.
    """
    path = folder / FOLDER / FILE
    if not path.exists():
        return None
    try:
        return run_of(json.loads(_text(path)))
    except (OSError, ValueError, RecursionError, CjsmError) as error:
        raise CjsmError(f"{path}: {error}. Remove it, then: cjsm check") from error


def _text(path: Path) -> str:
    if path.stat().st_size > LARGEST:
        raise CjsmError(f"larger than {LARGEST} bytes; this is no run")
    return path.read_text(encoding="utf-8")


def keep(run: Run, folder: Path) -> None:
    """Keep a run as the last one: the file is the old one or the new one, never half of one.

    Raises:
        OSError: the folder cannot be written.
    """
    place = folder / FOLDER
    place.mkdir(mode=0o700, exist_ok=True)
    ignored = place / ".gitignore"
    if not ignored.exists():
        ignored.write_text("*\n", encoding="utf-8")
    descriptor, name = tempfile.mkstemp(dir=place, prefix=f"{FILE}.")  # 0600
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            json.dump(run.plain(), file)
            file.flush()
            os.fsync(file.fileno())
        Path(name).replace(place / FILE)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise
