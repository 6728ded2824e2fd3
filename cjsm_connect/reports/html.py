"""The evidence report: one HTML file that an engineer reads from top to bottom. No network; whole without script. Pure.

Everything that a host said is hostile text: jinja2 escapes it, and `visible` shows what would hide or reorder letters.
"""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from functools import cache
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from cjsm_connect.application.answers import Answer, Known, answers, sections_of
from cjsm_connect.application.forms import form
from cjsm_connect.desired.render import TEMPLATES
from cjsm_connect.organisation import Organisation
from cjsm_connect.printable import lines
from cjsm_connect.results import Requirement, Result, Run, Severity, Status, counts_against, worst
from cjsm_connect.results.catalogue import PREREQUISITES

from . import diagram

WORDS = {
    Status.PASS: "pass",
    Status.FAIL: "fail",
    Status.WARN: "warning",
    Status.WAIVED: "waived",
    Status.NOT_TESTED: "not tested",
    Status.ERROR: "error",
}
SIGNS = dict(zip(Status, "✓✗!~–⚠", strict=True))
TITLES = {"tls": "TLS"}
ORDER = (Status.ERROR, Status.FAIL, Status.NOT_TESTED, Status.WARN, Status.WAIVED, Status.PASS)


@dataclass(frozen=True)
class Report:
    """What the report is made from; builtin types where the evidence has them so."""

    run: Run
    organisation: Organisation
    requirements: Mapping[str, Requirement]
    not_before: str
    not_after: str
    nonce: str | None
    fingerprint: str
    certificates: Sequence[Mapping[str, Any]]
    host_keys: Sequence[Mapping[str, str]]
    versions: Mapping[str, Any]
    configuration: Mapping[str, str]
    domains_digest: str


@dataclass(frozen=True)
class Prerequisite:
    """One of the three minimum prerequisites, with the results that belong to it."""

    title: str
    status: Status
    results: tuple[Result, ...]


@dataclass(frozen=True)
class Finding:
    """Equal results of one check on several subjects, told in one line."""

    status: Status
    title: str
    vantage: str
    subjects: tuple[str, ...]


@dataclass(frozen=True)
class Concern:
    """The results of a concern, what needs attention first."""

    name: str
    results: tuple[Result, ...]

    @property
    def title(self) -> str:
        """The concern's name at the head of a table."""
        return TITLES.get(self.name, self.name.capitalize())


def render(report: Report, *, paper: bool = False) -> str:
    """The report as one HTML document; on paper without navigation and controls, and laid out for pages."""
    values: dict[str, Any] = {field.name: getattr(report, field.name) for field in fields(report)}
    style, script = text("report.css") + text("paper.css") * paper, text("filter.js")
    return (
        pages()
        .get_template("report/report.html.j2")
        .render(
            **values,
            paper=paper,
            style=style,
            script=script,
            policy=policy(style, script),
            drawing_style=text("diagram.css"),
            totals=report.run.totals(),
            prerequisites=prerequisites(report),
            questions=answers(form("2009-checklist"), _known(report)),
            form=answers(form("2017-form"), _known(report)),
            concerns=concerns(report),
            waived=_with(report.run, Status.WAIVED),
            accepted=[result for result in report.run.results if result.scoped],
            against=counting(report.run),
            lesser=warnings(report.run),
            digests={name: _digest(text) for name, text in report.configuration.items()},
            verdict=verdict(report.run),
            drawing=diagram.drawing(report.organisation),
        )
    )


def verdict(run: Run) -> str:
    """The outcome in one sentence."""
    if run.narrowed and run.exit_code == 0:
        return f"Nothing counts against {len(run.narrowed)} requirements; the others were not looked at."
    return {
        0: "Nothing counts against this connection.",
        1: "There are findings that count against this connection.",
        2: "Some checks could not be carried out: part of the estate is unknown.",
    }[run.exit_code]


def counting(run: Run) -> tuple[Result, ...]:
    """What counts against the connection, what needs attention most first."""
    return _attention_first([one for one in run.results if _against(one)])


