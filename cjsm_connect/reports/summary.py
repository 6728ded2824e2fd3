"""One A4 page: who, when, the verdict in plain words, the prerequisites, totals, what fails, what is accepted. Pure."""

from __future__ import annotations

from collections.abc import Callable

from cjsm_connect.results import Status

from . import html

MOST = (14, 9, 6, 4, 2, 1)
"""How many lines of findings, and of exceptions, are tried until all of it fits one page."""


def render(report: html.Report, most: int = MOST[0]) -> str:
    """The summary as one HTML document, with so many lines a list at most; it says how many more there are."""
    style = html.text("report.css") + html.text("summary.css")
    against = html.findings(html.counting(report.run))
    lesser = html.findings(html.warnings(report.run))
    accepted = html.findings([one for one in report.run.results if one.scoped or one.status is Status.WAIVED])
    return (
        html.pages()
        .get_template("report/summary.html.j2")
        .render(
            run=report.run,
            organisation=report.organisation,
            totals=report.run.totals(),
            verdict=html.verdict(report.run),
            prerequisites=html.prerequisites(report),
            lists=[("What counts against it", against), ("Warnings, which do not count against it", lesser),
                   ("Waived, or accepted as not tested", accepted)],
            most=most,
            relays=[one for one in report.certificates if _of_relay(report, one["names"])],
            report=report,
            style=style,
            policy=html.policy(style),
        )
    )  # fmt: skip


def _of_relay(report: html.Report, names: list[str]) -> bool:
    return bool({host.fqdn for host in report.organisation.relays}.intersection(names))


def fitting(report: html.Report, pages: Callable[[str], int]) -> str:
    """The summary with as many findings as one page holds. `pages` counts those of a document."""
    for most in MOST:
        page = render(report, most)
        if pages(page) == 1:
            break
    return page
