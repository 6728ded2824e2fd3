"""PDF of the report and of the summary, read back by poppler: whole, tagged, one page where one was promised."""

from __future__ import annotations

import re
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pytest

from cjsm_connect.reports import html, pdf, summary
from cjsm_connect.results import CjsmError, Status
from tests.evidence.samples import ALL_PASS, result, run
from tests.reports.test_html import report

pytestmark = [pytest.mark.usefixtures("printer"), pytest.mark.slow]  # a page takes half a second to lay out
LONG = "Mid-Exampleshire, Outer Exampleton and Farther Testbury Joint Combined Fire, Rescue and Youth Justice " * 5
WORD = "W" * 10_000


def told(program: str, document: bytes, folder: Path, *options: str) -> str:
    path = folder / "document.pdf"
    path.write_bytes(document)
    to_stdout = ["-"] * (program == "pdftotext")
    return subprocess.run([program, *options, path, *to_stdout], capture_output=True, text=True, check=True).stdout


def paper(*results, **changes) -> bytes:
    return pdf.printed(html.render(report(run(*results), **changes), paper=True))


def failing(number: int, title: str) -> list:
    return [result("tls.inner", Status.FAIL, check=f"c{at}", title=f"{title} {at}") for at in range(number)]


def test_a_pdf_is_tagged_titled_and_in_a_language(tmp_path: Path) -> None:
    document = paper()
    about = told("pdfinfo", document, tmp_path)
    assert "Evidence of a CJSM server connection: Exampleshire Council" in about
    assert "Tagged:          yes" in about and "A4" in about
    assert any(b"/Lang (en-GB)" in part or b"/Lang(en-GB)" in part for part in _unpacked(document))
    structure = told("pdfinfo", document, tmp_path, "-struct")
    for element in ("H1", "H2", "Table", "TH", "TD"):
        assert element in structure


def _unpacked(document: bytes) -> Iterator[bytes]:
    """The streams of a PDF; its own objects are in some of them."""
    for packed in re.findall(rb"stream\n(.*?)\nendstream", document, re.DOTALL):
        with suppress(zlib.error):
            yield zlib.decompress(packed)


def test_its_outline_leads_to_every_section() -> None:
    titles = b" ".join(_unpacked(paper()))
    for title in (b"Verdict in numbers", b"All results", b"Appendix"):
        assert b"/Title (" + title in titles.replace(b"/Title(", b"/Title (")


def test_each_page_says_whose_it_is_and_its_number(tmp_path: Path) -> None:
    pages = told("pdftotext", paper(), tmp_path, "-layout").split("\f")[:-1]
    for number, page in enumerate(pages, 1):
        assert f"Page {number} of {len(pages)}" in page
        assert "Exampleshire Council · organisation file abababababababab" in page


def test_every_result_is_on_paper_with_what_was_seen(tmp_path: Path) -> None:
    text = told("pdftotext", paper(*ALL_PASS, *failing(30, "Something is not as it should be")), tmp_path)
    for at in range(30):
        assert f"c{at}\n" in text or f"c{at} " in text
    assert text.count("what is") >= 30


def test_the_drawing_is_on_paper_in_words_and_in_lines(tmp_path: Path) -> None:
    text = " ".join(told("pdftotext", paper(), tmp_path).split())
    assert text.count("relay.council.example") > 2
    assert text.count("STARTTLS demanded, certificates on both ends") >= 4  # two arrows, two rows


def test_hostile_text_stays_text_and_the_renderer_reads_nothing(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("the secret")
    attack = f'"><img src="file://{tmp_path}/secret"><link rel=attachment href="file://{tmp_path}/secret"><b>x'
    text = told("pdftotext", paper(result("tls.inner", Status.FAIL, observed=attack, title=attack)), tmp_path)
    assert "<b>x" in text and "the secret" not in text
    page = f'<html lang="en"><title>t</title><img alt="" src="file://{tmp_path}/secret"><p>after</p></html>'
    assert "after" in told("pdftotext", pdf.printed(page), tmp_path)
    assert "the secret" not in told("pdftotext", pdf.printed(page), tmp_path)


@pytest.mark.parametrize(
    ("number", "title"),
    [(0, "A short title"), (3, LONG), (3, WORD), (200, "A short title"), (200, LONG)],
    ids=["nothing", "long names", "endless names", "many", "many with long names"],
)
def test_the_summary_is_one_page(number: int, title: str, tmp_path: Path) -> None:
    waived = [result("logging.forward", Status.WAIVED, check=f"w{at}", title=f"{title} {at}") for at in range(number)]
    warned = [replace(one, status=Status.WARN, severity="low") for one in waived]
    made = run(*ALL_PASS, *failing(number, title), *waived, *warned, laboratory=title[:300])
    about = report(made, organisation={"name": title})
    document = pdf.printed(summary.fitting(about, pdf.pages))
    assert "Pages:           1\n" in told("pdfinfo", document, tmp_path)
    text = told("pdftotext", document, tmp_path)
    assert text.count(" more, in the report") == (3 if number == 200 or (number and title is WORD) else 0)
    assert "The signature proves who reported this" in text.replace("\n", " ")
    assert about.fingerprint[:20] in text


def test_without_pango_the_error_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    pdf._weasyprint.cache_clear()
    monkeypatch.setitem(__import__("sys").modules, "weasyprint", None)
    with pytest.raises(CjsmError, match=r"apt install libpango-1.0-0 .*brew install pango"):
        pdf.printed("<p>x")
    pdf._weasyprint.cache_clear()
