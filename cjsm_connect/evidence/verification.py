"""Is a bundle what somebody signed? Offline, with the organisation's public key; every doubt is named."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec

from cjsm_connect.printable import shown
from cjsm_connect.results import Status
from cjsm_connect.results.catalogue import edition

from . import CMS, DSSE, SIGNATURE_FILES, STATEMENT, TIMESTAMP, Refused, archive, cms, dsse, keys, timestamps
from .keys import LONGEST_NAME
from .statement import LONGEST_VALIDITY_DAYS, Statement, moment, read, timestamp
from .strict_json import parse_object

RESULTS = "results.json"
CLOCK_TOLERANCE = timedelta(minutes=5)
LONGEST_LOOK = timedelta(days=1)  # a check takes seconds; with hosts that do not answer, minutes


@dataclass(frozen=True)
class Verification:
    """The outcome. `statement` and `files` are there only when the signatures stood; trust them only if `genuine`.

    `stamped`: when a timestamp authority of the reader's saw the signature; None when none was given.
    """

    problems: tuple[str, ...]
    statement: Statement | None = None
    files: Mapping[str, bytes] = field(default_factory=dict)
    stamped: datetime | None = None

    @property
    def genuine(self) -> bool:
        """Signed with the key, unchanged, whole, within its validity, answering the nonce."""
        return not self.problems


@dataclass(frozen=True)
class Reader:
    """Who reads: the organisation that the key was given for, the version of the reader's own catalogue, the roots of
    the timestamp authorities that the reader trusts, and the key's certificate. What is empty is not compared."""

    whose: str = ""
    catalogue: str = ""
    authorities: Sequence[x509.Certificate] = ()
    certificate: x509.Certificate | None = None

    @classmethod
    def of(cls, pem: bytes, catalogue: str = "", authorities: Sequence[x509.Certificate] = ()) -> Reader:
        """Who was given this evidence.pub, which `keys.public_key` has read."""
        return cls(keys.organisation(pem), catalogue, authorities, keys.certificate(pem))


def verify(
    bundle: bytes, key: ec.EllipticCurvePublicKey, nonce: str | None, now: datetime, reader: Reader = Reader()
) -> Verification:
    """Verify a bundle. Never raises for what is in it."""
    try:
        files = archive.unpack(bundle)
    except Refused as refusal:
        return Verification((str(refusal),))
    return verify_files(files, key, nonce, now, reader)


def verify_files(
    files: Mapping[str, bytes],
    key: ec.EllipticCurvePublicKey,
    nonce: str | None,
    now: datetime,
    reader: Reader = Reader(),
) -> Verification:
    """`verify` for a bundle that is unpacked already."""
    try:
        statement = _signed_statement(files, key)
    except Refused as refusal:
        return Verification((str(refusal),))
    at = max(now, statement.predicate.not_before - CLOCK_TOLERANCE)  # earlier is told of the statement itself
    doubts = [*_signature_problems(files, key, reader.certificate, at), *_file_problems(files, statement)]
    if not doubts:
        doubts += _result_problems(files, statement)
    doubts += [*_time_problems(statement, now), *_nonce_problems(statement, nonce)]
    doubts += [*_organisation_problems(statement, reader.whose), *_catalogue_problems(statement, reader.catalogue)]
    if not reader.authorities:
        doubts += _timestamp_problems(files)
    stamped = _stamped(files, statement, reader.authorities, now) if reader.authorities else None
    if isinstance(stamped, str):
        return Verification((*doubts, stamped), statement, files)
    return Verification(tuple(doubts), statement, files, stamped)


def _stamped(
    files: Mapping[str, bytes], statement: Statement, authorities: timestamps.Roots, now: datetime
) -> datetime | str:
    """When the signature was seen by one of the authorities, or what is wrong with the timestamp."""
    if TIMESTAMP not in files:
        return f"{TIMESTAMP} is missing: expected a timestamp by the authority that was given"
    try:
        found = timestamps.verified(files[TIMESTAMP], files[CMS], authorities)
    except Refused as refusal:
        return str(refusal)
    said = statement.predicate
    if found > now + CLOCK_TOLERANCE:
        return f"{TIMESTAMP}: of {timestamp(found)}, which is still to come; compare the clocks"
    if said.not_before - CLOCK_TOLERANCE <= found <= said.not_after:
        return found
    return f"{TIMESTAMP}: of {timestamp(found)}, outside the time for which the evidence says that it is valid"


def _signed_statement(files: Mapping[str, bytes], key: ec.EllipticCurvePublicKey) -> Statement:
    """What the DSSE signature covers. Nothing of a bundle is believed before this."""
    if missing := sorted(SIGNATURE_FILES - files.keys()):
        raise Refused(f"not an evidence bundle: {', '.join(missing)} missing")
    return read(dsse.verify(files[DSSE], key))


def _signature_problems(
    files: Mapping[str, bytes], key: ec.EllipticCurvePublicKey, given: x509.Certificate | None, now: datetime
) -> Iterator[str]:
    if dsse.verify(files[DSSE], key) != files[STATEMENT]:
        yield f"{STATEMENT} was changed after signing: it differs from the statement in {DSSE}"
    try:
        certificate = cms.verify(files[CMS], files[STATEMENT], key)
    except Refused as refusal:
        yield str(refusal)
        return
    yield from keys.doubts(certificate, now)
    if given is not None and given != certificate:
        yield f"{CMS}: has another certificate of this key than the one given as {keys.PUBLIC}"


