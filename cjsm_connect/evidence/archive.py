"""The tar file around a bundle: written always the same, read as if an enemy had made it."""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Container, Mapping
from datetime import datetime

from . import EvidenceError, Refused, shown

MOST_BYTES = 32 * 2**20  # a bundle of three hosts has about one
MOST_FILES = 256
BLOCK = tarfile.BLOCKSIZE
PIECE = 2**16
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,90}(/[A-Za-z0-9][A-Za-z0-9._-]{0,90})?")


def pack(files: Mapping[str, bytes], time: datetime) -> bytes:
    """A plain tar (POSIX ustar) of `files`: sorted, owned by root, mode 0644, all of one time.

    Raises:
        EvidenceError: `unpack` would refuse it.
    """
    if strange := [name for name in files if not NAME.fullmatch(name)]:
        raise EvidenceError(f"a bundle cannot hold a file named {shown(strange[0])}")
    if sum(map(len, files.values())) > MOST_BYTES - MOST_FILES * 1024 or len(files) > MOST_FILES:
        raise EvidenceError(f"a bundle holds at most {MOST_FILES} files and {MOST_BYTES // 2**20} MiB")
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for name in sorted(files):
            entry = tarfile.TarInfo(name)
            entry.size = len(files[name])
            entry.mtime = int(time.timestamp())
            archive.addfile(entry, io.BytesIO(files[name]))
    return buffer.getvalue()


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of a bundle, in memory only; nothing is ever written to a path that the bundle names.

    Reads header by header, as `pack` writes them: nothing that extends or reinterprets another entry is followed.

    Raises:
        Refused: too large, too many files, a link or device, a name twice or outside, a damaged or padded archive.
    """
    if len(data) > MOST_BYTES:
        raise Refused(f"the bundle is larger than {MOST_BYTES // 2**20} MiB")
    files: dict[str, bytes] = {}
    whole = memoryview(data)  # its slices are no copies: a bundle is in memory twice at most
    at = 0
    while not _ends(block := bytes(whole[at : at + BLOCK])):
        entry = _header(block)
        if len(files) == MOST_FILES:
            raise Refused(f"the bundle holds more than {MOST_FILES} files")
        _acceptable(entry, files)
        start, at = at + BLOCK, at + BLOCK + -(-entry.size // BLOCK) * BLOCK
        files[entry.name] = bytes(whole[start : start + entry.size])
        _nothing_hidden(whole[start + entry.size : at])
        if at > len(data):
            raise Refused(f"the bundle is cut short inside {entry.name}")
    _nothing_hidden(whole[at:])
    return files


def _ends(block: bytes) -> bool:
    """A block of zeros ends a tar file; the mere end of the bytes does not."""
    if len(block) < BLOCK:
        raise Refused("the bundle is not a plain tar file, or cut short: it has no end mark")
    return not block.strip(b"\0")


def _header(block: bytes) -> tarfile.TarInfo:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "strict")
    except (tarfile.HeaderError, ValueError) as error:
        raise Refused(f"the bundle is not a plain tar file, or damaged: {shown(error)}") from error


def _acceptable(entry: tarfile.TarInfo, known: Container[str]) -> None:
    name = shown(entry.name)
    if entry.type not in (tarfile.REGTYPE, tarfile.AREGTYPE) or entry.size < 0:
        raise Refused(f"the bundle may hold plain files only, and {name} is a link, a folder, a device or the like")
    if not NAME.fullmatch(entry.name):
        raise Refused(f"the bundle holds a file with a name that no bundle uses: {name}")
    if entry.name in known:
        raise Refused(f"the bundle holds two files named {name}")


def _nothing_hidden(rest: memoryview) -> None:
    if any(bytes(rest[at : at + PIECE]).strip(b"\0") for at in range(0, len(rest), PIECE)):
        raise Refused("the bundle holds bytes between or after its files; expected nothing there")
