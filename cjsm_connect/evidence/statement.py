"""What is signed: an in-toto Statement v1 (https://in-toto.io/Statement/v1) whose subjects are the bundle's files."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    PlainSerializer,
    StringConstraints,
    ValidationError,
)

from cjsm_connect.printable import shown
from cjsm_connect.results import Run, Status

from . import STATEMENT, EvidenceError, Refused
from .archive import MOST_FILES
from .strict_json import canonical, parse_object

# a tag URI (RFC 4151): a name that nobody has to serve a page for
PredicateType = Literal["tag:cjsm-connect.example,2026:evidence/v1"]
PREDICATE_TYPE: PredicateType = "tag:cjsm-connect.example,2026:evidence/v1"
StatementType = Literal["https://in-toto.io/Statement/v1"]
STATEMENT_TYPE: StatementType = "https://in-toto.io/Statement/v1"
LONGEST_VALIDITY_DAYS = 366

Text = Annotated[str, StringConstraints(max_length=1000)]
Digest = Annotated[str, StringConstraints(pattern="^[0-9a-f]{64}$")]
NONCE = re.compile(r"[\x21-\x7e]{1,200}")
Nonce = Annotated[str, StringConstraints(pattern=f"^{NONCE.pattern}$")]


def timestamp(moment: datetime) -> str:
    """UTC, ISO 8601, whole seconds: 2026-11-21T20:50:20Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def moment(text: str) -> datetime | None:
    """A time with its offset, ISO 8601, UTC; None for what is none, or lies before 2000 or after 2999."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found.astimezone(UTC) if found.tzinfo and 2000 <= found.year < 3000 else None


def _of_our_time(value: datetime) -> datetime:
    if not 2000 <= value.year < 3000:  # so that no sum or zone leads out of what a calendar can hold
        raise ValueError("expected a time between 2000 and 2999")
    return value


Moment = Annotated[AwareDatetime, AfterValidator(_of_our_time), PlainSerializer(timestamp)]


@dataclass(frozen=True, slots=True)
class Validity:
    """When a statement holds, and whose request it answers."""

    not_before: datetime
    not_after: datetime
    nonce: str | None


class _Part(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True, extra="forbid", populate_by_name=True)


class Sha256(_Part):
    """The digest of a subject, the only algorithm that we write or accept."""

    sha256: Digest


class Subject(_Part):
    """A file of the bundle."""

    name: Annotated[str, StringConstraints(max_length=200)]
    digest: Sha256


class Predicate(_Part):
    """What the organisation says of the files: who looked at what, when, with which outcome."""

    organisation: Text
    organisation_digest: Text
    tool: Text
    tool_version: Text
    catalogue_version: Text
    started: Text
    ended: Text
    not_before: Moment
    not_after: Moment
    nonce: Nonce | None
    complete: bool
    exit_code: Annotated[int, Field(ge=0, le=2)]
    totals: dict[Status, Annotated[int, Field(ge=0)]]
    vantages: Annotated[tuple[Text, ...], Field(max_length=1000)]
    laboratory: Text
    notes: Annotated[tuple[Text, ...], Field(max_length=100)]
    original: Digest | None = None  # SHA-256 of the statement that this one is redacted from


class Statement(_Part):
    """The statement as a value. `bytes_of` gives the bytes that are signed."""

    type: StatementType = Field(STATEMENT_TYPE, alias="_type")
    subject: Annotated[tuple[Subject, ...], Field(max_length=MOST_FILES)]
    predicate_type: PredicateType = Field(PREDICATE_TYPE, alias="predicateType")
    predicate: Predicate

    @property
    def digests(self) -> dict[str, str]:
        """SHA-256 of each file by name."""
        return {subject.name: subject.digest.sha256 for subject in self.subject}


def validity(now: datetime, days: int, nonce: str | None) -> Validity:
    """From now on, for so many days, answering a nonce.

    Raises:
        EvidenceError: the nonce or the number of days is not usable.
    """
    if not 1 <= days <= LONGEST_VALIDITY_DAYS:
        raise EvidenceError(f"valid for {days} days: expected 1 to {LONGEST_VALIDITY_DAYS}")
    if nonce is not None and not NONCE.fullmatch(nonce):
        raise EvidenceError(f"nonce {shown(nonce)}: expected 1 to 200 printable ASCII characters without spaces")
    start = now.replace(microsecond=0)
    return Validity(start, start + timedelta(days=days), nonce)


def state(run: Run, files: Mapping[str, bytes], term: Validity, original: str | None = None) -> Statement:
    """The statement about a run and the files that come from it; `original`: the digest of what it is redacted from."""
    predicate = Predicate(
        organisation=run.organisation,
        organisation_digest=run.organisation_digest,
        tool="cjsm-connect",
        tool_version=run.tool_version,
        catalogue_version=run.catalogue_version,
        started=run.started,
        ended=run.ended,
        not_before=term.not_before,
        not_after=term.not_after,
        nonce=term.nonce,
        complete=run.complete,
        exit_code=run.exit_code,
        totals={Status(name): number for name, number in run.totals().items()},
        vantages=tuple(sorted({result.vantage for result in run.results})),
        laboratory=run.laboratory,
        notes=run.notes,
        original=original,
    )
    return Statement(subject=subjects(files), predicate=predicate)


def bytes_of(statement: Statement) -> bytes:
    """The canonical JSON (RFC 8785) of a statement: what both signatures are over."""
    return canonical(statement.model_dump(mode="json", by_alias=True))


def read(payload: bytes) -> Statement:
    """A statement from signed bytes.

    Raises:
        Refused: not canonical JSON, or not a statement of this form.
    """
    document = parse_object(payload, STATEMENT)
    try:
        if canonical(document) != payload:
            raise Refused(f"{STATEMENT}: expected canonical JSON (RFC 8785)")
        statement = Statement.model_validate_json(payload)
    except (ValidationError, EvidenceError) as error:
        what = _first_mistake(error) if isinstance(error, ValidationError) else shown(error)
        raise Refused(f"{STATEMENT}: not an evidence statement: {what}") from error
    if len(statement.digests) != len(statement.subject):
        raise Refused(f"{STATEMENT}: names a file twice")
    if bytes_of(statement) != payload:
        raise Refused(
            f"{STATEMENT}: not in the one form in which it is written: another order, or other spellings of times"
        )
    return statement


def subjects(files: Mapping[str, bytes]) -> tuple[Subject, ...]:
    """What a statement is about: each file with its digest, by name."""
    return tuple(_subject(name, files[name]) for name in sorted(files))


def _subject(name: str, content: bytes) -> Subject:
    return Subject(name=name, digest=Sha256(sha256=hashlib.sha256(content).hexdigest()))


def _first_mistake(error: ValidationError) -> str:
    mistake = error.errors(include_url=False)[0]
    place = ".".join(str(step) for step in mistake["loc"])
    return shown(f"{place}: {mistake['msg']}, found {mistake['input']!r}", 300)
