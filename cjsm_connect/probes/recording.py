"""Observations in files: `cjsm check --record FILE` and `--observed FILE`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from cjsm_connect.results import CjsmError, inputs

VERSION = 1


def write(path: Path, observation: dict[str, Any]) -> None:
    """Keep an observation. It holds configuration and host names: readable by its owner only.

    Raises:
        CjsmError: the file exists already, or cannot be written.
    """
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as error:
        raise CjsmError(
            f"--record {path}: expected a new file in an existing folder, found: {error.strerror}"
        ) from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump(observation, file, indent=1, sort_keys=True)


def read(path: Path) -> dict[str, Any]:
    """An observation from a file.

    Raises:
        CjsmError: it is missing, too large, not JSON, or not an observation of this version.
    """
    try:
        observation = inputs.json_of(inputs.read(path, inputs.OBSERVATION))
    except inputs.Unreadable as error:
        raise CjsmError(f"--observed {error}") from error
    except ValueError as error:
        raise CjsmError(f"--observed {path}: expected a file of `cjsm check --record`, found: {error}") from error
    if not isinstance(observation, dict) or observation.get("version") != VERSION:
        raise CjsmError(f"--observed {path}: expected an observation of version {VERSION}; record it again")
    if lacking := {"started", "ended", "hosts", "tries"} - observation.keys():
        raise CjsmError(f"--observed {path}: the observation lacks {', '.join(sorted(lacking))}; record it again")
    return observation
