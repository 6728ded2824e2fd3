"""The application pack for people: each document as one HTML page without network, and as plain text. Pure."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import groupby

from jinja2 import Template

from cjsm_connect.application.answers import Answer, Origin, person
from cjsm_connect.application.filled import Application, Filled
from cjsm_connect.application.observed import digest
from cjsm_connect.application.prerequisites import counted
from cjsm_connect.application.terms import Item, Renewal, terms
from cjsm_connect.organisation.assessment import ASK_FIRST
from cjsm_connect.organisation.destinations import family
from cjsm_connect.organisation.identity import Contacts, Identity, Sponsor
from cjsm_connect.results import Result

from .html import environment, visible

Lines = tuple[str, ...]
WIDTH = 100
CONFIRM = "2009, confirm"
SHORT = 16  # hexadecimal digits of a digest that are compared by eye; application.json has all of them
SIGN = ("Name", "Position", "Date", "Signature")


@dataclass(frozen=True)
class Table:
    """Rows of cells, a cell being lines. The column "From" holds one word, shown as a mark; "File" is a link."""

    caption: str
    head: Lines
    rows: tuple[tuple[Lines, ...], ...]


@dataclass(frozen=True)
class Document:
    """A page of the pack. `to_sign`: what somebody fills in by hand on paper."""

    file: str
    title: str
    lead: str
    notes: Lines
    tables: tuple[Table, ...]
    large: str = ""
    to_sign: Lines = ()


def documents(made: Application) -> tuple[Document, ...]:
    """Every page, the summary first."""
    pages = (
        *(_form(one, made) for one in made.filled),
        _contacts(made),
        _terms(made),
        _key_sheet(made),
        _to_post(made),
    )
    return (_summary(made, pages), *pages)


def as_html(page: Document, made: Application) -> str:
    """A page as one HTML document."""
    return _template().render(page=page, organisation=made.name, when=f"{made.at:%-d %B %Y}")


@cache
def _template() -> Template:
    return environment().get_template("application/document.html.j2")


def as_text(page: Document, made: Application) -> str:
    """The same as plain text, to copy into the fields of a form."""
    return "\n".join(visible(line) for line in _text(page, made)) + "\n"


def _text(page: Document, made: Application) -> Iterator[str]:
    yield from (page.title, "=" * len(page.title), f"{made.name}, {made.at:%-d %B %Y}", "")
    yield from _wrapped(page.lead)
    for note in page.notes:
        yield from _wrapped(note, "* ")
    if page.large:
        yield from ("", f"    {page.large}")
    for table in page.tables:
        yield from ("", table.caption, "-" * len(table.caption))
        for row in table.rows:
            yield from _record(table.head, row)
    yield from (line for label in page.to_sign for line in ("", f"{label}: {'_' * 50}"))


def _record(head: Lines, row: tuple[Lines, ...]) -> Iterator[str]:
    """A row: its first cell as it is, the others under their heads."""
    yield from ("", *(line for text in row[0] for line in _wrapped(text)))
    for label, cell in zip(head[1:], row[1:], strict=True):
        for number, text in enumerate(cell):
            first = f"    {label}: " if label else "    "
            yield from _wrapped(text, " " * len(first) if number else first)


def _wrapped(text: str, first: str = "") -> list[str]:
    return textwrap.wrap(text, WIDTH, initial_indent=first, subsequent_indent=" " * len(first)) or [first]


def _summary(made: Application, pages: Sequence[Document]) -> Document:
    open_ones = tuple(((one.where,), (one.what,)) for one in made.missing)
    against = tuple(((question,), (line,)) for question, line in made.contradictions)
    files = tuple(((f"{page.file}.html",), (page.title, f"as plain text: {page.file}.txt")) for page in pages)
    tables = [Table("What these answers rest on", ("", ""), tuple(_rests_on(made)))]
    if open_ones:
        tables.append(Table("Missing, and what to do", ("What", "To do"), open_ones))
    if against:
        tables.append(Table("Declared, and seen otherwise", ("Question", "What stands against it"), against))
    tables.append(Table("What is in this folder", ("File", "What it is"), (*files, *_lists(made))))
    lead = f"Not ready: {len(made.missing)} things are missing." if made.missing else "Ready: nothing is missing."
    notes = (f"{ASK_FIRST}. Whether a server connection fits you is told by cjsm assess.", *made.notes)
    return Document("index", "Application for a CJSM server connection", lead, notes, tuple(tables))


def _rests_on(made: Application) -> Iterator[tuple[Lines, ...]]:
    for one in made.filled:
        counts = ", ".join(f"{number} {place}" for place, number in one.counts().items() if number)
        yield (one.form.title,), (f"{counts}; the form as of {one.form.as_of:%-d %B %Y}",)
    seen = made.observed
    source = (f"{seen.source}, {seen.moment}", f"SHA-256 of its results: {seen.digest}") if seen else ()
    yield ("Observed",), source or ("Nothing was checked: all answers are declared",)
    yield ("Declared",), (f"organisation.toml, SHA-256 of its content: {made.file_digest}",)
    yield ("Terms",), (renewed(made.renewal),)


def _lists(made: Application) -> Iterator[tuple[Lines, ...]]:
    if made.listed.usable:
        yield ("users.csv",), (f"{len(made.listed.found.users)} users, for the CJSM directory",)
        yield ("users-changes.csv",), (changed(made),)
    yield ("application.json",), ("All of it for programs, with whole digests; without the users' names",)


def changed(made: Application) -> str:
    """Who came and left, in numbers."""
    found = made.listed.changes
    since = f"since the pack of {made.listed.since}" if made.listed.since else "this is the first list"
    return f"{len(found.joined)} joined, {len(found.left)} left, {len(found.renamed)} renamed; {since}"


def renewed(found: Renewal) -> str:
    """When the terms were accepted, and when they are due."""
    if found.accepted is None:
        return "Not accepted yet: they are signed by hand and posted with the application"
    late = "; THAT DAY IS OVER" if found.late else ""
    return f"Accepted on {found.accepted} by {found.owner}; to be accepted again by {found.due}{late}"


def _form(filled: Filled, made: Application) -> Document:
    form = filled.form
    tables = tuple(
        Table(part, ("Question", "Answer", "From", "What proves it"), tuple(map(_answer, rows)))
        for part, rows in groupby(filled.answers, key=lambda one: one.field.part)
    )
    lead = f"As of {form.as_of:%-d %B %Y}. Source: {form.source}."
    return Document(form.id, form.title, lead, (form.confirm, *_observed_from(made)), tables)


def _observed_from(made: Application) -> Lines:
    if not made.observed:
        return ("Nothing was checked: all answers are declared.",)
    return (f"Observed: {made.observed.source}, {made.observed.moment}.", *made.notes)


def _answer(one: Answer) -> tuple[Lines, ...]:
    optional = " (the form does without it)" if one.field.optional else ""
    asked = (f"{one.question}{optional}", f"{one.field.place}")
    if one.origin is Origin.MISSING:
        mark = "empty" if one.field.optional else one.origin.value
        return asked, (f"To do: {one.todo}",), (mark,), _proofs(one)
    to_do = (f"To do: {one.todo}",) if one.todo else ()
    origin = "contradiction" if one.contradictions else one.origin.value
    return asked, (*one.lines, *to_do), (origin,), _proofs(one)


def _proofs(one: Answer) -> Lines:
    """What was seen against it, who declared it, and the results of each requirement with their digest."""
    against = (f"Against it: {line}" for line in one.contradictions)
    return (*against, *_stated(one), *_by_requirement(one.proofs))


def _stated(one: Answer) -> Lines:
    if one.origin is Origin.DECLARED:
        return (one.basis,)
    made = one.declaration
    return (f"Also declared, by {made.owner} on {made.date}",) if made else ()


def _by_requirement(proofs: Iterable[Result]) -> Iterator[str]:
    rows = sorted(proofs, key=lambda one: (one.requirement, one.check, one.subject))
    for requirement, group in groupby(rows, key=lambda one: one.requirement):
        results = list(group)
        yield f"{requirement}: {counted(results)} (SHA-256 {digest(results)[:SHORT]}…)"


def _contacts(made: Application) -> Document:
    contacts, identity = made.known.sections["contacts"], made.known.sections["organisation"]
    signers = tuple(((one.name,), (one.position,)) for one in made.known.sections["signatories"])
    tables = (
        Table("People", ("Contact", "Name", "E-mail", "Telephone"), tuple(_people(contacts) if contacts else ())),
        Table("Sponsors", ("Name", "Organisation", "E-mail", "Domain"), tuple(_sponsors(identity) if identity else ())),
        Table("Who may sign for the organisation", ("Name", "Position"), signers),
    )
    lead = "Whom CJSM may call, and about what. Faults and notices go to a group mailbox, so that somebody reads them."
    return Document("contacts", "Contacts, sponsor and signatories", lead, _incomplete(made), tables)


def _incomplete(made: Application) -> Lines:
    wrong = [name for name in ("contacts", "organisation") if made.known.sections[name] is None]
    return tuple(f"[{name}] has mistakes and is left out: {made.known.mistakes(name)}" for name in wrong)


def _people(found: Contacts) -> Iterator[tuple[Lines, ...]]:
    single = {
        "Applicant": found.applicant,
        "Administrator (users and contacts in the directory)": found.administrator,
        "IT helpdesk (faults, maintenance, re-certification)": found.helpdesk,
    }
    several = {"Business (news of the service)": found.business, "Technical (faults and changes)": found.technical}
    rows = [*single.items(), *((title, one) for title, all_ in several.items() for one in all_)]
    yield from (((title,), (one.name,), (one.email,), (one.telephone,)) for title, one in rows)


def _sponsors(found: Identity) -> Iterator[tuple[Lines, ...]]:
    for one in found.sponsors:
        yield (one.name,), (one.organisation,), (one.email,), (one.domain, _known_domain(one))


def _known_domain(sponsor: Sponsor) -> str:
    about = family(sponsor.domain)
    return f"{about.status}: {about.source}; confirm that this sponsor counts today"


def _terms(made: Application) -> Document:
    known = terms()
    rows = tuple(_clause(one) for one in made.clauses)
    head = ("Clause", "Duty, in our words", "What serves it")
    renewal = (
        (("Renewal",), (renewed(made.renewal),)),
        (("Source",), (known.renewal_source,)),
    )
    tables = (Table("Yearly renewal", ("", ""), renewal), Table("Clauses", head, rows))
    lead = f"{known.source}. {known.confirm}"
    return Document("terms", f"Checklist of the terms, version {known.version}", lead, _observed_from(made), tables)


def _clause(one: Item) -> tuple[Lines, ...]:
    people = (f"By people: {one.clause.by_people}",) if one.clause.by_people else ()
    unseen = {row.id for row in one.requirements} - {row.requirement for row in one.results}
    rest = (f"not looked at: {', '.join(sorted(unseen))}",) if unseen else ()
    return (one.clause.number,), (one.clause.duty,), (*people, *_by_requirement(one.results), *rest)


def _key_sheet(made: Application) -> Document:
    lead = (
        "Bundles of evidence of this organisation are signed with the key of this fingerprint: the SHA-256 of its "
        "public key. Print this sheet, compare it with evidence.pub, sign it by hand, and give it to the CJSM engineer "
        "by another way than the bundles."
    )
    none = "There is no key yet: cjsm evidence init makes it; then cjsm application again"
    notes = (
        "The engineer compares it with what cjsm verify prints, or: openssl x509 -in evidence.pub -noout -pubkey | "
        "openssl pkey -pubin -outform DER | sha256sum",
        "A signature proves who reported, and that nothing was changed since. It does not prove that it is true.",
    )
    large, signs = (made.fingerprint, SIGN) if made.fingerprint else (none, ())
    return Document("key-sheet", "Fingerprint of the evidence key", lead, notes, (), large, signs)


def _to_post(made: Application) -> Document:
    signers = ", ".join(f"{one.name} ({one.position})" for one in made.known.sections["signatories"]) or "nobody yet"
    contacts = made.known.sections["contacts"]
    administrator = person(contacts.administrator) if contacts else "nobody yet"
    rows = (
        (
            ("The terms and conditions, printed",),
            (f"Signed by hand by {signers}; no electronic signature is accepted",),
            ("To the address on the terms that you download; those in old papers are out of date",),
            (CONFIRM, "With more than one user: the Multiple User version, whatever the way of access"),
        ),
        (
            ("The letter with the log-in",),
            (f"Comes by special delivery to {administrator}",),
            ("If it has not come a week after the e-mail of approval: call the helpdesk",),
            (CONFIRM,),
        ),
        (
            ("The fingerprint sheet (key-sheet)",),
            (f"Signed by hand by {signers}",),
            ("To the CJSM engineer, apart from the bundles; evidence.pub with it or by e-mail",),
            ("This tool's own advice",),
        ),
    )
    head = ("What", "By whom", "Where to", "As of")
    lead = "The form is sent online; these go on paper. Ask the helpdesk which of them still do."
    return Document("to-post", "To be posted and signed by hand", lead, (), (Table("By post", head, rows),))
