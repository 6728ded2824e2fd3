"""Every file that somebody gives us is read here: a regular file, once, up to a stated size, no deeper than needed.

A named pipe would keep us waiting, a device has no end, and a file of another kind may be far larger than any of this
one. docs/limits.md is this table for people.
"""

from __future__ import annotations

import errno
import json
import os
import re
import stat
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BufferedReader
from pathlib import Path
from typing import Any

from cjsm_connect.results import CjsmError

KIB, MIB = 2**10, 2**20


@dataclass(frozen=True, slots=True)
class Input:
    """A kind of file: what it is called, and its greatest size in bytes."""

    name: str
    most: int

    @property
    def size(self) -> str:
        """The greatest size as people write it."""
        return f"{self.most // MIB} MiB" if self.most >= MIB else f"{self.most // KIB} KiB"


ORGANISATION = Input("the organisation file", MIB)
LIST = Input("a list of domains, recipients or fingerprints", 16 * MIB)
CERTIFICATES = Input("certificates in PEM", MIB)
REVOKED = Input("a list of revoked certificates", 16 * MIB)
SSH = Input("ssh_config or known_hosts", MIB)
SECRET = Input("a secret: password, passphrase or private key", 64 * KIB)
USERS = Input("the list of users", 16 * MIB)
OBSERVATION = Input("an observation of check --record", 64 * MIB)
RESULTS = Input("the results of check --json, or the last ones kept", 64 * MIB)
BUNDLE = Input("a bundle", 32 * MIB)  # of three hosts it has about one
KEY = Input("a public key or its certificate", 64 * KIB)
OPENED = Input("opened fields, or a timestamp authority's certificate", MIB)
CRITERIA = Input("criteria", MIB)
TARGETS = Input("a list of targets", 16 * MIB)
ANSWERS = Input("answers of an earlier probe", 1024 * MIB)
PACK = Input("a file of an earlier application pack", 16 * MIB)
INPUTS = (
    ORGANISATION, LIST, CERTIFICATES, REVOKED, SSH, SECRET, USERS, OBSERVATION, RESULTS, BUNDLE, KEY, OPENED, CRITERIA,
    TARGETS, ANSWERS, PACK,
)  # fmt: skip

DEEPEST = 12
"""How many tables and arrays may stand in each other: an organisation file needs five."""
MOST_DOTS = 32
"""In one line of TOML outside its texts. Each dot of a key makes the reader look at all before it."""
MOST_TOLD = 50
"""How many mistakes of one kind a message lists; the others are counted."""

KINDS = {
    stat.S_IFDIR: "a folder",
    stat.S_IFIFO: "a named pipe",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class Unreadable(CjsmError):
    """A file cannot be used. `found` is the reason in a few words; `missing`: there is none of that name."""

    def __init__(self, path: Path, kind: Input, found: str, *, missing: bool = False) -> None:
        self.found, self.missing = found, missing
        super().__init__(
            f"{path} cannot be read: {found}; expected {kind.name}, in a regular file of at most {kind.size}"
        )


def read(path: Path, kind: Input) -> bytes:
    """The content of a file.

    Raises:
        Unreadable: there is none, it is not a regular file, larger than its kind may be, or closed to us.
    """
    with opened(path, kind) as file:
        try:
            data = file.read(kind.most + 1)
        except OSError as error:
            raise Unreadable(path, kind, _why(error)) from error
    if len(data) > kind.most:  # it has grown, or is one of those of /proc that have no size
        raise Unreadable(path, kind, "too large a file")
    return data


@contextmanager
def opened(path: Path, kind: Input) -> Iterator[BufferedReader]:
    """A file to be read piece by piece. Raises Unreadable, as `read`."""
    try:
        # without O_NONBLOCK a named pipe would wait here for somebody to write
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except (OSError, ValueError) as error:  # ValueError: a zero byte in the name
        raise Unreadable(path, kind, _why(error), missing=isinstance(error, FileNotFoundError)) from error
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode) or status.st_size > kind.most:
        os.close(descriptor)
        raise Unreadable(path, kind, KINDS.get(stat.S_IFMT(status.st_mode), "too large a file"))
    with os.fdopen(descriptor, "rb") as file:
        yield file


def _why(error: OSError | ValueError) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number in (errno.ENXIO, errno.ENODEV):
        return "a socket or a device"
    return "a folder" if number == errno.EISDIR else (getattr(error, "strerror", None) or str(error)).lower()


def text(path: Path, kind: Input) -> str:
    """The content of a file as UTF-8, also with the byte order mark that some editors put first.

    Raises:
        Unreadable: as `read`, or a byte is not UTF-8.
    """
    data = read(path, kind)
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(path, kind, f"byte {error.start} is not UTF-8") from error


STRING = re.compile(r'"(?:[^"\\]|\\.)*"|\'[^\']*\'')


def toml(content: str) -> dict[str, Any]:
    """A TOML document that is no deeper than it has to be.

    Raises:
        ValueError: it is none (tomllib.TOMLDecodeError), or a number is too long, or it is nested too deeply.
    """
    for number, line in enumerate(content.split("\n"), 1):
        if line.count(".") > MOST_DOTS and STRING.sub("", line).partition("#")[0].count(".") > MOST_DOTS:
            raise ValueError(f"a key of more than {MOST_DOTS} parts (at line {number}, column 1)")
    try:
        found = tomllib.loads(content)
    except RecursionError:
        raise ValueError("tables or lists nested too deeply (at the file)") from None
    if _depth(found) > DEEPEST:
        raise ValueError(f"tables or lists nested deeper than {DEEPEST} (at the file)")
    return found


def json_of(content: str | bytes) -> Any:
    """A JSON value.

    Raises:
        ValueError: it is none, or is nested too deeply.
    """
    try:
        return json.loads(content)
    except RecursionError:
        raise ValueError("JSON that is nested too deeply") from None


def _depth(value: Any) -> int:
    """How deep tables and arrays stand in each other; counted without recursion, and no further than it matters."""
    level, depth = [value], 0
    while level and depth <= DEEPEST:
        inner = (item.values() if isinstance(item, dict) else item for item in level)
        level = [one for items in inner for one in items if isinstance(one, dict | list)]
        depth += 1
    return depth


def and_more(count: int, most: int = MOST_TOLD) -> str:
    """What is said of those that are not listed: "and 199,950 more"; nothing where all are."""
    return f"and {count - most:,} more" if count > most else ""
