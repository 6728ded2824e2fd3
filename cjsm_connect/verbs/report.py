"""report: any form of the report from a bundle, offline; the bundle is verified first."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cjsm_connect.evidence import EvidenceError, keys, read_file
from cjsm_connect.evidence.verification import Reader, verify
from cjsm_connect.reports import html, junit, oscal, pdf, summary
from cjsm_connect.reports.of_bundle import report_of
from cjsm_connect.results import CjsmError, inputs
from cjsm_connect.results import catalogue as catalogues

FILE = click.Path(path_type=Path)


@click.command("report")
@click.argument("bundle", type=FILE)
@click.option("--key", required=True, type=FILE, help="The organisation's evidence.pub.")
@click.option("--nonce", help="The text that you gave the organisation to sign.")
@click.option("--html", "page", type=FILE, metavar="FILE", help="The whole report as one HTML file.")
@click.option("--pdf", "paper", type=FILE, metavar="FILE", help="The whole report as PDF/UA.")
@click.option("--summary", type=FILE, metavar="FILE", help="One A4 page; PDF if FILE ends in .pdf, else HTML.")
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
    for name, path in asked.items():
        for file, content in FORMS[name](report, path) if path else ():
            _write(file, content)
            click.echo(str(file))


def _report(requirements: Path, bundle: Path, key: Path, nonce: str | None) -> html.Report:
    pem = read_file(key, inputs.KEY)
    public = keys.public_key(pem, str(key))
    catalogue = catalogues.load(requirements)
    reader = Reader.of(pem, catalogue.version)
    found = verify(read_file(bundle, inputs.BUNDLE), public, nonce, _now(), reader)
    if not found.statement or not found.genuine:
        doubts = "; ".join(found.problems)
        raise EvidenceError(f"{bundle}: no report of what is not genuine: {doubts}. See: cjsm verify {bundle}")
    said = found.statement.predicate
    return report_of(found.files, said, keys.fingerprint(public), catalogue)


Files = Iterator[tuple[Path, bytes]]


def _page(report: html.Report, path: Path) -> Files:
    yield path, _encoded(html.render(report))


def _paper(report: html.Report, path: Path) -> Files:
    yield path, pdf.printed(html.render(report, paper=True))


def _summary(report: html.Report, path: Path) -> Files:
    if path.suffix.lower() == ".pdf":
        yield path, pdf.printed(summary.fitting(report, pdf.pages))
    else:
        yield path, _encoded(summary.render(report))


def _xml(report: html.Report, path: Path) -> Files:
    yield path, _encoded(junit.xml(report.run))


def _machine(report: html.Report, path: Path) -> Files:
    for name, document in oscal.documents(report.run, report.requirements).items():
        yield path / Path(name).name, _encoded(json.dumps(document, indent=1))


FORMS: dict[str, Callable[[html.Report, Path], Files]] = {
    "page": _page,
    "paper": _paper,
    "summary": _summary,
    "xml": _xml,
    "machine": _machine,
}


def _now() -> datetime:
    return datetime.now(UTC)


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
