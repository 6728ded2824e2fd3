"""The test messages, built where they are sent, and what of them must arrive unharmed.

Standard library of Python 3.9.
"""

from __future__ import annotations

import base64
import hashlib
import io
import struct
from typing import Any

# The EICAR test file (https://www.eicar.org): harmless, known to every scanner. It is only put together when it is
# sent, so that no scanner finds it in these files.
EICAR = "".join([r"X5O!P%@AP[4\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS", "-TEST-FILE!$H+H*"]).encode("ascii")

# What mail systems like to harm: lines that begin with a dot or with "From ", trailing blanks, tabs, long lines
LINES = (
    "This is a test of the connection to CJSM. No action is needed.",
    ".a line that begins with a dot",
    ".",
    "From here on: a line that begins like the header of a mailbox",
    "a tab\tand blanks at the end   ",
    "a long line: " + "0123456789" * 90,
)
EVERY_BYTE = bytes(range(256))
BOUNDARY = "=_cjsm-connect-test_="


def message_id(token: str, mark: str) -> str:
    """The Message-ID by which one test message of one run is found again."""
    return "<%s.%s@selftest.invalid>" % (token, mark)


def build(arguments: dict[str, Any]) -> bytes:
    """A whole message with CRLF line ends.

    `content` is "clean" or "eicar"; `packing` of the attachment is "none", "zip" or "nested" (a zip in a zip in a zip),
    "deep" (60 of them, which is over the limit of any scanner), "oversized" (in a ZIP a stored one of `unpacked`
    bytes of zeros and then the sample: small on the way), "lzma" (a ZIP by a method few scanners open), or
    "encrypted";
    `size` in bytes, when given, is reached by a harmless attachment BEFORE it: a scanner that looks at the beginning
    only sees nothing.
    """
    attachment = EICAR if arguments.get("content") == "eicar" else EVERY_BYTE
    packing = arguments.get("packing", "none")
    name, data = PACKERS[packing](attachment, arguments) if packing in PACKERS else _nested(attachment, packing)
    ends = _part("application/octet-stream", data, name)
    start = _headers(arguments) + _text_part()
    padding = int(arguments.get("size", 0)) - len(start) - len(ends) - 400
    filler = _filler(padding) if padding > 0 else b""
    return start + filler + ends + ("--%s--\r\n" % BOUNDARY).encode("ascii")


def _headers(arguments: dict[str, Any]) -> bytes:
    from email.utils import formatdate  # here as below: each costs a host more than all that its look reads in Python

    fields = [
        "From: <%s>" % (arguments.get("sender") or "postmaster@selftest.invalid"),
        "To: <%s>" % arguments["recipient"],
        "Subject: CJSM connection test %s" % arguments["token"],
        "Date: %s" % formatdate(),
        "Message-ID: %s" % message_id(arguments["token"], arguments["mark"]),
        "Auto-Submitted: auto-generated",  # RFC 3834: no vacation notice shall answer
        "MIME-Version: 1.0",
        'Content-Type: multipart/mixed; boundary="%s"' % BOUNDARY,
    ]
    return ("\r\n".join(fields) + "\r\n\r\n").encode("ascii")


def _text_part() -> bytes:
    head = "--%s\r\nContent-Type: text/plain; charset=us-ascii\r\n\r\n" % BOUNDARY
    return (head + "\r\n".join(LINES) + "\r\n").encode("ascii")


def _part(kind: str, data: bytes, name: str) -> bytes:
    head = "--%s\r\nContent-Type: %s\r\nContent-Transfer-Encoding: base64\r\n" % (BOUNDARY, kind)
    head += 'Content-Disposition: attachment; filename="%s"\r\n\r\n' % name
    return head.encode("ascii") + base64.encodebytes(data).replace(b"\n", b"\r\n")


def _filler(size: int) -> bytes:
    """About `size` bytes of a harmless attachment; base64 of zeros, a line at a time."""
    head = "--%s\r\nContent-Type: application/octet-stream\r\nContent-Transfer-Encoding: base64\r\n" % BOUNDARY
    head += 'Content-Disposition: attachment; filename="filler.bin"\r\n\r\n'
    line = b"A" * 76 + b"\r\n"
    return head.encode("ascii") + line * max(0, (size - len(head)) // len(line))


def _nested(data: bytes, packing: str) -> tuple[str, bytes]:
    import zipfile

    name = "sample.bin"
    for _ in range({"none": 0, "zip": 1, "nested": 3, "deep": 60}[packing]):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED) as file:
            file.writestr(name, data)
        name, data = name + ".zip", archive.getvalue()
    return name, data


