"""Which texts may be shown to strangers, with pseudonyms in them: those of which every word is known. Pure.

A name that nobody told us of looks like any other word, so nothing is searched and taken out: what is not a word of
this tool's own texts, a number, a time, a public fact or a pseudonym makes the whole text unsure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

from cjsm_connect.organisation.addresses import Address, address

ATOM = re.compile(r"[\w.@~+-]+")
EDGES = ".-_~+@"
NUMBER = re.compile(r"-?\d{1,8}(\.\d{1,6}){0,2}([a-z]{1,4}|days)?")  # nine digits may be an address
TIME = r"\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d(?:\.\d{1,6})?)?(?:Z|[+-]\d\d:\d\d)?"
DAY = re.compile(r"\d{4}-\d\d-\d\d")
LIKE_AN_ADDRESS = re.compile(r"(?<!\d)\d{1,3}([._-]\d{1,3}){3}(?!\d)")
SIXTH = re.compile(r"(?<![\w:.])[0-9A-Fa-f]{0,4}(?::[0-9A-Fa-f]{0,4}){2,7}(?:\.\d{1,3}){0,3}(?![\w:])")
OCTETS = re.compile(r"(?i)\b[0-9a-f]{2}(:[0-9a-f]{2}){5,}\b")  # a MAC address, or a fingerprint


def words_of(texts: Iterable[str]) -> frozenset[str]:
    """The words of this tool's own texts and sources: as they stand there, and the parts of those with a dot or dash.

    Mail addresses, and what looks like an address, are no words even there.
    """
    found = set()
    for text in texts:
        for atom in map(_core, ATOM.findall(text)):
            if "@" not in atom and not LIKE_AN_ADDRESS.search(atom):
                found.add(atom)
                found.update(part for part in re.split(r"[._@~+-]", atom) if part.isalpha())
    return frozenset(found)


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
    """What is known when a text is told: `pseudonyms` by the value they stand for, `public` values, `words` of our own,
    and `forbidden` words, which are parts of people's names, as written. All but these are compared without case."""

    pseudonyms: Mapping[str, str]
    public: frozenset[str]
    words: frozenset[str]
    forbidden: frozenset[str] = frozenset()

    def told(self, text: str) -> str | None:
        """The text with pseudonyms for what is known, or None when it holds a word that nobody knows."""
        parts: list[str] = []
        for place, part in enumerate(self._phrases.split(text)):
            found = self._known(part) if place % 2 else self._plain(part)
            if found is None:
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
        return self._folded.get(value.casefold()) or (value if re.fullmatch(TIME, value) else None)

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
        told = [self._atom(atom) for atom in ATOM.findall(text)]
        if None in told:
            return None
        rest = iter(told)
        return ATOM.sub(lambda _: str(next(rest)), text)

    def _atom(self, atom: str) -> str | None:
        core = _core(atom)
        if core in self._folded:
            start = atom.casefold().index(core)
            return atom[:start] + self._folded[core] + atom[start + len(core) :]
        if atom.strip(EDGES) in self.forbidden or LIKE_AN_ADDRESS.search(core):
            return None
        return atom if not core or core in self.words or NUMBER.fullmatch(core) or DAY.fullmatch(core) else None
