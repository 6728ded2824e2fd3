"""The application as a whole: both forms answered, users, terms, key; what is missing. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any

from cjsm_connect.application.answers import Answer, Known, Origin, answers
from cjsm_connect.application.forms import Form, forms
from cjsm_connect.application.observed import Observed, digest
from cjsm_connect.application.terms import Item, Renewal, checklist, renewal, terms
from cjsm_connect.application.users import Changes, User, Users, told
from cjsm_connect.results import Result

SCHEMA = 1


EMPTY = "empty, not needed"


def _place(one: Answer) -> str:
    return EMPTY if one.origin is Origin.MISSING and one.field.optional else str(one.origin)


@dataclass(frozen=True)
class Filled:
    """A form with its answers."""

    form: Form
    answers: tuple[Answer, ...]

    def counts(self) -> dict[str, int]:
        """How many fields are observed, declared, missing, or empty because the form does without; the sum is all."""
        counted = Counter(_place(one) for one in self.answers)
        return {place: counted[place] for place in (*map(str, Origin), EMPTY)}


@dataclass(frozen=True)
class Listed:
    """The list of users as it was found. `problem`: why there is none; `since`: day of the last pack, "" for none."""

    found: Users = field(default_factory=lambda: Users((), ()))
    before: tuple[User, ...] = ()
    changes: Changes = field(default_factory=lambda: Changes((), (), ()))
    since: str = ""
    problem: str = ""

    @property
    def usable(self) -> bool:
        """Whether it can be sent: a list with bad lines would make people leave who only were misspelt."""
        return not self.problem and not self.found.bad


@dataclass(frozen=True)
class ToDo:
    """Something that has to be done before this can be sent."""

    where: str
    what: str


@dataclass(frozen=True)
class Application:
    """Everything that the pack says."""

    known: Known
    filled: tuple[Filled, ...]
    listed: Listed
    clauses: tuple[Item, ...]
    renewal: Renewal
    observed: Observed | None
    at: datetime
    fingerprint: str = ""
    file_digest: str = ""
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """The organisation's name, as far as it is known."""
        identity = self.known.sections["organisation"]
        return identity.name if identity else "an organisation without a name yet"

    @property
    def missing(self) -> tuple[ToDo, ...]:
        """What stops the application, each thing once."""
        return tuple(dict.fromkeys(self._missing()))

    def _missing(self) -> Iterator[ToDo]:
        seen: set[str] = set()
        for one in (answer for filled in self.filled for answer in filled.answers if answer.stops):
            if one.todo not in seen or one.contradictions:
                yield ToDo(one.question, one.todo)
            seen.add(one.todo)
        for copied in self.known.copied:
            yield ToDo(f"{copied.file}: {copied.key}", f"replace {copied.value}: it is the example's")
        if self.observed and (why := self.observed.outdated(self.file_digest, self.at)):
            yield ToDo(f"Observed ({self.observed.source})", f"cjsm check, or cjsm evidence, again: {why}")
        if self.listed.problem:
            yield ToDo("List of users", self.listed.problem)
        yield from (ToDo("List of users", line) for line in told(self.listed.found.bad))
        if self.renewal.late and self.renewal.due:
            yield ToDo("Terms", f"a signatory accepts them again: due since {self.renewal.due}")

    @property
    def contradictions(self) -> tuple[tuple[str, str], ...]:
        """What is declared and was seen otherwise, each once: question and what stands against it."""
        pairs = ((one.question, line) for f in self.filled for one in f.answers for line in one.contradictions)
        return tuple(dict.fromkeys(pairs))


def fill(known: Known, listed: Listed, observed: Observed | None, at: datetime, **more: Any) -> Application:
    """The application of an organisation at a time (UTC). `more`: the key's fingerprint, the file's digest, notes."""
    filled = tuple(Filled(one, answers(one, known)) for one in forms())
    clauses = checklist(known.requirements, known.results)
    return Application(known, filled, listed, clauses, renewal(known.stated), observed, at, **more)


def plain(found: Application) -> dict[str, Any]:
    """Builtin types, for JSON. The names of users are not in it, only how many there are."""
    changes, seen = found.listed.changes, found.observed
    source = {"source": seen.source, "sha256": seen.digest, "checked": seen.run.ended} if seen else None
    return {
        "schema": SCHEMA,
        "organisation": found.name,
        "made": f"{found.at:%Y-%m-%dT%H:%M:%SZ}",
        "organisation_digest": found.file_digest,
        "observed": source,
        "complete": not found.missing,
        "missing": [asdict(one) for one in found.missing],
        "notes": list(found.notes),
        "forms": [_form(one) for one in found.filled],
        "users": {
            "listed": len(found.listed.found.users),
            "bad": [str(one) for one in found.listed.found.bad],
            "since": found.listed.since,
            **{name: len(getattr(changes, name)) for name in ("joined", "left", "renamed")},
        },
        "terms": {
            **_dated(terms().model_dump(mode="json", exclude={"clause"})),
            "renewal": _dated(asdict(found.renewal)),
        },
        "clauses": [_clause(one) for one in found.clauses],
        "key": found.fingerprint,
    }


def _dated(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value if isinstance(value, str | bool | None) else str(value) for name, value in values.items()}


def _form(one: Filled) -> dict[str, Any]:
    head = one.form.model_dump(mode="json", exclude={"field"})
    return {**head, "counts": one.counts(), "fields": [_field(answer) for answer in one.answers]}


def _field(one: Answer) -> dict[str, Any]:
    stated = one.declaration
    return {
        **one.field.model_dump(include={"part", "place", "question", "optional"}),
        "answer": list(one.lines),
        "from": one.origin.value,
        "proofs": [_proof(proof) for proof in one.proofs],
        "declaration": {"id": stated.id, "owner": stated.owner, "date": str(stated.date)} if stated else None,
        "contradictions": list(one.contradictions),
        "todo": one.todo,
    }


def _proof(one: Result) -> dict[str, str]:
    place = {"requirement": one.requirement, "check": one.check, "subject": one.subject, "vantage": one.vantage}
    return {**place, "status": one.status.value, "sha256": digest([one])}


def _clause(one: Item) -> dict[str, Any]:
    ids = [requirement.id for requirement in one.requirements]
    results = [_proof(result) for result in one.results]
    return {**one.clause.model_dump(), "requirements": ids, "results": results}
