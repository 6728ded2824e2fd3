"""Which characters UTS #46 turns into plain ones when a domain is looked up, so that another text is the same domain.

Postfix does that for DNS alone (smtp(8), by ICU), and after its tables were asked: a table that knows `example.org`
does not know `example。org`. The characters are those of the `idna` library, never a list of our own.
https://www.unicode.org/reports/tr46/
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Mapping
from functools import cache

JOINERS = "\u200c\u200d"
"""Kept between some letters of other scripts, else taken out by readers of IDNA 2003 (UTS #46, 4, "deviation")."""

MAPPED, IGNORED = b"MI"
NAME = re.compile("[a-z0-9.-]*")


@cache
def plain() -> Mapping[str, str]:
    """Each character beyond ASCII that becomes letters, digits, hyphens or dots, or nothing, with what it becomes."""
    return {character: text for character, text in _mapped() if text.isascii() and NAME.fullmatch(text)}


@cache
def _foreign() -> Mapping[str, list[str]]:
    """For each single character beyond ASCII: the others that become it."""
    found: dict[str, list[str]] = {}
    for character, text in _mapped():
        if len(text) == 1 and not text.isascii():
            found.setdefault(text, []).append(character)
    return found


def _mapped() -> Iterator[tuple[str, str]]:
    """Every mapped or ignored character beyond ASCII with its replacement (UTS #46, 5)."""
    # here, because a run without a mail server does not need it
    from idna.uts46data import uts46_replacements, uts46_starts, uts46_statuses

    ends = (*uts46_starts[1:], 0x110000)
    for start, end, status, text in zip(uts46_starts, ends, uts46_statuses, uts46_replacements, strict=True):
        if status in (MAPPED, IGNORED):
            for number in range(max(start, 0x80), end):
                yield chr(number), text or ""


def spellings(domain: str) -> list[list[str]]:
    """How a domain with IDNA labels can be typed: for each of its characters the texts that stand for it.

    What is written with characters of `plain` is not among them.
    """
    import idna

    return [_ways(character) for character in idna.decode(domain)]


def _ways(character: str) -> list[str]:
    """Itself, its parts (a letter and its accent, UAX #15), and what becomes it."""
    if character.isascii():
        return [character]
    return list(dict.fromkeys([character, unicodedata.normalize("NFD", character), *_foreign().get(character, [])]))
