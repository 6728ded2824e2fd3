"""report: any form of the report from a bundle, offline; the bundle is verified first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cjsm_connect.evidence import EvidenceError, archive, keys
from cjsm_connect.evidence.verification import Reader, verify
from cjsm_connect.reports import html, junit, oscal, pdf, summary
from cjsm_connect.reports.of_bundle import report_of
from cjsm_connect.results import CjsmError
from cjsm_connect.results import catalogue as catalogues
from cjsm_connect.verbs.verify import LARGEST_KEY, read_file

FILE = click.Path(path_type=Path)


@click.command("report")
@click.argument("bundle", type=FILE)
@click.option("--key", required=True, type=FILE, help="The organisation's evidence.pub.")
@click.option("--nonce", help="The text that you gave the organisation to sign.")
@click.option("--html", "page", type=FILE, metavar="FILE", help="The whole report as one HTML file.")
@click.option("--pdf", "paper", type=FILE, metavar="FILE", help="The whole report as PDF/UA.")
@click.option("--summary", type=FILE, metavar="FILE", help="One A4 page: PDF where FILE ends so, otherwise HTML.")
@click.option("--junit", "xml", type=FILE, metavar="FILE", help="The results as JUnit XML.")
@click.option("--oscal", "machine", type=FILE, metavar="FOLDER", help="The results in OSCAL, in a new folder.")
@click.pass_obj
def command(rooms: Any, /, bundle: Path, key: Path, nonce: str | None, **asked: Path | None) -> None:
    """Make reports from a bundle, offline: verified first, then made anew from its results.

    Nothing is taken from the bundle's own pages, and no file is replaced.

    Exit code: 0 written; 2 the bundle is not genuine, or something could not be read or written.
    """
    if not any(asked.values()):
        raise CjsmError("nothing was asked for: expected --html, --pdf, --summary, --junit or --oscal")
    report = _report(rooms.root / "checks" / "requirements.toml", bundle, key, nonce)
    for path, made in _asked(report, **asked):
        _write(path, made())
        click.echo(str(path))


def _report(requirements: Path, bundle: Path, key: Path, nonce: str | None) -> html.Report:
    pem = read_file(key, LARGEST_KEY)
    public = keys.public_key(pem, str(key))
    catalogue = catalogues.load(requirements)
    reader = Reader(keys.organisation(pem), catalogue.version)
    found = verify(read_file(bundle, archive.MOST_BYTES), public, nonce, datetime.now(UTC), reader)
    if not found.statement or not found.genuine:
        doubts = "; ".join(found.problems)
        raise EvidenceError(f"{bundle}: no report of what is not genuine: {doubts}. See: cjsm verify {bundle}")
    said = found.statement.predicate
    return report_of(found.files, said, keys.fingerprint(public), catalogue)


def _asked(
    report: html.Report,
    *,
    page: Path | None,
    paper: Path | None,
    summary: Path | None,
    xml: Path | None,
    machine: Path | None,
) -> Iterator[tuple[Path, Callable[[], bytes]]]:
    """Where each form goes, and what makes it."""
    if page:
        yield page, lambda: _encoded(html.render(report))
    if paper:
        yield paper, lambda: pdf.printed(html.render(report, paper=True))
    if summary:
        yield summary, lambda: _summary(report, as_pdf=summary.suffix.lower() == ".pdf")
    if xml:
        yield xml, lambda: _encoded(junit.xml(report.run))
    for name, document in (oscal.documents(report.run, report.requirements) if machine else {}).items():
        yield machine / Path(name).name, lambda made=document: _encoded(json.dumps(made, indent=1))  # type: ignore[misc]


def _summary(report: html.Report, *, as_pdf: bool) -> bytes:
    if as_pdf:
        return pdf.printed(summary.fitting(report, pdf.pages))
    return _encoded(summary.render(report))


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("xb") as file:
            file.write(content)
    except FileExistsError as error:
        raise CjsmError(f"{path} is there already; expected a new name: no report is replaced") from error
    except OSError as error:
        raise CjsmError(f"{path} could not be written: {error.strerror}") from error
