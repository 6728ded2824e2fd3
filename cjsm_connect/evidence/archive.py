"""The tar file around a bundle: written in one form only, and only that form is read.

POSIX ustar (pax(1), "ustar Interchange Format"), as GNU's `tar --format=ustar --numeric-owner` writes it. What a header
can say in two ways, programs read in two ways: sizes in octal, binary or with a sign, names in two fields, entries that
change the next one. So what was read is written again and compared byte for byte, and no other program can see another
bundle than this one does.
"""

from __future__ import annotations

import io
import re
import tarfile
from collections.abc import Collection, Container, Mapping
from datetime import datetime

from cjsm_connect.printable import shown
from cjsm_connect.results import inputs

from . import EvidenceError, Refused

MOST_BYTES = inputs.BUNDLE.most
MOST_FILES = 256
BLOCK = tarfile.BLOCKSIZE
RECORD = tarfile.RECORDSIZE  # a tar file is a multiple of it
PIECE = 2**16
LONGEST = 100  # bytes of a name in its own field
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,90}(/[A-Za-z0-9][A-Za-z0-9._-]{0,90})?")


def pack(files: Mapping[str, bytes], time: datetime) -> bytes:
    """A plain tar of `files`: sorted, owned by root, mode 0644, all of one time.

    Raises:
        EvidenceError: `unpack` would refuse it.
    """
    if strange := [name for name in files if not NAME.fullmatch(name)]:
        raise EvidenceError(f"a bundle cannot hold a file named {shown(strange[0])}")
    if twice := _twice(files):
        raise EvidenceError(f"a bundle cannot hold {twice}")
    if sum(map(len, files.values())) > MOST_BYTES - MOST_FILES * 1024 - RECORD or len(files) > MOST_FILES:
        raise EvidenceError(f"a bundle holds at most {MOST_FILES} files and {MOST_BYTES // 2**20} MiB")
    return _written(files, int(time.timestamp()))


def _written(files: Mapping[str, bytes], time: int) -> bytes:
    """The entries, two blocks of zeros, and zeros up to a whole record."""
    made = io.BytesIO()
    for name in sorted(files):
        made.write(_header(name, len(files[name]), time) + files[name] + b"\0" * (-len(files[name]) % BLOCK))
    return made.getvalue().ljust(_whole(made.tell()), b"\0")


def _whole(size: int) -> int:
    """How long a tar file is whose entries take `size` bytes."""
    return -(-(size + 2 * BLOCK) // RECORD) * RECORD


def _header(name: str, size: int, time: int) -> bytes:
    """The one header of a file (pax(1), "ustar Interchange Format")."""
    folder, short = ("", name) if len(name) <= LONGEST else name.rsplit("/", 1)
    numbers = b"0000644\0" + b"0000000\0" * 2 + b"%011o\0%011o\0" % (size, time)
    start = short.encode().ljust(LONGEST, b"\0") + numbers
    rest = (
        b"0"
        + bytes(100)
        + b"ustar\x0000"
        + bytes(64)
        + b"0000000\0" * 2
        + folder.encode().ljust(155, b"\0")
        + bytes(12)
    )
    total = sum(start) + sum(b" " * 8) + sum(rest)
    return start + b"%06o\0 " % total + rest


def _twice(names: Collection[str]) -> str:
    """Two files that a file system could take for one, or for a file and a folder; "" when there are none."""
    plain = {name.casefold(): name for name in names}
    folders = {name.partition("/")[0] for name in plain if "/" in name}
    if clash := sorted(folders & plain.keys()):
        return f"both a file and a folder named {plain[clash[0]]}"
    spelled = {name.partition("/")[0] for name in names if "/" in name}
    if len(plain) < len(names) or len(folders) < len(spelled):
        return "two names that differ only in capital letters"
    return ""


def unpack(data: bytes) -> dict[str, bytes]:
    """The files of a bundle, in memory only; nothing is ever written to a path that the bundle names.

    Raises:
        Refused: too large, too many files, a link or device, a name twice or outside, a damaged or padded archive; or
            it is not, byte for byte, what `pack` writes for these files.
    """
    if len(data) > MOST_BYTES:
        raise Refused(f"the bundle is larger than {MOST_BYTES // 2**20} MiB")
    files: dict[str, bytes] = {}
    whole = memoryview(data)  # its slices are no copies
    at, time = 0, 0
    while not _ends(block := bytes(whole[at : at + BLOCK])):
        entry = _parsed(block)
        if len(files) == MOST_FILES:
            raise Refused(f"the bundle holds more than {MOST_FILES} files")
        _acceptable(entry, files)
        start, at = at + BLOCK, at + BLOCK + -(-entry.size // BLOCK) * BLOCK
        files[entry.name], time = bytes(whole[start : start + entry.size]), int(entry.mtime)
        _nothing_hidden(whole[start + entry.size : at])
        if at > len(data):
            raise Refused(f"the bundle is cut short inside {entry.name}")
    _nothing_hidden(whole[at:])
    _as_written(data, files, time)
    return files


def _as_written(data: bytes, files: Mapping[str, bytes], time: int) -> None:
    """Return if these are the bytes that `_written` makes of these files. What lies between the headers was read from
    there, and is zeros after a file's end; so the headers in their places, and the length, are all that may differ."""
    if twice := _twice(files):
        raise Refused(f"the bundle holds {twice}")
    at = 0
    for name in sorted(files):
        if not 0 <= time < 8**11 or data[at : at + BLOCK] != _header(name, len(files[name]), time):
            raise Refused(_other_form(at))
        at += BLOCK + -(-len(files[name]) // BLOCK) * BLOCK
    if len(data) != _whole(at):
        raise Refused(_other_form(min(len(data), _whole(at))))


def _other_form(at: int) -> str:
    return (
        "the bundle is not written in the one form in which evidence is: expected the order, owners, modes, times, "
        f"numbers and padding of `cjsm evidence`, found another block at byte {at}"
    )


def _ends(block: bytes) -> bool:
    """A block of zeros ends a tar file; the mere end of the bytes does not."""
    if len(block) < BLOCK:
        raise Refused("the bundle is not a plain tar file, or cut short: it has no end mark")
    return not block.strip(b"\0")


def _parsed(block: bytes) -> tarfile.TarInfo:
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
