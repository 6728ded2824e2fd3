"""Bundles made by an enemy are refused fast, in a clear sentence, and nothing of them reaches the disk."""

from __future__ import annotations

import gzip
import io
import random
import re
import tarfile
import time
from collections.abc import Iterator

import pytest

from cjsm_connect.evidence import EvidenceError, Refused, archive, shown
from cjsm_connect.evidence.strict_json import parse, parse_object
from cjsm_connect.evidence.verification import verify
from tests.evidence.samples import NOW, genuine, key, packed, signed

PUBLIC = key().private.public_key()


def tar(*entries: tarfile.TarInfo, form: int = tarfile.GNU_FORMAT) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as made:
        for entry in entries:
            made.addfile(entry, io.BytesIO(b"x" * entry.size))
    return buffer.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    made = tarfile.TarInfo(name)
    made.type, made.linkname, made.size = kind, link, size
    return made


def claiming(size: int) -> bytes:
    """A header that claims more than is there."""
    return entry("results.json", size=size).tobuf(tarfile.GNU_FORMAT) + b"\0" * 1024


def padded(hidden: bytes) -> bytes:
    """Bytes in the padding behind a file, where no program shows them."""
    made = bytearray(tar(entry("results.json", size=1)))
    made[513 : 513 + len(hidden)] = hidden
    return bytes(made)


def negative() -> bytes:
    """A header with a size below zero, in GNU's binary form."""
    header = bytearray(entry("results.json").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 11 + b"\xf0"
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 8 * 0x20)
    return bytes(header) + b"\0" * 1024


HOSTILE = {
    "a path that climbs": (tar(entry("../../etc/passwd")), "a name that no bundle uses"),
    "a path from the root": (tar(entry("/etc/passwd")), "a name that no bundle uses"),
    "a hidden climb": (tar(entry("certificates/../../x")), "a name that no bundle uses"),
    "a hidden file": (tar(entry(".bashrc")), "a name that no bundle uses"),
    "a name with an escape sequence": (tar(entry("a\x1b[2J")), r"a\\x1b\[2J"),
    "a backslash path": (tar(entry("..\\x")), "a name that no bundle uses"),
    "a symbolic link": (tar(entry("report.html", tarfile.SYMTYPE, "/etc/shadow")), "plain files only"),
    "a hard link": (tar(entry("report.html", tarfile.LNKTYPE, "results.json")), "plain files only"),
    "a device": (tar(entry("report.html", tarfile.CHRTYPE)), "plain files only"),
    "a pipe": (tar(entry("report.html", tarfile.FIFOTYPE)), "plain files only"),
    "a folder": (tar(entry("configuration", tarfile.DIRTYPE)), "plain files only"),
    "a sparse file": (tar(entry("report.html", tarfile.GNUTYPE_SPARSE)), "plain files only"),
    "an extended header": (tar(entry("n" * 150), form=tarfile.PAX_FORMAT), "plain files only"),
    "one name twice": (tar(entry("results.json"), entry("results.json")), "two files named results.json"),
    "thousands of files": (tar(*(entry(f"f{number}") for number in range(5000))), "more than 256 files"),
    "a terabyte claimed": (claiming(2**40), "cut short inside results.json"),
    "compression": (gzip.compress(genuine()), "not a plain tar file"),
    "no tar at all": (b"GET / HTTP/1.1\r\n" * 100, "not a plain tar file"),
    "nothing": (b"", "not a plain tar file"),
    "an empty tar": (tar(), "not an evidence bundle"),
    "something behind the end": (genuine() + b"#!/bin/sh", "after its files"),
    "something behind a file": (padded(b"#!/bin/sh"), "between or after its files"),
    "cut in the middle": (genuine()[:5000], "cut short"),
    "no end mark": (genuine().rstrip(b"\0") + b"\0" * 10, "cut short|no end mark|damaged"),
    "a million extended headers": (
        entry("x", tarfile.XGLTYPE, size=9).tobuf() + b"9 a=bcde\n" * 1_000_000,
        "plain files only",
    ),
    "a chain of long names": (tar(*[entry("x", tarfile.GNUTYPE_LONGNAME)] * 5000), "plain files only"),
    "a size below zero": (negative(), "plain files only"),
    "more than any bundle": (b"\0" * (archive.MOST_BYTES + 1), "larger than 64 MiB"),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_a_bundle_that_nobody_would_make_is_refused(name: str) -> None:
    data, why = HOSTILE[name]
    started = time.process_time()
    found = verify(data, PUBLIC, None, NOW)
    assert time.process_time() - started < 2
    assert not found.genuine and found.statement is None
    assert re.search(why, found.problems[0]), found.problems


BOMBS = {
    "one key twice": (b'{"status": "pass", "status": "fail"}', "the key 'status' appears twice"),
    "a key twice, deep inside": (b'{"a": [{"b": 1, "b": 2}]}', "the key 'b' appears twice"),
    "nested a million deep": (b"[" * 1_000_000, "nested too deeply"),
    "nested in objects": (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "nested too deeply"),
    "a number of a million digits": (b"1" * 1_000_000, "expected JSON"),
    "not a number": (b'{"a": NaN}', "NaN is not a JSON value"),
    "infinity": (b"[-Infinity]", "-Infinity is not a JSON value"),
    "not UTF-8": (b'"\xff"', "expected JSON in UTF-8"),
    "cut off": (b'{"a": ', "expected JSON"),
    "nothing": (b"", "expected JSON"),
    "more than any statement": (b"[" + b"{}," * 4_000_000 + b"{}]", "larger than 8 MiB"),
}


@pytest.mark.parametrize("name", BOMBS)
def test_json_that_is_ambiguous_or_a_bomb_is_refused(name: str) -> None:
    data, why = BOMBS[name]
    with pytest.raises(Refused, match=why):
        parse(data, "results.json")


def test_json_of_another_kind_is_named() -> None:
    with pytest.raises(Refused, match="expected one JSON object, found list"):
        parse_object(b"[]", "results.json")


@pytest.mark.parametrize("name", sorted(signed().keys()))
def test_every_file_of_a_bundle_may_be_replaced_by_a_bomb(name: str) -> None:
    for bomb in (b"[" * 1_000_000, b"", b"\xff\xfe", b"null"):
        found = verify(packed(signed() | {name: bomb}), PUBLIC, None, NOW)
        assert not found.genuine


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
