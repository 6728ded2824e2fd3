"""Ordinary large files, made up: what the scanner's limits must let pass. The same bytes at every run."""

from __future__ import annotations

import io
import random
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from functools import cache

PAGE = 2480 * 3508  # A4 at 300 dots an inch, a byte a dot
SHEET = '<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'


@cache
def _words() -> list[str]:
    chance = random.Random(0)
    return ["".join(chance.choices("abcdefghijklmnopqrstuvwxyz", k=chance.randint(2, 9))) for _ in range(4000)]


def _text(chance: random.Random, size: int) -> bytes:
    """Words as in a statement: it packs to somewhat less than half."""
    return " ".join(chance.choices(_words(), k=size // 6)).encode()


def zipped(members: Iterable[tuple[str, bytes]], method: int = zipfile.ZIP_DEFLATED) -> bytes:
    """A ZIP of these members."""
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w", method) as file:
        for name, data in members:
            file.writestr(zipfile.ZipInfo(name), data, method)
    return archive.getvalue()


def spreadsheet(rows: int = 41_000) -> bytes:
    """An XLSX of 1.2 MB; its one sheet is eleven times as large unpacked."""
    chance = random.Random(1)
    cells = (
        "".join(f'<c r="{column}{row}" s="1" t="s"><v>{chance.randint(0, 9)}</v></c>' for column in "ABCDEFGH")
        for row in range(1, rows + 1)
    )
    sheet = SHEET + "".join(f'<row r="{at}" spans="1:8">{row}</row>' for at, row in enumerate(cells, 1))
    return zipped([("[Content_Types].xml", b"<Types/>"), ("xl/worksheets/sheet1.xml", f"{sheet}</sheetData>".encode())])


def scanned_pages(pages: int = 23) -> bytes:
    """A PDF of 10 MB: scanned pages with their recognised text."""
    chance = random.Random(2)
    page = bytearray(PAGE)
    streams: list[tuple[str, bytes]] = []
    for _ in range(pages):
        for at in (chance.randrange(PAGE) for _ in range(12_000)):
            page[at] = chance.randrange(256)
        image = "/Type/XObject/Subtype/Image/Width 2480/Height 3508/ColorSpace/DeviceGray/BitsPerComponent 8"
        streams += [(image, zlib.compress(bytes(page))), ("", zlib.compress(_text(chance, 4000)))]
    return pdf(streams)


def photographs(number: int = 28) -> bytes:
    """A PDF of 14 MB (in base64 a message of 20 MB holds no more) that does not pack: photographs."""
    chance = random.Random(3)
    return pdf(
        ("/Subtype/Image/Filter/DCTDecode", b"\xff\xd8\xff\xe0" + chance.randbytes(500_000)) for _ in range(number)
    )


def pdf(streams: Iterable[tuple[str, bytes]]) -> bytes:
    """A PDF with these streams, each with its dictionary (ISO 32000, 7.3.8); packed ones say so."""
    return b"%PDF-1.5\n" + b"".join(_objects(streams)) + b"trailer<</Size 9>>\n%%EOF\n"


def _objects(streams: Iterable[tuple[str, bytes]]) -> Iterator[bytes]:
    for at, (kind, data) in enumerate(streams, 1):
        packed = "" if "/Filter" in kind else "/Filter/FlateDecode"
        yield f"{at} 0 obj\n<<{kind}{packed}/Length {len(data)}>>\nstream\n".encode() + data + b"\nendstream\nendobj\n"


def papers(number: int = 42) -> bytes:
    """A ZIP of 12 MB: a case's statements as text."""
    chance = random.Random(4)
    return zipped((f"{at}.txt", _text(chance, 600_000)) for at in range(number))


def small_files(number: int = 12_000) -> bytes:
    """A ZIP of 12,000 small files: a mailbox or a telephone's messages, one a file."""
    chance = random.Random(5)
    return zipped((f"{at // 100}/{at}.txt", _text(chance, 150)) for at in range(number))


def documents(number: int = 30) -> bytes:
    """A ZIP of office files, which are ZIPs themselves; stored, as some programs do with what is packed already."""
    return zipped(((f"{at}.xlsx", spreadsheet(2_000)) for at in range(number)), zipfile.ZIP_STORED)


def listing(rows: int = 1_500_000) -> bytes:
    """A ZIP of one large table as text: it packs well."""
    table = b"\n".join(b"2026-11-%02d,%d,council,accepted,%d" % (row % 30, row, row % 7) for row in range(rows))
    return zipped([("calls.csv", table)])


ORDINARY: dict[str, Callable[[], bytes]] = {
    "spreadsheet.xlsx": spreadsheet,
    "scanned-pages.pdf": scanned_pages,
    "photographs.pdf": photographs,
    "papers.zip": papers,
    "small-files.zip": small_files,
    "documents.zip": documents,
    "listing.zip": listing,
}
