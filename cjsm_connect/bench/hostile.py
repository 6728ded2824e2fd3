"""Bundles that an enemy would make, each with a piece of the sentence that must refuse it; for tests and `bench`."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Mapping

from cjsm_connect.evidence import SIGNATURE_FILES, archive, bundle
from cjsm_connect.evidence.keys import EvidenceKey
from cjsm_connect.evidence.statement import Statement, subjects
from cjsm_connect.evidence.verification import RESULTS

MANY_KEYS = b"{" + b",".join(b'"%d":0' % number for number in range(150_000)) + b',"149999":0}'
# as results.json, each is refused whoever signed it
JSON = {
    "one key twice": (b'{"status": "pass", "status": "fail"}', "the key 'status' appears twice"),
    "a key twice, deep inside": (b'{"a": [{"b": 1, "b": 2}]}', "the key 'b' appears twice"),
    "a key twice behind very many": (MANY_KEYS, "the key '149999' appears twice"),
    "nested a hundred thousand deep": (b"[" * 100_000, "nested too deeply"),
    "nested in objects": (b'{"a":' * 200_000 + b"1" + b"}" * 200_000, "nested too deeply"),
    "a number of a million digits": (b"1" * 1_000_000, "expected JSON"),
    "not a number": (b'{"a": NaN}', "NaN is not a JSON value"),
    "infinity": (b"[-Infinity]", "-Infinity is not a JSON value"),
    "not UTF-8": (b'"\xff"', "expected JSON in UTF-8"),
    "cut off": (b'{"a": ', "expected JSON"),
    "nothing": (b"", "expected JSON"),
    "more bytes than any results": (b'["' + b"x" * 9 * 2**20 + b'"]', "larger than 8 MiB"),
    "millions of small lists": (b"[" + b"[]," * 2_000_000 + b"[]]", "more than 400,000 values"),
    "as many values as are read": (b'{"results":[' + b'{"a":1},' * 199_000 + b"1]}", "one of the statuses"),
    "results of another type": (b'{"results": {"status": "pass"}}', "expected a list named results"),
    "a status of another type": (b'{"results": [{"status": ["pass"]}]}', "one of the statuses"),
    "no object": (b"[]", "expected one JSON object, found list"),
}


def archives(genuine: bytes) -> dict[str, tuple[bytes, str]]:
    """Archives that nobody would make, some of them from a `genuine` one."""
    return {
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
        "compression": (gzip.compress(genuine), "not a plain tar file"),
        "a zip bomb": (gzip.compress(b"\0" * 2**27), "not a plain tar file"),
        "no tar at all": (b"GET / HTTP/1.1\r\n" * 100, "not a plain tar file"),
        "nothing": (b"", "not a plain tar file"),
        "an empty tar": (tar(), "not an evidence bundle"),
        "something behind the end": (genuine + b"#!/bin/sh", "after its files"),
        "something behind a file": (padded(b"#!/bin/sh"), "between or after its files"),
        "cut in the middle": (genuine[:5000], "cut short"),
        "no end mark": (genuine.rstrip(b"\0") + b"\0" * 10, "cut short|no end mark|damaged"),
        "a million extended headers": (
            entry("x", tarfile.XGLTYPE, size=9).tobuf() + b"9 a=bcde\n" * 1_000_000,
            "plain files only",
        ),
        "a chain of long names": (tar(*[entry("x", tarfile.GNUTYPE_LONGNAME)] * 5000), "plain files only"),
        "a size below zero": (negative(), "plain files only"),
        "as much as is read, in one file": (
            tar(entry("results.json", size=archive.MOST_BYTES - 20_000)),
            "not an evidence bundle",
        ),
        "more than any bundle": (b"\0" * (archive.MOST_BYTES + 1), "larger than 32 MiB"),
    }


def replaced(files: Mapping[str, bytes], name: str) -> list[dict[str, bytes]]:
    """The files of a genuine bundle, one of them turned into a bomb."""
    bombs = (b"[" * 100_000, b"", b"\xff\xfe", b"null", MANY_KEYS)
    return [{**files, name: bomb} for bomb in bombs]


def signed(results: bytes, files: Mapping[str, bytes], said: Statement, key: EvidenceKey) -> dict[str, bytes]:
    """Results that somebody with a key of their own signed: every signature and digest is right."""
    payload = {name: content for name, content in files.items() if name not in SIGNATURE_FILES}
    payload[RESULTS] = results
    return bundle.sign(payload, said.model_copy(update={"subject": subjects(payload)}), key)


def tar(*entries: tarfile.TarInfo, form: int = tarfile.GNU_FORMAT) -> bytes:
    """An archive of these entries, filled with the letter x."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form) as made:
        for one in entries:
            made.addfile(one, io.BytesIO(b"x" * one.size))
    return buffer.getvalue()


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "", size: int = 0) -> tarfile.TarInfo:
    """The header of one file."""
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
