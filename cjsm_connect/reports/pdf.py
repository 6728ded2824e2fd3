"""A page as PDF/UA: tagged, with title, language and bookmarks. Reads no file and no address, whatever a page says."""

from __future__ import annotations

import logging
from functools import cache
from types import ModuleType
from typing import Any

from cjsm_connect.results import CjsmError

PACKAGES = ("libpango-1.0-0", "libpangoft2-1.0-0", "libharfbuzz-subset0", "fonts-liberation", "fonts-dejavu-core")
"""Debian's packages that WeasyPrint and our pages need (https://doc.courtbouillon.org/weasyprint/stable/)."""


def printed(page: str) -> bytes:
    """The PDF of an HTML page.

    Raises:
        CjsmError: the libraries that lay out text are not on this machine.
    """
    found: bytes = _document(page).write_pdf(pdf_variant="pdf/ua-1")
    return found


def pages(page: str) -> int:
    """How many pages its PDF has."""
    return len(_document(page).render().pages)


def _document(page: str) -> Any:
    library = _weasyprint()
    nothing = library.urls.URLFetcher(allowed_protocols=())  # neither files nor addresses: a report is whole by itself
    return library.HTML(string=page, base_url=None, url_fetcher=nothing)


@cache
def _weasyprint() -> ModuleType:
    """Loaded when a PDF is asked for: it takes half a second, and Pango, which is no Python package."""
    try:
        import weasyprint
    except (ImportError, OSError) as error:
        raise CjsmError(
            f"a PDF needs Pango to lay out text, which is not on this machine ({str(error).splitlines()[0][:120]}). "
            f"On Debian: apt install {' '.join(PACKAGES)}. On macOS: brew install pango. Without it: print the HTML."
        ) from error
    logging.getLogger("weasyprint").setLevel(logging.CRITICAL)  # it tells of CSS that browsers know and it does not
    logging.getLogger("fontTools").setLevel(logging.CRITICAL)
    found: ModuleType = weasyprint
    return found
