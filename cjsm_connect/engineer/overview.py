"""Decision records for people: one bundle as text, all of them as one sortable page. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import cache
from urllib.parse import quote

from jinja2 import Environment

from cjsm_connect.engineer.criteria import Criteria
from cjsm_connect.engineer.judgement import Decision, Reason
from cjsm_connect.engineer.review import Record
from cjsm_connect.printable import escaped, shown
from cjsm_connect.reports.html import environment, policy, text

CLASSES = {
    Decision.COMPATIBLE: "compatible",
    Decision.CONDITIONS: "conditions",
    Decision.NOT_COMPATIBLE: "refused",
    Decision.NOT_JUDGED: "unread",
}
COLOURS = dict(zip(Decision, ("green", "yellow", "red", "magenta"), strict=True))
WORST_FIRST = (Decision.NOT_JUDGED, Decision.NOT_COMPATIBLE, Decision.CONDITIONS, Decision.COMPATIBLE)


def page(records: Sequence[Record], criteria: Criteria, when: str) -> str:
    """One HTML page without network; sortable when script is on."""
    style, script = text("report.css") + text("overview.css"), text("sort.js")
    return (
        _environment()
        .get_template("report/overview.html.j2")
        .render(
            records=sorted(records, key=lambda one: (WORST_FIRST.index(one.decision), one.organisation, one.ended)),
            criteria=criteria,
            when=when,
            counts=counts(records),
            classes=CLASSES,
            style=style,
            script=script,
            policy=policy(style, script),
        )
    )


def record_name(bundle: str) -> str:
    """What a bundle's record is called, without the ending that says its form."""
    return escaped(bundle.removesuffix(".tar"))


def counts(records: Sequence[Record]) -> list[tuple[Decision, int]]:
    """How many bundles there are of each decision, the worst first."""
    return [(one, sum(record.decision is one for record in records)) for one in WORST_FIRST]


def because(record: Record) -> list[str]:
    """Why it is not simply compatible, a line each."""
    return [*record.problems, *(f"{reason.text}: {reason.outcome} ({reason.effect})" for reason in telling(record))]


def telling(record: Record) -> list[Reason]:
    """The reasons from which something follows, refusals first."""
    return sorted((one for one in record.reasons if one.effect), key=lambda one: one.effect != "refuse")


def described(record: Record) -> Iterator[str]:
    """The whole record as text: the decision, every reason with its source and evidence, what has changed."""
    yield f"{record.decision.upper()}: {shown(record.organisation) or 'organisation not known'}"
    yield f"  bundle         {record.bundle}"
    if record.key:
        yield f"  key            {record.key}"
        yield f"  looked at      until {shown(record.ended)}; valid until {record.valid_until}"
        yield f"  complete       {'yes' if record.complete else 'NO: some checks were not tested or in error'}"
    yield from (f"  problem        {problem}" for problem in record.problems)
    for reason in (*telling(record), *(one for one in record.reasons if not one.effect)):
        yield from _reason(reason)
    if record.compared_with:
        yield ""
        yield f"Since {record.compared_with}: {len(record.changes) or 'no'} changes"
        yield from (f"  {change}" for change in record.changes)


def _reason(reason: Reason) -> Iterator[str]:
    follows = {"refuse": " -> refuse", "condition": " -> condition", None: ""}[reason.effect]
    yield ""
    yield f"{reason.outcome.capitalize()}{follows}: {reason.text}"
    yield f"  because        {reason.because}"
    yield f"  source         {reason.source}"
    if reason.effect:
        yield from (f"  evidence       {line}" for line in reason.evidence)


def _link(name: str) -> str:
    """A file name as a link beside the page; one that is not UTF-8 keeps its bytes (os.fsencode)."""
    return quote(name.encode("utf-8", "surrogateescape"), safe="")


@cache
def _environment() -> Environment:
    made = environment()
    made.filters |= {"because": because, "record_name": record_name, "link": _link}
    return made
