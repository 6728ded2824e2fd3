"""Which texts may be shown to strangers, with pseudonyms in them: those of which every word is known. Pure.

A name that nobody told us of looks like any other word, so nothing is searched and taken out: what is not in the
reviewed list (words.txt), a number that counts something, a month, a public fact or a pseudonym makes all of it unsure.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

from cjsm_connect.organisation.addresses import Address, address

ATOM = re.compile(r"[\w.@~+-]+")
EDGES = ".-_~+@"
NUMBER = re.compile(r"(0|[1-9][0-9]{0,11})(\.[0-9]{1,3})?([a-z]{0,4})")
UNITS = frozenset(
    {"b", "byte", "bytes", "kb", "kib", "mb", "mib", "gb", "gib", "tb", "tib", "bit", "bits", "percent", "times"}
    | {"s", "ms", "sec", "second", "seconds", "m", "min", "minute", "minutes", "h", "hour", "hours", "d", "day", "days"}
    | {"week", "weeks", "month", "months", "year", "years", "messages", "results", "lines", "files", "packages"}
)
BEFORE_A_DECIMAL = frozenset({"tls", "ssl", "tlsv1", "edition"})
BEFORE_FIVE_DIGITS = frozenset({"port", "ports"})
SMALL = 4  # digits of a number that may stand for itself; more of them may be an address or a telephone
LARGE = 7  # digits of a number with a unit; longer ones are sizes, which are round
BYTES = frozenset({"b", "byte", "bytes"})
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?"
DAY = re.compile(r"\d{4}-\d\d-\d\d")
LIKE_AN_ADDRESS = re.compile(r"(?<!\d)\d{1,3}([._-]\d{1,3}){3}(?!\d)")
SIXTH = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\.\d{1,3}){0,3}(?![\w:])")
A_NETWORK = re.compile(r"\s*/\s*[0-9]")  # behind an address: how large its network is tells where the others are
OCTETS = re.compile(r"(?i)\b[0-9a-f]{2}(:[0-9a-f]{2}){5,}\b")  # a MAC address, or a fingerprint


@cache
def words() -> frozenset[str]:
    """The reviewed list: the words that may stay, in small letters."""
    lines = (Path(__file__).parent / "words.txt").read_text(encoding="utf-8").splitlines()
    return frozenset(line for line in lines if line and not line.startswith("#"))


def addresses_in(text: str) -> Iterator[Address]:
    """Every IP address that is written in a text, its network's too."""
    for found in [*re.findall(r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.]*\d)", text), *SIXTH.findall(text)]:
        if address := _address(found):
            yield address


def _address(text: str) -> Address | None:
    try:
        return address(text)
    except ValueError:
        return None


def _core(atom: str) -> str:
    return atom.strip(EDGES).casefold()


@dataclass(frozen=True)
class Wording:
    """What is known when a text is told: `pseudonyms` by the value they stand for, `public` values, `words` that may
    stay, and `forbidden` words, which are parts of people's names, in small letters. All is compared without case."""

    pseudonyms: Mapping[str, str]
    public: frozenset[str]
    words: frozenset[str]
    forbidden: frozenset[str] = frozenset()

    def told(self, text: str) -> str | None:
        """The text with pseudonyms for what is known, or None when it holds a word that nobody knows."""
        parts: list[str] = []
        for place, part in enumerate(self._phrases.split(text)):
            found = self._known(part) if place % 2 else self._plain(part)
            if found is None or (place and not place % 2 and A_NETWORK.match(part)):
                return None
            parts.append(found)
        return "".join(parts)

    @cached_property
    def _folded(self) -> dict[str, str]:
        shown = {value.casefold(): value for value in self.public}
        return shown | {value.casefold(): label for value, label in self.pseudonyms.items()}

    @cached_property
    def _phrases(self) -> re.Pattern[str]:
        """What is known and more than one word; the longest first, as one may hold another."""
        several = sorted((one for one in self._folded if not ATOM.fullmatch(one)), key=len, reverse=True)
        listed = "|".join([*map(re.escape, several), TIME])
        return re.compile(rf"(?i)(?<!\w)({listed})(?!\w)")

    def _known(self, value: str) -> str | None:
        """A moment to the second leads to what else was written down then: a certificate's to public lists."""
        return self._folded.get(value.casefold()) or (month(value) if re.fullmatch(TIME, value) else None)

    def _plain(self, text: str) -> str | None:
        if not text.isascii() or OCTETS.search(text):
            return None
        parts: list[str] = []
        for place, part in enumerate(re.split(f"({SIXTH.pattern})", text)):
            found = self._sixth(part) if place % 2 else self._atoms(part)
            if found is None:
                return None
            parts.append(found)
        return "".join(parts)

    def _sixth(self, text: str) -> str | None:
        address = _address(text)
        return self._known(str(address)) if address else self._atoms(text)

    def _atoms(self, text: str) -> str | None:
        """Atom by atom, each with its neighbours: a number is judged by what it counts."""
        pieces = re.split(f"({ATOM.pattern})", text)
        atoms = ["", *map(_core, pieces[1::2]), ""]
        if _in_pieces(atoms):
            return None
        for place in range(1, len(pieces), 2):
            number = place // 2 + 1  # of its neighbours are those before and behind it
            told = self._atom(pieces[place], atoms[number - 1], atoms[number + 1])
            known = atoms[number] in self._folded
            if told is None or (known and A_NETWORK.match(pieces[place + 1] + atoms[number + 1][:1])):
                return None
            pieces[place] = told
        return "".join(pieces)

    def _atom(self, atom: str, before: str, behind: str) -> str | None:
        core = _core(atom)
        if core in self._folded:
            start = atom.casefold().index(core)
            return atom[:start] + self._folded[core] + atom[start + len(core) :]
        if core in self.forbidden or LIKE_AN_ADDRESS.search(core):
            return None
        if DAY.fullmatch(core):
            return month(core)
        return atom if not core or core in self.words or _counts(core, before, behind) else None


def _counts(core: str, before: str, behind: str) -> bool:
    """Is this a number that counts something? One beside another may be an address in pieces, one with leading zeros or
    many digits a telephone or an address, one with a point a part of an address."""
    found = NUMBER.fullmatch(core)
    if not found or NUMBER.fullmatch(before) or NUMBER.fullmatch(behind):
        return False
    digits, decimals, suffix = found.groups()
    unit = suffix in UNITS if suffix else behind in UNITS
    if suffix and not unit:
        return False
    if decimals:
        return unit or (before in BEFORE_A_DECIMAL and len(digits) == 1 and len(decimals) == 2)
    if len(digits) > LARGE:  # with a unit it could still be an address as one number, or a telephone
        return (suffix or behind) in BYTES and (int(digits) % 1000 == 0 or int(digits) % 1024 == 0)
    return unit or len(digits) <= SMALL or (len(digits) == SMALL + 1 and before in BEFORE_FIVE_DIGITS)


def _in_pieces(atoms: list[str]) -> bool:
    """Is an address told in pieces, with the same word between them: 10 and 20 and 30, 10.20 s 30.5 s?"""
    for one, word, other, again, third in zip(atoms, atoms[1:], atoms[2:], atoms[3:], [*atoms[4:], ""], strict=False):
        numbers = [NUMBER.fullmatch(atom) for atom in (one, other, third)]
        if word == again and numbers[0] and numbers[1] and (numbers[2] or (numbers[0][2] and numbers[1][2])):
            return True
    return False


def month(moment: str) -> str:
    """A day or a time, as coarse as a stranger needs it."""
    return moment[:7]
