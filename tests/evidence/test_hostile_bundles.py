"""Bundles made by an enemy are refused fast, in a clear sentence, and nothing of them reaches the disk."""

from __future__ import annotations

import random
import re
import tracemalloc
from collections.abc import Iterator

import pytest

from cjsm_connect.bench import hostile
from cjsm_connect.evidence import STATEMENT, EvidenceError, archive, statement
from cjsm_connect.evidence.strict_json import parse
from cjsm_connect.evidence.verification import verify
from cjsm_connect.printable import shown
from tests.evidence.samples import NOW, genuine, key, packed, signed

PUBLIC = key().private.public_key()


HOSTILE = hostile.archives(genuine())


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bundle_that_nobody_would_make_is_refused(name: str) -> None:
    data, why = HOSTILE[name]
    found = verify(data, PUBLIC, None, NOW)
    assert not found.genuine and found.statement is None
    assert re.search(why, found.problems[0]), found.problems


@pytest.mark.parametrize("name", hostile.JSON)
def test_results_that_are_ambiguous_or_a_bomb_are_refused_though_they_were_signed(name: str) -> None:
    results, why = hostile.JSON[name]
    whole = archive.unpack(genuine())
    data = packed(hostile.signed(results, whole, statement.read(whole[STATEMENT]), key()))
    (problem,) = verify(data, PUBLIC, None, NOW).problems
    assert problem.startswith("results.json: ") and why in problem


def test_what_is_read_of_json_takes_little_memory() -> None:
    tracemalloc.start()
    try:
        parse(hostile.JSON["as many values as are read"][0], "results.json")
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 80 * 2**20


@pytest.mark.parametrize("name", sorted(signed().keys()))
def test_every_file_of_a_bundle_may_be_replaced_by_a_bomb(name: str) -> None:
    for files in hostile.replaced(signed(), name):
        assert not verify(packed(files), PUBLIC, None, NOW).genuine


def damaged(seed: int) -> Iterator[bytes]:
    """A bundle with random bytes changed, cut out or doubled."""
    chance = random.Random(seed)
    for _ in range(150):
        data = bytearray(genuine())
        for _ in range(chance.randint(1, 8)):
            at = chance.randrange(len(data))
            match chance.randrange(3):
                case 0:
                    data[at] = chance.randrange(256)
                case 1:
                    del data[at : at + chance.randint(1, 1500)]
                case _:
                    data[at:at] = data[at : at + chance.randint(1, 1500)]
        yield bytes(data)


@pytest.mark.parametrize("seed", range(3))
def test_random_damage_never_breaks_verification_nor_passes_it_off_as_genuine(seed: int) -> None:
    whole = archive.unpack(genuine())
    for data in damaged(seed):
        found = verify(data, PUBLIC, None, NOW)
        assert found.problems or found.files == whole


def test_what_is_packed_is_what_is_ungenuine() -> None:
    files = {"a.txt": b"", "configuration/relay.txt": b"x" * 100_000}
    assert archive.unpack(archive.pack(files, NOW)) == files


def test_what_unpack_would_refuse_is_never_genuine() -> None:
    with pytest.raises(EvidenceError, match="cannot hold a file named"):
        archive.pack({"configuration/../x": b""}, NOW)
    with pytest.raises(EvidenceError, match="at most 256 files"):
        archive.pack({f"f{number}": b"" for number in range(257)}, NOW)


def test_text_from_a_bundle_cannot_steer_a_terminal() -> None:
    assert shown("\x1b]0;owned\x07") == "\\x1b]0;owned\\x07"
    assert shown("a\nb") == "a\\x0ab"
    assert len(shown("x" * 5000)) < 150
