"""The people who will use CJSM: a CSV file, judged line by line, compared with the list of the last pack. Pure.

A list that leaves here can be opened in a spreadsheet: no cell of it is taken for a formula.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from pydantic_core import PydanticCustomError

from cjsm_connect.organisation.problems import did_you_mean, shown
from cjsm_connect.organisation.values import email_address

COLUMNS = ("name", "address")
SUFFIX = ".cjsm.net"
LONGEST_NAME = 200
MOST_TOLD = 50
FORMULA = ("=", "+", "-", "@", "\t", "\r", "＝", "＋", "－", "＠")
"""First characters that make a spreadsheet read a cell as a formula (OWASP, CSV Injection; four are full-width)."""


@dataclass(frozen=True, slots=True, order=True)
class User:
    """A person, or a group mailbox: its name, and its ordinary address in lower case with A-labels."""

    address: str
    name: str

    @property
    def cjsm_address(self) -> str:
        """What others write to. The suffix is added to the address, and taken off by the hub."""
        return f"{self.address}{SUFFIX}"


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line of the file that cannot be used."""

    line: int
    found: str
    expected: str

    def __str__(self) -> str:
        return f"line {self.line}: found {self.found}; expected {self.expected}"


@dataclass(frozen=True, slots=True)
class Users:
    """The list, sorted by address; and the lines that are not in it."""

    users: tuple[User, ...]
    bad: tuple[BadLine, ...]


@dataclass(frozen=True, slots=True)
class Changes:
    """Who came, who left, and whose name is another, since an earlier list."""

    joined: tuple[User, ...]
    left: tuple[User, ...]
    renamed: tuple[User, ...]


class _Mistake(Exception):
    def __init__(self, found: str, expected: str) -> None:
        super().__init__(expected)
        self.found, self.expected = found, expected


def read(text: str, domains: Iterable[str]) -> Users:
    """The users of a CSV text with a header of the columns name and address, in any order.

    Every address has to be in one of `domains` (A-labels). Nothing is dropped in silence: what cannot be used is told.
    """
    rows = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    found: dict[str, tuple[int, User]] = {}
    bad: list[BadLine] = []
    try:
        places = _header(next(rows, []))
        for row in rows:
            if any(cell.strip() for cell in row):
                _take(partial(_user, row, places, tuple(domains)), rows.line_num, found, bad)
    except csv.Error as error:
        bad.append(BadLine(rows.line_num, f"damaged CSV ({error})", "cells with commas between, in double quotes"))
    except _Mistake as mistake:
        bad.append(BadLine(1, mistake.found, mistake.expected))
    return Users(tuple(sorted(user for _, user in found.values())), tuple(bad))


def _header(row: Sequence[str]) -> dict[str, int]:
    """Where each column stands."""
    names = [cell.strip().lower() for cell in row]
    if sorted(names) != sorted(COLUMNS):
        raise _Mistake(shown(",".join(row)) if row else "nothing", "the first line name,address")
    return {name: names.index(name) for name in COLUMNS}


def _take(made: Callable[[], User], line: int, found: dict[str, tuple[int, User]], bad: list[BadLine]) -> None:
    """Put the user of a line on the list, or the line among those that cannot be used."""
    try:
        user = made()
        if user.address in found:
            raise _Mistake(shown(user.address), f"each address once; line {found[user.address][0]} has it too")
        found[user.address] = (line, user)
    except _Mistake as mistake:
        bad.append(BadLine(line, mistake.found, mistake.expected))


def _user(row: Sequence[str], places: Mapping[str, int], domains: Sequence[str]) -> User:
    if len(row) != len(COLUMNS):
        raise _Mistake(f"{len(row)} cells", "a name and an address; a name with a comma stands in double quotes")
    return User(_address(row[places["address"]], domains), _name(row[places["name"]]))


def _name(cell: str) -> str:
    name = " ".join(cell.split(" ")).strip()
    if not name or len(name) > LONGEST_NAME:
        raise _Mistake(shown(cell), f"a name of 1 to {LONGEST_NAME} characters")
    if not name.isprintable():
        raise _Mistake(ascii(name[:LONGEST_NAME]), "a name without control or invisible characters")
    return name


def _address(cell: str, domains: Sequence[str]) -> str:
    try:
        address = email_address(cell).lower()
    except PydanticCustomError as error:
        context = error.context or {}
        raise _Mistake(context.get("found") or shown(cell.strip()), str(context["expected"])) from error
    domain = address.rpartition("@")[2]
    if f".{domain}".endswith(SUFFIX):
        raise _Mistake(shown(cell.strip()), f"the ordinary address, without {SUFFIX}: senders add that")
    if domain not in domains:
        near = did_you_mean(domain, domains)
        raise _Mistake(shown(cell.strip()), f"an address in one of [domains]{near}")
    return address


def changes(before: Iterable[User], now: Iterable[User]) -> Changes:
    """What is different between two lists; an address is what makes a person the same."""
    old, new = ({one.address: one for one in several} for several in (before, now))
    return Changes(
        joined=tuple(new[address] for address in sorted(new.keys() - old.keys())),
        left=tuple(old[address] for address in sorted(old.keys() - new.keys())),
        renamed=tuple(new[one] for one in sorted(new.keys() & old.keys()) if new[one].name != old[one].name),
    )


def as_csv(users: Iterable[User]) -> str:
    """The list for the directory: name, address, and the address that others write to."""
    return _csv(("name", "address", "cjsm_address"), ((one.name, one.address, one.cjsm_address) for one in users))


def changes_as_csv(found: Changes) -> str:
    """Who joined, left or has another name: one line each."""
    kinds = (("joined", found.joined), ("left", found.left), ("renamed", found.renamed))
    return _csv(("change", "name", "address"), ((kind, one.name, one.address) for kind, all_ in kinds for one in all_))


def _csv(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """RFC 4180; a cell that a spreadsheet would read as a formula begins with an apostrophe, which makes it text."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n", quoting=csv.QUOTE_ALL)
    writer.writerow(head)
    writer.writerows([_safe(cell) for cell in row] for row in rows)
    return text.getvalue()


def _safe(cell: str) -> str:
    return f"'{cell}" if cell.startswith(FORMULA) else cell


def told(bad: Sequence[BadLine]) -> Iterator[str]:
    """The lines that cannot be used, and how many more there are."""
    yield from map(str, bad[:MOST_TOLD])
    if len(bad) > MOST_TOLD:
        yield f"and {len(bad) - MOST_TOLD} more"