def warnings(run: Run) -> tuple[Result, ...]:
    """The warnings that do not count against it."""
    return tuple(one for one in _with(run, Status.WARN) if not _against(one))


def prerequisites(report: Report) -> tuple[Prerequisite, ...]:
    """The three minimum prerequisites of the 2009 application process. Advice never counts here."""
    return tuple(_prerequisite(report, name, title) for name, title in PREREQUISITES.items())


def _prerequisite(report: Report, name: str, title: str) -> Prerequisite:
    counted = {r.id for r in report.requirements.values() if r.prerequisite == name and not r.advice}
    results = tuple(result for result in report.run.results if result.requirement in counted)
    return Prerequisite(title, worst(result.status for result in results), _attention_first(results))


def concerns(report: Report) -> tuple[Concern, ...]:
    """All results by concern, in the catalogue's order; what belongs to no requirement comes first."""
    known = list(dict.fromkeys(requirement.concern for requirement in report.requirements.values()))
    grouped: dict[str, list[Result]] = {name: [] for name in ("organisation file", *known)}
    for result in report.run.results:
        requirement = report.requirements.get(result.requirement)
        grouped[requirement.concern if requirement else "organisation file"].append(result)
    return tuple(Concern(name, _attention_first(results)) for name, results in grouped.items() if results)


def findings(results: Sequence[Result]) -> list[Finding]:
    """The results with those of one check put together, in the given order."""
    grouped: dict[tuple[Status, str, str], list[str]] = {}
    for one in results:
        grouped.setdefault((one.status, one.title, one.vantage), []).append(one.subject)
    return [Finding(*key, tuple(subjects)) for key, subjects in grouped.items()]


def _attention_first(results: Sequence[Result]) -> tuple[Result, ...]:
    severities = list(Severity)
    return tuple(
        sorted(results, key=lambda r: (ORDER.index(r.status), severities.index(r.severity), r.check, r.subject))
    )


def _against(result: Result) -> bool:
    return result.status is Status.ERROR or counts_against(result)


def _with(run: Run, status: Status) -> list[Result]:
    return [result for result in run.results if result.status is status]


def _known(report: Report) -> Known:
    return Known(
        sections_of(report.organisation),
        datetime.fromisoformat(report.run.ended).date(),
        report.run.results,
        report.requirements,
        report.versions["hosts"],
    )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "backslashreplace")).hexdigest()


def _by_status(answer: Answer) -> list[tuple[Status, int]]:
    """How many proofs of an answer have each status, the worst first."""
    counted = [(status, sum(result.status is status for result in answer.proofs)) for status in ORDER]
    return [(status, number) for status, number in counted if number]


def text(name: str) -> str:
    """A style or script of the reports, as it stands in each page."""
    return (TEMPLATES / "report" / name).read_text(encoding="utf-8")


def policy(style: str, script: str = "") -> str:
    """The Content-Security-Policy of a page: this style and this script, and nothing from anywhere else.

    https://www.w3.org/TR/CSP3/#grammardef-hash-source
    """
    scripts = f" script-src '{_source(script)}';" if script else ""
    return f"default-src 'none'; style-src '{_source(style)}';{scripts} base-uri 'none'; form-action 'none'"


def _source(content: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()}"


def visible(value: Any) -> Any:
    """Text with every control, invisible or direction-changing character written out (Trojan Source attack)."""
    return lines(value) if type(value) is str else value


def _moment(text: str) -> str:
    """A time of the run as people write it: 21 November 2026, 11:59 UTC."""
    return f"{datetime.fromisoformat(text).astimezone(UTC):%-d %B %Y, %H:%M:%S} UTC"


@cache
def pages() -> Environment:
    """jinja2 with what the templates of report and summary use."""
    made = environment()
    made.filters |= {"by_status": _by_status, "findings": findings, "moment": _moment}
    made.globals |= {"words": WORDS, "signs": SIGNS, "order": ORDER}
    return made


def environment() -> Environment:
    """jinja2 for pages: text of a host or a bundle stays text, and an unknown name is an error."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=StrictUndefined,
        finalize=visible,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
