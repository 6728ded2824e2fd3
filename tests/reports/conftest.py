"""What tests of pages need of this machine: Debian's packages for PDF and a browser, installed when this is root."""

from __future__ import annotations

import ctypes.util
import os
import shutil
import site
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from cjsm_connect.bench import environment
from cjsm_connect.lab.machine import install
from cjsm_connect.reports import pdf
from tests.made_up import ROOT

POPPLER = "poppler-utils"


def debian(*packages: str) -> None:
    """Install packages where a Debian machine may be changed; elsewhere the test that needs them says so and fails."""
    if os.geteuid() != 0 or not Path("/etc/debian_version").exists():
        pytest.fail(f"this test needs Debian's {' '.join(packages)}, or the same of this system: install them")
    install(*packages)


@pytest.fixture(scope="session")
def printer() -> None:
    """Pango for WeasyPrint, fonts, and poppler's programs, which read a PDF by another way than we write it."""
    if not ctypes.util.find_library("pangoft2-1.0") or not shutil.which("pdftotext"):
        debian(*pdf.PACKAGES, POPPLER)


BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = ("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
         "--disable-component-update", "--disable-sync")  # fmt: skip


def _program() -> str | None:
    return next(filter(None, map(shutil.which, BROWSERS)), None)


@pytest.fixture(scope="module")  # not longer: while it drives, no other test of this process can have an event loop
def chromium() -> Iterator[Any]:
    """A browser, driven by Playwright, which is in an environment of its own, as its own browsers are not used."""
    if not _program():
        debian("chromium", "fonts-liberation", "fonts-dejavu-core")
    place = environment.made(ROOT, "browser", ROOT / "tests/reports/requirements-browser.txt")
    for folder in place.glob("lib/python*/site-packages"):
        site.addsitedir(str(folder))
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_program(), args=list(FLAGS))
        yield browser
        browser.close()


class Shown:
    """A page as the browser has it, with everything that it did which a report must not do."""

    def __init__(self, browser: Any, file: Path, **context: Any) -> None:
        self.context = browser.new_context(**context)
        self.page = self.context.new_page()
        self.trouble: list[str] = []
        self.page.on("console", lambda said: self.trouble.append(f"console: {said.text}"))
        self.page.on("pageerror", lambda error: self.trouble.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: (self.trouble.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        self.page.on("request", lambda request: self._asked(request.url, file.as_uri()))
        self.context.on("page", lambda _page: self.trouble.append("another page was opened"))
        self.page.goto(file.as_uri())

    def _asked(self, url: str, own: str) -> None:
        if url.partition("#")[0] != own:
            self.trouble.append(f"request: {url}")

    def violations(self) -> list[str]:
        """What axe-core finds, with where."""
        from axe_playwright_python.sync_playwright import Axe

        found = Axe().run(self.page).response["violations"]
        return [f"{one['id']}: {one['help']}: {one['nodes'][0]['target']}" for one in found]


@pytest.fixture
def shown(chromium: Any, tmp_path: Path) -> Iterator[Callable[..., Shown]]:
    """Opens a text as a page, in a context of its own."""
    opened: list[Shown] = []

    def show(text: str, **context: Any) -> Shown:
        file = tmp_path / f"page{len(opened)}.html"
        file.write_text(text, encoding="utf-8", errors="backslashreplace")
        opened.append(Shown(chromium, file, **context))
        return opened[-1]

    yield show
    for one in opened:
        one.context.close()
