"""Which characters stand for plain ones in a domain: what the `idna` library says of every single one."""

from __future__ import annotations

import idna
import pytest

from cjsm_connect.organisation import uts46

NAME = frozenset("abcdefghijklmnopqrstuvwxyz0123456789.-")


def becomes(character: str) -> str | None:
    """What UTS #46 makes of a character by itself; None where it allows none."""
    try:
        return idna.uts46_remap(character, std3_rules=False)
    except idna.IDNAError:
        return None


@pytest.mark.parametrize(
    ("character", "meant"),
    [
        *[("\u200b", ""), ("\u00ad", ""), ("\ufeff", ""), ("\U000e0100", "")],
        *[("\u3002", "."), ("\uff0e", "."), ("\uff61", ".")],
        *[("\uff43", "c"), ("\u212a", "k"), ("\u017f", "s"), ("\u2120", "sm"), ("\U0001d41a", "a")],
    ],
)
def test_what_stands_for_a_letter_a_dot_or_nothing_is_known(character: str, meant: str) -> None:
    assert uts46.plain()[character] == meant


@pytest.mark.parametrize("character", ["\u00fc", "\u00df", "\u200d", "\u4f8b", "\u0430", "\u0301"])
def test_a_letter_of_its_own_is_none_of_them(character: str) -> None:
    assert character not in uts46.plain()


@pytest.mark.slow
def test_every_character_of_unicode_is_judged_as_the_library_judges_it() -> None:
    planes = [*range(0x80, 0xD800), *range(0xE000, 0x20000), *range(0xE0000, 0xE1000)]
    found = {chr(number): text for number in planes if (text := becomes(chr(number))) is not None}
    assert {one: text for one, text in found.items() if set(text) <= NAME} == uts46.plain()


def test_a_domain_with_idna_labels_is_known_however_its_letters_are_put_together() -> None:
    ways = uts46.spellings(idna.encode("m\u00f4n.example").decode())
    assert [len(one) for one in ways] == [1, 3, 1, *[1] * len(".example")]
    assert ways[1] == ["\u00f4", "o\u0302", "\u00d4"]
