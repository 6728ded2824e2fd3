"""The configuration in effect on this host, as texts for the evidence: what programs say of themselves, and files.

Nobody judges these texts. Passwords are taken out here, on the host. Standard library of Python 3.9.
"""

from __future__ import annotations

import glob
import json
import os
from typing import Any

from cjsm_connect.remote.common import digest, read, without_passwords
from cjsm_connect.remote.once import attempt

LARGEST = 256 * 1024  # bytes of one text


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments: commands (lists of words), files (glob patterns). What is not installed or not there is left out."""
    texts = {}
    for argv in arguments["commands"]:
        code, said, complaint = attempt(argv)
        if code != 127:
            texts[" ".join(argv)] = clean(said if code == 0 else "ended with %d: %s" % (code, complaint))
    for path in paths(arguments["files"]):
        texts[path] = clean(read(path))
    return {"configuration": texts, "generation": generation(arguments["generations"])}


def generation(folder: str) -> dict[str, Any]:
    """The newest generation, which is what the last apply left here: its number, state, and the SHA-256 of its
    manifest, in which every file that the apply wrote is named with its own digest. {} before the first apply."""
    numbers = [int(name) for name in os.listdir(folder) if name.isdigit()] if os.path.isdir(folder) else []
    if not numbers:
        return {}
    path = "%s/%d/manifest.json" % (folder, max(numbers))
    state = json.loads(read(path, "{}")).get("state", "")
    return {"number": max(numbers), "state": state, "manifest_sha256": digest(path)}


def paths(patterns: list[str]) -> list[str]:
    """The regular files that the patterns name."""
    found = (path for pattern in patterns for path in glob.glob(pattern))
    return sorted({path for path in found if os.path.isfile(path)})


def clean(text: str) -> str:
    """A text without passwords, and not endless."""
    shown = without_passwords(text[:LARGEST])
    return shown if len(text) <= LARGEST else shown + "\n(cut after %d characters)\n" % LARGEST
