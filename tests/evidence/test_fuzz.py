"""A minute of damage to bundles: nothing in a bundle breaks the reader, and nothing damaged is genuine."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from contextlib import suppress

import pytest

from cjsm_connect.engineer import claims, criteria, judgement, review
from cjsm_connect.evidence import CMS, DSSE, STATEMENT, archive, cms, dsse
from cjsm_connect.evidence.statement import subjects
from cjsm_connect.evidence.strict_json import canonical, readable
from cjsm_connect.evidence.verification import Reader, Verification, verify
from cjsm_connect.reports.of_bundle import report_of
from cjsm_connect.results import CjsmError
from cjsm_connect.results import catalogue as catalogues
from cjsm_connect.verbs import verify as verb
from tests.evidence.samples import NOW, genuine, key, packed, signed
from tests.made_up import ROOT

CATALOGUE = catalogues.load(ROOT / "checks" / "requirements.toml")
CRITERIA = criteria.load(criteria.SHIPPED, CATALOGUE)
PUBLIC = key().private.public_key()
TRIES = 2000  # of each kind of damage, half a minute at most; with the seed fixed, what failed fails again
VALUES = [None, True, -1, 2**53, 1e300, "", "x" * 5000, "\x00\x1b\r\n", "\ud800", [], {}, [[]], {"": 0}]
VALUES += ["2199-01-01T00:00:00Z", "0001-01-01T00:00:00Z", "9999-12-31T23:59:59-23:59", "10.0.0.1\r\nDATA"]

FIELDS = ((0, 100), (100, 8), (108, 8), (124, 12), (136, 12), (156, 1), (157, 100), (257, 8), (345, 155))


def spoilt(data: bytes, chance: random.Random) -> bytes:
    """A bundle with bytes changed, cut out, doubled or exchanged."""
    made = bytearray(data)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(made))
        size = chance.choice((1, 8, 512, 1500))
        match chance.randrange(4):
            case 0:
                made[at] = chance.randrange(256)
            case 1 if len(made) > 2 * size:
                del made[at : at + size]
            case 2:
                made[at:at] = made[chance.randrange(len(made)) :][:size]
            case _:
                made[at : at + size] = chance.randbytes(min(size, 12))
    return bytes(made)


def headers_only(data: bytes, chance: random.Random) -> bytes:
    """A tar header with another field, and its checksum right: what a careful enemy sends."""
    at = 512 * chance.randrange(len(data) // 512)
    block = bytearray(data[at : at + 512])
    start, size = chance.choice(FIELDS)
    new = chance.choice((chance.randbytes(size), b"0" * size, b"\xff" * size, b"+1", b"0o7", b"\x80", b"../x"))[:size]
    block[start : start + len(new)] = new
    block[148:156] = b"%06o\0 " % (sum(block[:148]) + sum(block[156:]) + 8 * 0x20)
    return data[:at] + bytes(block) + data[at + 512 :]


@pytest.mark.slow
@pytest.mark.parametrize("damage", [spoilt, headers_only])
def test_a_damaged_bundle_breaks_nothing_and_is_never_taken_for_another(
    damage: Callable[[bytes, random.Random], bytes],
) -> None:
    chance, whole = random.Random(20261130), archive.unpack(genuine())
    for _ in range(TRIES):
        data = damage(genuine(), chance)
        found = verify(data, PUBLIC, None, NOW, Reader("Exampleshire Council", "1.0123456789ab"))
        assert found.problems or (data == genuine() and found.files == whole), data


def changed(value: object, chance: random.Random) -> object:
    """A JSON value with one place in it replaced by something of another kind."""
    if isinstance(value, dict) and value and chance.random() < 0.9:
        name = chance.choice(sorted(value))
        return {**value, name: changed(value[name], chance)}
    if isinstance(value, list) and value and chance.random() < 0.9:
        at = chance.randrange(len(value))
        return [*value[:at], changed(value[at], chance), *value[at + 1 :]]
    return chance.choice(VALUES)


@pytest.mark.slow
def test_a_signed_bundle_with_any_value_replaced_breaks_no_reader() -> None:
    """By a dishonest organisation: every signature and digest is right, and the values are anything."""
    chance, plain = random.Random(20261130), signed()
    for _ in range(TRIES // 2):
        name = chance.choice(["results.json", "organisation.json", "observations.json", STATEMENT])
        document = changed(json.loads(plain[name]), chance)
        files = {one: data for one, data in plain.items() if one not in (STATEMENT, DSSE, CMS)}
        try:
            statement = document if name == STATEMENT else json.loads(plain[STATEMENT])
            files |= {} if name == STATEMENT else {name: readable(document)}
            if name != STATEMENT:
                statement["subject"] = [one.model_dump(mode="json") for one in subjects(files)]
            payload = canonical(statement)
        except Exception as error:
            assert "canonical" in str(error), error  # it could not even be written
            continue
        files |= {STATEMENT: payload, DSSE: dsse.sign(payload, key().private), CMS: cms.sign(payload, key())}
        found = verify(packed(files), PUBLIC, None, NOW, Reader("Exampleshire Council", "1.0123456789ab"))
        read_by_all(found)


def read_by_all(found: Verification) -> None:
    """Whatever reads a bundle that was verified: review, probe, verify, report."""
    assert verb.described(found, "key")
    if found.genuine and found.statement:
        said = found.statement.predicate
        assert claims.claims(found.files, "a.tar", said.organisation, NOW).bundle == "a.tar"
        rows = json.loads(found.files["results.json"])["results"]
        assert review.claims(found.files, rows) is not None
        assert judgement.reasons(CRITERIA, CATALOGUE, said, rows, NOW)
        with suppress(CjsmError):  # in a sentence
            report_of(found.files, said, "key", CATALOGUE)
