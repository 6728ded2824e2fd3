"""A page of the application pack on paper."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cjsm_connect.application.answers import Known, sections_of
from cjsm_connect.application.filled import Listed, fill
from cjsm_connect.reports import application, pdf
from tests.made_up import TODAY, organisation

pytestmark = [pytest.mark.usefixtures("printer"), pytest.mark.slow]
FINGERPRINT = "a3d2 27e2 8b2f 5f25 0067 97ea 9828 19d9 72f6 7524 b319 7e74 7b34 12fc 3784 86f8"


def test_the_sheet_to_sign_is_one_page_with_the_whole_fingerprint(tmp_path: Path) -> None:
    known = Known(sections_of(organisation()), TODAY)
    made = fill(known, Listed(), None, datetime(2026, 11, 21, tzinfo=UTC), fingerprint=FINGERPRINT)
    [sheet] = [page for page in application.documents(made) if page.file == "key-sheet"]
    page = application.as_html(sheet, made)
    (tmp_path / "sheet.pdf").write_bytes(pdf.printed(page))
    text = subprocess.run(["pdftotext", tmp_path / "sheet.pdf", "-"], capture_output=True, text=True, check=True).stdout
    assert pdf.pages(page) == 1
    assert FINGERPRINT in " ".join(text.split())
    assert "Signature" in text
