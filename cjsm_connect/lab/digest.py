"""What a saved state depends on, as one short digest: another text anywhere in it asks for a new state."""

from __future__ import annotations

import hashlib
from pathlib import Path

from cjsm_connect.lab import authority, images
from cjsm_connect.lab.entry import CLONE

# what decides how a host looks after `apply`; the rest of the project may change without building hosts anew
SOURCES = (
    "deploys", "templates", "inventories/lab/organisation.toml", "cjsm_connect/organisation",
    "cjsm_connect/desired", "cjsm_connect/remote", "cjsm_connect/operations", "cjsm_connect/lab",
)  # fmt: skip

ELSEWHERE = "virtual"  # the folder of the virtual machine, which is no host of a lab


def of_applied(relays: int = 1, root: Path = CLONE) -> str:
    """A digest of everything that an applied lab is made from: its relays, sources, images and the authorities."""
    content = hashlib.sha256(f"{images.digest()} {relays}".encode())
    content.update(authority.pem(authority.operator().root).encode())
    for path in sorted(file for source in SOURCES for file in _files(root / source)):
        content.update(f"\0{path.relative_to(root)}\0".encode() + path.read_bytes())
    return content.hexdigest()[:12]


def _files(source: Path) -> list[Path]:
    """The text files of a source; what Python compiled from them does not count."""
    if source.is_file():
        return [source]
    files = (path for path in source.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return [path for path in files if path.parent.name != ELSEWHERE]
