"""Bundles that an enemy would make, each with a piece of the sentence that must refuse it; for tests and `bench`."""

from __future__ import annotations

import gzip
import io
import tarfile
from collections.abc import Iterator, Mapping

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
            "not written in the one form",
        ),
        **{
            name: (data, "one form|plain tar|plain files only|no bundle uses|after its files")
            for name, data in respelled(genuine)
        },
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


def respelled(genuine: bytes) -> Iterator[tuple[str, bytes]]:
    """The same files, spelled in another way: some programs read them as we would, some as something else."""
    with tarfile.open(fileobj=io.BytesIO(genuine)) as whole:
        size = whole.getmembers()[0].size
    octal = b"%o" % size
    for name, field in {
        "a size of Python's octal": b"0o" + octal,
        "a size with a sign": b"+" + octal,
        "a size in base 256": b"\x80" + size.to_bytes(11, "big"),
        "a size with spaces": octal.rjust(11) + b" ",
        "a size without zeros": octal,
        "a size with an end and more": octal.rjust(7, b"0") + b"\0" + b"7777",
    }.items():
        yield name, changed(genuine, 124, field.ljust(12, b"\0"))
    for name, (at, field) in {
        "a mode that runs": (100, b"0004755\0"),
        "an owner": (108, b"0001750\0"),
        "an owner's name": (265, b"operator"),
        "a time of one file": (136, b"00000000001\0"),
        "a time below zero": (136, b"\xff" * 12),
        "a prefix": (345, b"."),
        "a prefix that climbs": (345, b".."),
        "a name behind the name": (90, b"../../etc"),
        "a link's target in a plain file": (157, b"/etc/shadow"),
        "an old type": (156, b"\0"),
        "a contiguous file": (156, b"7"),
        "a hard link": (156, b"1"),
        "GNU's magic": (257, b"ustar  \0"),
        "no magic": (257, bytes(8)),
        "a device number": (329, b"0000001\0"),
        "something in the last bytes": (500, b"x"),
    }.items():
        yield name, changed(genuine, at, field)
    yield "a checksum with signs", genuine[:148] + b" " + genuine[148:154].lstrip(b"0").rjust(5) + genuine[154:]
    yield "more zeros at the end", genuine + bytes(10240)
    yield "a block more", genuine + bytes(512)
    yield "fewer zeros at the end", genuine[:-512]
    yield "Python's own form", repacked(genuine, tarfile.USTAR_FORMAT)
    yield "GNU's form", repacked(genuine, tarfile.GNU_FORMAT)
    yield "an extended form", repacked(genuine, tarfile.PAX_FORMAT, pax_headers={"comment": "x"})
    yield "another order", repacked(genuine, tarfile.USTAR_FORMAT, backwards=True)
    yield "two archives in one", genuine + genuine


def changed(archive_: bytes, at: int, field: bytes) -> bytes:
    """The first header with another field and its right checksum."""
    header = bytearray(archive_[:512])
    header[at : at + len(field)] = field
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 8 * 0x20)
    return bytes(header) + archive_[512:]


def repacked(
    genuine: bytes, form: int, *, backwards: bool = False, pax_headers: Mapping[str, str] | None = None
) -> bytes:
    """All files, as a library writes them."""
    buffer = io.BytesIO()
    files = archive.unpack(genuine)
    with tarfile.open(fileobj=buffer, mode="w", format=form, pax_headers=pax_headers) as made:
        for name in sorted(files, reverse=backwards):
            one = tarfile.TarInfo(name)
            one.size = len(files[name])
            made.addfile(one, io.BytesIO(files[name]))
    return buffer.getvalue()


def negative() -> bytes:
    """A header with a size below zero, in GNU's binary form."""
    header = bytearray(entry("results.json").tobuf(tarfile.GNU_FORMAT))
    header[124:136] = b"\xff" * 11 + b"\xf0"
    header[148:156] = b"%06o\0 " % (sum(header[:148]) + sum(header[156:]) + 8 * 0x20)
    return bytes(header) + b"\0" * 1024
