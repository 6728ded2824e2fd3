"""What is probed: HOST[:PORT], one a line, and who has authorised more than looking. Pure but for `load`."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from pathlib import Path

from pydantic_core import PydanticCustomError

from cjsm_connect.organisation import addresses, strangers, values
from cjsm_connect.printable import shown
from cjsm_connect.results import CjsmError, inputs

PORT = 25
LONGEST_LINE, MOST_LINES = 1000, 200_000  # characters of a line; lines
LONGEST_PERMISSION = timedelta(days=90)
WORDS = frozenset({"authorised-by", "on", "domain"})
FORM = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]\s]+))(?::(?P<port>[0-9]{1,5}))?")


class TargetError(CjsmError):
    """A target cannot be understood; the message says where it stands."""


@dataclass(frozen=True, slots=True)
class Permission:
    """Who has authorised active tests, the last day (UTC) that it holds, and a domain of theirs to write to.

    `source`: where it is written. `first`: the day from which it holds.
    """

    by: str
    first: date
    last: date
    domain: str
    source: str

    def __post_init__(self) -> None:
        """It is written into SMTP commands: whoever makes one, it is a domain and nothing else."""
        if strangers.domain(self.domain) != self.domain:
            raise TargetError(f"domain {shown(self.domain)}: expected a domain name, as council.example")

    def refusal(self, today: date) -> str:
        """Why it does not hold on a day (UTC); "" if it does."""
        if today < self.first:
            return f"not authorised yet: {self.by} has from {self.first} on ({self.source})"
        return f"not authorised any more: {self.by} had until {self.last} ({self.source})" if today > self.last else ""


@dataclass(frozen=True, slots=True)
class Target:
    """A host name (IDNA, lower case) or address, and a port. Two of the same place are one target."""

    host: str
    port: int = PORT
    permission: Permission | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        """Whoever makes one, it is one place and nothing else."""
        if _host(self.host, self.host) != self.host or strangers.port(self.port) is None:
            raise TargetError(f"target {shown(self.host)}: expected a host name or address, and a port from 1 to 65535")

    @property
    def is_address(self) -> bool:
        """Is it an address rather than a name?"""
        return addresses.is_address(self.host)

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Target:
    """One target; an IPv6 address stands in brackets.

    Raises:
        TargetError: it is none.
    """
    found = FORM.fullmatch(text.strip())
    if not found:
        raise TargetError(f"target {shown(text.strip())}: expected HOST, HOST:PORT, or [IPV6]:PORT")
    port = int(found["port"] or PORT)
    if not 0 < port < 65536:
        raise TargetError(f"target {shown(text.strip())}: expected a port from 1 to 65535")
    return Target(_bracketed(found["six"]) if found["six"] else _host(found["host"], text), port)


def _bracketed(text: str) -> str:
    try:
        return str(addresses.address(text))
    except ValueError as error:
        raise TargetError(f"target [{text}]: expected an IPv6 address in the brackets") from error


def _host(host: str, text: str) -> str:
    if found := strangers.address(host):
        return found
    try:
        return values.host_name(host.removesuffix("."))
    except PydanticCustomError as error:
        raise TargetError(f"target {shown(text.strip())}: expected {error.message()}") from error


def load(path: Path) -> list[Target]:
    """The targets of a file; `#` begins a comment.

    Raises:
        TargetError: it cannot be read, or a line is no target; all such lines are named.
    """
    try:
        lines = inputs.text(path, inputs.TARGETS).splitlines()
    except inputs.Unreadable as error:
        raise TargetError(str(error)) from error
    if len(lines) > MOST_LINES:
        raise TargetError(f"{path}: expected at most {MOST_LINES:,} lines, found {len(lines):,}")
    return unique(_parsed(lines, path))


def _parsed(lines: Sequence[str], path: Path) -> Iterator[Target]:
    wrong = []
    for number, line in enumerate(lines, 1):
        if text := line.partition("#")[0].strip():
            try:
                if len(text) > LONGEST_LINE:
                    raise TargetError(f"expected at most {LONGEST_LINE} characters")
                yield _row(text, path)
            except (TargetError, ValueError) as error:
                wrong.append(f"line {number}: {error}")
    if wrong:
        more = f" and {len(wrong) - 10} more" if len(wrong) > 10 else ""
        raise TargetError(f"{path}: {'; '.join(wrong[:10])}{more}")


def unique(targets: Iterable[Target]) -> list[Target]:
    """Each target once, in the order given."""
    return list(dict.fromkeys(targets))


def _row(text: str, path: Path) -> Target:
    """HOST[:PORT], and the authorisation if there is one: authorised-by="NAME" on=2026-11-20 domain=council.example"""
    host, *words = shlex.split(text)
    target = parse(host)
    if not words:
        return target
    given = dict(word.partition("=")[::2] for word in words)
    if given.keys() != WORDS or not all(given.values()) or len(words) != len(WORDS):
        raise TargetError(f'target {shown(host)}: expected authorised-by="NAME" on=YYYY-MM-DD domain=DOMAIN after it')
    return Target(target.host, target.port, _permission(given, text, path))


def _permission(given: Mapping[str, str], text: str, path: Path) -> Permission:
    on = date.fromisoformat(given["on"])
    return Permission(given["authorised-by"], on, on + LONGEST_PERMISSION, _host(given["domain"], text), path.name)
