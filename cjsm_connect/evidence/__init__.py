"""Evidence: results and observations as one signed bundle, and its verification offline.

A bundle is a tar file. Its `statement.json` is an in-toto Statement v1 that names every file with its SHA-256; it is
signed twice with one key: as DSSE (`statement.dsse.json`) and as detached CMS (`statement.cms`).
"""

from __future__ import annotations

from pathlib import Path

from cjsm_connect.results import CjsmError, inputs

STATEMENT = "statement.json"
DSSE = "statement.dsse.json"
CMS = "statement.cms"
SIGNATURE_FILES = frozenset({STATEMENT, DSSE, CMS})
TIMESTAMP = "statement.tsr"  # may be there; the only file that neither signature covers, as it comes after them


class EvidenceError(CjsmError):
    """Evidence could not be made, or the tools to verify it (the key, the file) could not be read."""


class Refused(CjsmError):
    """A bundle, or a part of it, is not what a bundle must be. The message says what was expected and found."""


def read_file(path: Path, kind: inputs.Input) -> bytes:
    """A file given on the command line.

    Raises:
        EvidenceError: it cannot be read.
    """
    try:
        return inputs.read(path, kind)
    except inputs.Unreadable as error:
        raise EvidenceError(str(error)) from error