def _lzma(data: bytes, _: dict[str, Any]) -> tuple[str, bytes]:
    import zipfile

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_LZMA) as file:
        file.writestr("sample.bin", data)
    return "sample.zip", archive.getvalue()


def _encrypted(data: bytes, _: dict[str, Any]) -> tuple[str, bytes]:
    """A ZIP that says that its member is encrypted (APPNOTE 4.4.4, bit 0). Nobody has a password for it."""
    name, archive = _nested(data, "zip")
    marked = bytearray(archive)
    for header, flags in ((b"PK\3\4", 6), (b"PK\1\2", 8)):
        marked[archive.index(header) + flags] |= 1
    return name, bytes(marked)


MEBIBYTE = 1 << 20


def _oversized(data: bytes, arguments: dict[str, Any]) -> tuple[str, bytes]:
    """Hundreds of mebibytes of zeros are packed once a mebibyte, and the packed piece repeated (zlib, Z_FULL_FLUSH)."""
    import zlib

    pieces = -(-int(arguments["unpacked"]) // MEBIBYTE)
    zeros = _member(b"zeros", 0, pieces * MEBIBYTE, pieces * MEBIBYTE)
    sample = _member(b"sample.bin", 0, len(data), len(data))
    head, tail = zeros.local, sample.local + data
    listed = zeros.listed(0) + sample.listed(len(head) + pieces * MEBIBYTE)
    tail += listed + _end(2, len(listed), len(head) + pieces * MEBIBYTE + len(tail))
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = packer.compress(head) + packer.flush(zlib.Z_FULL_FLUSH)
    piece = packer.compress(bytes(MEBIBYTE)) + packer.flush(zlib.Z_FULL_FLUSH)
    packed += piece * pieces + packer.compress(tail) + packer.flush()
    outer = _member(b"inner.zip", 8, len(packed), len(head) + pieces * MEBIBYTE + len(tail))
    listed = outer.listed(0)
    return "sample.zip", outer.local + packed + listed + _end(1, len(listed), len(outer.local) + len(packed))


class _member:
    """The two headers of a member of a ZIP (APPNOTE 4.3.7, 4.3.12), its check sum left 0."""

    def __init__(self, name: bytes, method: int, packed: int, unpacked: int) -> None:
        common = struct.pack("<HHHIIIIHH", 20, 0, method, 0x21 << 16, 0, packed, unpacked, len(name), 0)
        self.local = b"PK\3\4" + common + name
        self._listed = b"PK\1\2" + struct.pack("<H", 20) + common + struct.pack("<HHHI", 0, 0, 0, 0)
        self._name = name

    def listed(self, offset: int) -> bytes:
        """The header in the list of members."""
        return self._listed + struct.pack("<I", offset) + self._name


def _end(members: int, size: int, offset: int) -> bytes:
    """The end of a ZIP's list of members (APPNOTE 4.3.16)."""
    return b"PK\5\6" + struct.pack("<HHHHIIH", 0, 0, members, members, size, offset, 0)


PACKERS: dict[str, Any] = {"encrypted": _encrypted, "lzma": _lzma, "oversized": _oversized}


def fingerprint(message: bytes) -> dict[str, Any]:
    """What must be the same at both ends: our lines of the text and the attachment, each decoded and hashed.

    `extra` is the text that somebody on the way has added below ours (a documented footer), at most 500 characters.
    """
    import email
    import email.policy

    parsed = email.message_from_bytes(message, policy=email.policy.default)
    leaves = [part for part in parsed.walk() if not part.is_multipart()]
    text = next((str(part.get_content()) for part in leaves if part.get_content_type() == "text/plain"), "")
    data = next((part.get_content() for part in leaves if part.get_content_maintype() == "application"), b"")
    lines = text.splitlines()
    return {
        "text_sha256": _sha256("\n".join(lines[: len(LINES)]).encode("utf-8")),
        "attachment_sha256": _sha256(data if isinstance(data, bytes) else str(data).encode("utf-8")),
        "extra": "\n".join(lines[len(LINES) :]).strip()[:500],
    }


def _sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()
