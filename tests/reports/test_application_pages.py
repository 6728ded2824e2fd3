"""The pages of the application pack: on paper, and in a browser."""

from __future__ import annotations

import subprocess
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from cjsm_connect.application.answers import Known, sections_of
from cjsm_connect.application.filled import Application, Listed, fill
from cjsm_connect.reports import application, pdf
from tests.made_up import TODAY, organisation

pytestmark = pytest.mark.slow
FINGERPRINT = "a3d2 27e2 8b2f 5f25 0067 97ea 9828 19d9 72f6 7524 b319 7e74 7b34 12fc 3784 86f8"


def pack() -> Application:
    known = Known(sections_of(organisation()), TODAY)
    return fill(known, Listed(), None, datetime(2026, 11, 21, tzinfo=UTC), fingerprint=FINGERPRINT)


@pytest.mark.usefixtures("printer")
def test_the_sheet_to_sign_is_one_page_with_the_whole_fingerprint(tmp_path: Path) -> None:
    made = pack()
    [sheet] = [page for page in application.documents(made) if page.file == "key-sheet"]
    page = application.as_html(sheet, made)
    (tmp_path / "sheet.pdf").write_bytes(pdf.printed(page))
    text = subprocess.run(["pdftotext", tmp_path / "sheet.pdf", "-"], capture_output=True, text=True, check=True).stdout
    assert pdf.pages(page) == 1
    assert FINGERPRINT in " ".join(text.split())
    assert "Signature" in text


@pytest.mark.parametrize("width", [360, 1280])
def test_every_page_is_accessible_and_fits_a_telephone(width: int, shown: Callable[..., Any]) -> None:
    made = pack()
    for page in application.documents(made):
        opened = shown(application.as_html(page, made), viewport={"width": width, "height": 800})
        assert (page.file, opened.violations(), opened.trouble) == (page.file, [], [])
        assert opened.page.evaluate("document.documentElement.scrollWidth") <= width, page.file
