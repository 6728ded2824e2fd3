"""The last run of the checks, kept in the organisation's folder for `check --since last`, `assess` and `application`.

It holds what was observed: readable by its owner only, and ignored by git.
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
from pathlib import Path

from cjsm_connect.results import CjsmError, Run, inputs
from cjsm_connect.results.changes import NOTHING, Earlier, read
from cjsm_connect.results.stored import run_of

FOLDER = ".cjsm"
FILE = "last-check.json"
LAST = "last"


def earlier(since: str, folder: Path) -> Earlier:
    """The run that `--since` names: a file of `check --json`, or the last run of this organisation.

    Raises:
        CjsmError: the file cannot be read, or is no run.
    """
    path = folder / FOLDER / FILE if since == LAST else Path(since)
    if since == LAST and not path.exists():
        return NOTHING
    try:
        return read(inputs.text(path, inputs.RESULTS))
    except CjsmError as error:
        advice = f" ({path}; remove it to begin anew)" if since == LAST else ""
        raise CjsmError(f"--since {since}{advice}: {error}") from error


def last(folder: Path) -> tuple[Run, str] | None:
    """The last whole run of live hosts of this organisation, and its SHA-256; None where there was none.

    Raises:
        CjsmError: it cannot be read.
    """
    path = folder / FOLDER / FILE
    if not path.exists():
        return None
    try:
        data = inputs.read(path, inputs.RESULTS)
        return run_of(inputs.json_of(data)), hashlib.sha256(data).hexdigest()
    except (ValueError, CjsmError) as error:
        raise CjsmError(f"{path}: {error}. Remove it, then: cjsm check") from error


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
