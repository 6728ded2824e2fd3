"""EICAR in what a scanner does not look at whole: by size, by depth, by number, by a format it cannot open."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import struct
import tarfile
import zipfile
import zlib
from collections.abc import Callable
from email.message import EmailMessage

from cjsm_connect.bench.ordinary import pdf, zipped
from cjsm_connect.bench.scan import message
from cjsm_connect.remote.messages import EICAR, PACKERS

MIB = 1 << 20
LARGE = 400 * MIB  # more than the lab's scanner unpacks of one message
SAMPLE = EICAR * 20  # so large that archives pack it: its bytes must not stand in the message
PACKED = zlib.compress(EICAR)


def oversized() -> bytes:
    """The archive of the finding: a stored ZIP, most of it zeros, in a ZIP."""
    return bytes(PACKERS["oversized"](EICAR, {"unpacked": LARGE})[1])


def tarred(*members: tuple[str, bytes]) -> bytes:
    """A tar of these members."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as file:
        for name, data in members:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            file.addfile(entry, io.BytesIO(data))
    return archive.getvalue()


def nested(packed: Callable[[bytes], bytes], depth: int) -> bytes:
    """The sample in so many archives, one in the other."""
    data = SAMPLE
    for _ in range(depth):
        data = packed(data)
    return data


def in_a_zip(data: bytes) -> bytes:
    """A ZIP with one member."""
    return zipped([("member", data)])


def cabinet(*members: bytes) -> bytes:
    """A CAB (MS-CAB 2), packed by MSZIP."""
    data = b"".join(members)
    blocks = [data[at : at + 32768] for at in range(0, len(data), 32768)]
    files, offset = b"", 0
    for number, member in enumerate(members):
        files += struct.pack("<IIHHHH", len(member), offset, 0, 0, 0, 0x20) + b"%d\0" % number
        offset += len(member)
    packed = b"".join(_block(block) for block in blocks)
    start = 36 + 8 + len(files)
    head = struct.pack("<IIIIIBBHHHHH", 0, start + len(packed), 0, 44, 0, 3, 1, 1, len(members), 0, 1, 0)
    return b"MSCF" + head + struct.pack("<IHH", start, len(blocks), 1) + files + packed


def _block(data: bytes) -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    packed = b"CK" + packer.compress(data) + packer.flush()
    return struct.pack("<IHH", 0, len(packed), len(data)) + packed


def with_zip64_end(archive: bytes) -> bytes:
    """The same ZIP, with its end in the 64-bit form (APPNOTE 4.3.14)."""
    number, size, offset = struct.unpack("<HII", archive[-12:-2])
    end = struct.pack("<IQHHIIQQQQ", 0x06064B50, 44, 45, 45, 0, 0, number, number, size, offset)
    locator = struct.pack("<IIQI", 0x07064B50, 0, len(archive) - 22, 1)
    last = struct.pack("<IHHHHIIH", 0x06054B50, 0, 0, 0xFFFF, 0xFFFF, 0xFFFFFFFF, 0xFFFFFFFF, 0)
    return archive[:-22] + end + locator + last


def rfc822(depth: int) -> bytes:
    """Messages in messages (RFC 2046, 5.2.1), as the data of an attachment."""
    inner = message("x.zip", in_a_zip(SAMPLE))
    for _ in range(depth):
        outer = EmailMessage()
        outer.set_content("forwarded")
        outer.add_attachment(inner)
        inner = outer
    return inner.as_bytes()


ZEROS = bytes(100 * MIB)
NOT_WHOLE: dict[str, Callable[[], bytes]] = {
    "zip-in-zip": oversized,
    "zip-in-zip-in-zip": lambda: in_a_zip(oversized()),
    "bzip2-zip": lambda: zipped([("a", bytes(LARGE)), ("b", SAMPLE)], zipfile.ZIP_BZIP2),
    "tar-gz": lambda: gzip.compress(tarred(("a", ZEROS), ("b", ZEROS), ("c", ZEROS), ("d", ZEROS), ("e", SAMPLE))),
    "tar-bz2": lambda: bz2.compress(bytes(LARGE) + SAMPLE),
    "xz": lambda: lzma.compress(bytes(LARGE) + SAMPLE, preset=0),
    "gz-stream": lambda: gzip.compress(bytes(LARGE) + SAMPLE, 1),
    "cab": lambda: cabinet(*[bytes(40 * MIB)] * 11, SAMPLE),
    "after-a-pdf": lambda: pdf([("", PACKED)]).replace(PACKED, b"") + oversized(),
    "message-in-message": lambda: message("a.zip", oversized()).as_bytes(),
    "sixty-zips": lambda: nested(in_a_zip, 60),
    "forty-gzips": lambda: nested(gzip.compress, 40),
    "thirty-messages": lambda: rfc822(30),
    "sixty-thousand-files": lambda: zipped([*((str(at), b"%d harmless" % at) for at in range(60_000)), ("z", SAMPLE)]),
    "seventy-thousand-pdf-objects": lambda: pdf([*[("", b"")] * 70_000, ("", PACKED)]),
    "lzma-zip": lambda: zipped([("a", SAMPLE)], zipfile.ZIP_LZMA),
    "two-zips-in-one": lambda: zipped([("a", bytes(300_000))], zipfile.ZIP_STORED) + in_a_zip(SAMPLE),
    "zip64": lambda: with_zip64_end(in_a_zip(SAMPLE)),
    "bzip2-streams": lambda: bz2.compress(b"harmless") + bz2.compress(in_a_zip(SAMPLE)),
    "bzip2-behind-an-empty-stream": lambda: bz2.compress(b"") + bz2.compress(in_a_zip(SAMPLE)),
    "lzma-alone": lambda: lzma.compress(SAMPLE, lzma.FORMAT_ALONE),
    # not to be made with Python: known by how they begin, and not opened by Debian's ClamAV
    "rar": lambda: b"Rar!\x1a\x07\x01\x00" + zlib.compress(SAMPLE),
    "7z": lambda: b"7z\xbc\xaf\x27\x1c\x00\x04" + zlib.compress(SAMPLE),
    "vhd": lambda: b"conectix" + bytes(504) + zlib.compress(SAMPLE),
    "vdi": lambda: b"<<< Oracle VM VirtualBox Disk Image >>>\n" + bytes(24) + zlib.compress(SAMPLE),
    "zstandard": lambda: b"\x28\xb5\x2f\xfd" + zlib.compress(SAMPLE),
    "7z-in-tar-gz": lambda: gzip.compress(tarred(("a.7z", b"7z\xbc\xaf\x27\x1c\x00\x04" + zlib.compress(SAMPLE)))),
}
