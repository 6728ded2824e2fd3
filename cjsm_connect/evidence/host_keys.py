"""The hosts' SSH keys, as fingerprints, from known_hosts (man sshd, SSH_KNOWN_HOSTS FILE FORMAT)."""

from __future__ import annotations

import base64
import binascii
import hashlib
from collections.abc import Iterator


def fingerprints(known_hosts: str) -> list[dict[str, str]]:
    """The pinned keys: hosts, key type, and SHA-256 as `ssh-keygen -l` prints it. Lines that are no key are skipped."""
    rows = (row for line in known_hosts.splitlines() for row in _row(line))
    return sorted(rows, key=lambda row: (row["hosts"], row["type"]))


def _row(line: str) -> Iterator[dict[str, str]]:
    fields = line.split()
    marker = fields.pop(0) if fields and fields[0].startswith("@") else ""
    if len(fields) < 3 or fields[0].startswith("#"):
        return
    try:
        digest = hashlib.sha256(base64.b64decode(fields[2], validate=True)).digest()
    except binascii.Error:
        return
    printed = "SHA256:" + base64.b64encode(digest).decode().rstrip("=")
    yield {"hosts": fields[0], "type": fields[1], "fingerprint": printed, "marker": marker}
