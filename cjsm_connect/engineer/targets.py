"""What is probed: HOST[:PORT], one a line. Pure but for `load`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address
from pathlib import Path

import idna

from cjsm_connect.results import CjsmError

PORT = 25
LARGEST = 16 * 2**20  # bytes
FORM = re.compile(r"(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^:\[\]\s]+))(?::(?P<port>[0-9]{1,5}))?")


class TargetError(CjsmError):
    """A target cannot be understood; the message says where it stands."""


@dataclass(frozen=True, slots=True)
class Target:
    """A host name (IDNA, lower case) or address, and a port."""

    host: str
    port: int = PORT

    @property
    def is_address(self) -> bool:
        """Is it an address rather than a name?"""
        try:
            ip_address(self.host)
        except ValueError:
            return False
        return True

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


def parse(text: str) -> Target:
    """One target; an IPv6 address stands in brackets.

    Raises:
        TargetError: it is none.
    """
    found = FORM.fullmatch(text.strip())
    if not found:
        raise TargetError(f"target {text.strip()!r}: expected HOST, HOST:PORT, or [IPV6]:PORT")
    port = int(found["port"] or PORT)
    if not 0 < port < 65536:
        raise TargetError(f"target {text.strip()!r}: expected a port from 1 to 65535")
    return Target(str(IPv6Address(found["six"])) if found["six"] else _host(found["host"], text), port)


def _host(host: str, text: str) -> str:
    try:
        return str(ip_address(host))
    except ValueError:
        pass
    try:
        return idna.encode(host.rstrip("."), uts46=True).decode()
    except idna.IDNAError as error:
        raise TargetError(f"target {text.strip()!r}: expected a host name, found: {error}") from error


def load(path: Path) -> list[Target]:
    """The targets of a file; `#` begins a comment.

    Raises:
        TargetError: it cannot be read, or a line is no target; all such lines are named.
    """
    try:
        if path.stat().st_size > LARGEST:
            raise TargetError(f"{path}: expected a list of at most {LARGEST // 2**20} MiB")
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise TargetError(f"{path}: expected a text file of targets, found: {error}") from error
    return unique(_parsed(lines, path))


def _parsed(lines: Sequence[str], path: Path) -> Iterator[Target]:
    wrong = []
    for number, line in enumerate(lines, 1):
        if text := line.partition("#")[0].strip():
            try:
                yield parse(text)
            except (TargetError, ValueError) as error:
                wrong.append(f"line {number}: {error}")
    if wrong:
        more = f" and {len(wrong) - 10} more" if len(wrong) > 10 else ""
        raise TargetError(f"{path}: {'; '.join(wrong[:10])}{more}")


def unique(targets: Iterable[Target]) -> list[Target]:
    """Each target once, in the order given."""
    return list(dict.fromkeys(targets))