def _timestamp_problems(files: Mapping[str, bytes]) -> Iterator[str]:
    """No signature of ours covers it, so that it must be a timestamp over them and nothing else."""
    try:
        if TIMESTAMP in files:
            timestamps.fitting(files[TIMESTAMP], files[CMS])
    except Refused as refusal:
        yield str(refusal)


def _file_problems(files: Mapping[str, bytes], statement: Statement) -> Iterator[str]:
    present = files.keys() - SIGNATURE_FILES - {TIMESTAMP}
    for name in sorted(statement.digests.keys() - present):
        yield f"{shown(name)} is missing: it was signed, but is not in the bundle"
    for name in sorted(present - statement.digests.keys()):
        yield f"{shown(name)} is extra: it is in the bundle, but was not signed"
    for name in sorted(present & statement.digests.keys()):
        found = hashlib.sha256(files[name]).hexdigest()
        if found != statement.digests[name]:
            yield f"{name} was changed after signing: expected SHA-256 {statement.digests[name]}, found {found}"


def _result_problems(files: Mapping[str, bytes], statement: Statement) -> Iterator[str]:
    """Do the totals that were signed follow from the results that were signed?"""
    try:
        statuses = Counter(_statuses(files))
    except Refused as refusal:
        yield str(refusal)
        return
    claimed = statement.predicate
    for status in Status:
        if statuses[status] != claimed.totals.get(status, 0):
            yield (
                f"the statement says {claimed.totals.get(status, 0)} x {status}, {RESULTS} holds {statuses[status]}: "
                "the totals do not follow from the results"
            )
    if claimed.complete and (statuses[Status.NOT_TESTED] or statuses[Status.ERROR]):
        yield f"the statement says complete, but {RESULTS} holds results that are not_tested or error"


def _statuses(files: Mapping[str, bytes]) -> list[Status]:
    if RESULTS not in files:
        raise Refused(f"{RESULTS} is missing: expected the results of the checks")
    rows = parse_object(files[RESULTS], RESULTS).get("results")
    if not isinstance(rows, list):
        raise Refused(f"{RESULTS}: expected a list named results")
    return [_status(row) for row in rows]


def _status(row: Any) -> Status:
    try:
        return Status(row["status"])
    except (TypeError, KeyError, ValueError) as error:
        raise Refused(f"{RESULTS}: expected each result to have one of the statuses {', '.join(Status)}") from error


def _time_problems(statement: Statement, now: datetime) -> Iterator[str]:
    said = statement.predicate
    start, end = said.not_before, said.not_after
    if not start < end <= start + timedelta(days=LONGEST_VALIDITY_DAYS):
        yield (
            f"claims to be valid from {timestamp(start)} to {timestamp(end)}: expected an end after the beginning, and "
            f"{LONGEST_VALIDITY_DAYS} days at most"
        )
    if now > end:
        yield f"expired: the evidence was valid until {timestamp(end)}; ask for new evidence"
    if now < start - CLOCK_TOLERANCE:
        yield f"not valid yet: valid from {timestamp(start)}; compare the clocks"
    else:
        yield from _look_problems(
            said.started, said.ended, start - timedelta(days=LONGEST_VALIDITY_DAYS), min(now, end)
        )


def _look_problems(started: str, ended: str, earliest: datetime, latest: datetime) -> Iterator[str]:
    """Nobody can have looked at hosts later than now, or later than what follows from it may be relied on; and an old
    look is not made new by signing it."""
    first, last = moment(started), moment(ended)
    if first is None or last is None:
        yield f"says that it looked from {shown(started)} to {shown(ended)}: expected two times with their zone"
    elif not first <= last:
        yield f"says that it looked from {shown(started)} to {shown(ended)}: the end is before the beginning"
    elif last > latest + CLOCK_TOLERANCE:
        yield f"says that it looked until {shown(ended)}, which is still to come, or after its validity"
    elif first < earliest:
        yield (
            f"says that it looked from {shown(started)} on: expected {LONGEST_VALIDITY_DAYS} days at most before it "
            "began to be valid"
        )
    elif last - first > LONGEST_LOOK:
        yield f"says that it looked from {shown(started)} to {shown(ended)}: expected a day at most"


def _nonce_problems(statement: Statement, nonce: str | None) -> Iterator[str]:
    if nonce is not None and statement.predicate.nonce != nonce:
        found = "no nonce" if statement.predicate.nonce is None else shown(statement.predicate.nonce)
        yield f"another nonce: expected {shown(nonce)}, found {found}; it does not answer your request"


def _organisation_problems(statement: Statement, whose: str) -> Iterator[str]:
    found = statement.predicate.organisation
    if whose and found[:LONGEST_NAME] != whose:
        yield f"another organisation: the key is that of {shown(whose)}, the evidence is about {shown(found)}"


def _catalogue_problems(statement: Statement, ours: str) -> Iterator[str]:
    """Of requirements that this tool does not know it cannot say whether they were judged as they should be."""
    version = statement.predicate.catalogue_version
    theirs, known = edition(version), edition(ours)
    if theirs is None:
        yield (
            f"unknown catalogue: the evidence was judged by {shown(version)}, expected EDITION.DIGEST, as "
            "7.0123456789ab: its results are not taken as judged"
        )
    elif known is not None and theirs > known:
        yield (
            f"newer catalogue: the evidence was judged by edition {theirs} ({shown(version)}, cjsm-connect "
            f"{shown(statement.predicate.tool_version)}), and this tool knows editions up to {known} ({ours}): "
            "its results are not taken as judged; verify it with a newer cjsm-connect"
        )
