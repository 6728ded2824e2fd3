"""Bundles to decision records, in several processes; and what changed since an earlier bundle of the same key."""

from __future__ import annotations

import json
import os
import zlib
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

from cjsm_connect import printable
from cjsm_connect.engineer.criteria import Criteria
from cjsm_connect.engineer.judgement import Decision, Reason, decision, reasons
from cjsm_connect.evidence import DSSE, EvidenceError, Refused, archive, dsse, keys, read_file
from cjsm_connect.evidence.statement import Predicate, moment
from cjsm_connect.evidence.strict_json import parse, parse_object
from cjsm_connect.evidence.verification import RESULTS, Reader, verify_files
from cjsm_connect.printable import escaped, shown
from cjsm_connect.results import CjsmError, inputs
from cjsm_connect.results.catalogue import Catalogue

MOST_CHANGES = 200


@dataclass(frozen=True, slots=True)
class Keys:
    """The organisations' public keys: the content of each evidence.pub by the key's identifier. `refused`: which files
    were not taken, and why."""

    by_identifier: Mapping[str, bytes]
    refused: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Desk:
    """By what and when bundles are judged. `nonce`: the text that each must answer, None for any."""

    criteria: Criteria
    catalogue: Catalogue
    keys: Keys
    nonce: str | None
    now: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """The decision about one bundle. `problems` say why it was not judged; `claims` is what comparing needs."""

    bundle: str
    decision: Decision
    problems: tuple[str, ...] = ()
    organisation: str = ""
    key: str = ""
    ended: str = ""
    valid_until: str = ""
    catalogue: str = ""
    complete: bool = False
    reasons: tuple[Reason, ...] = ()
    compared_with: str = ""
    changes: tuple[str, ...] = ()
    claims: bytes = b""

    def plain(self) -> dict[str, Any]:
        """Builtin types, without what was only for comparing."""
        found = asdict(self)
        del found["claims"]
        return found


def public_keys(paths: Sequence[Path]) -> Keys:
    """The organisations' keys, from files and from folders of *.pub. Organisations send such files: one that is wrong
    is left out, and stands in nobody's way.

    Raises:
        EvidenceError: a file that was named itself cannot be read or is no key, or there is none at all.
    """
    files = [(file, one) for one in paths for file in (sorted(one.glob("*.pub")) if one.is_dir() else [one])]
    by_key: dict[str, list[tuple[Path, bytes]]] = {}
    refused: list[str] = []
    for file, given in files:
        try:
            identifier, data = _key_in(file)
            by_key.setdefault(identifier, []).append((file, data))
        except EvidenceError as error:
            if file == given:
                raise
            refused.append(escaped(f"{error}; left out"))
    found = {identifier: data for identifier, (_, data) in _each_once(by_key, refused)}
    if not found:
        why = f": {'; '.join(refused)}" if refused else ""
        raise EvidenceError(
            f"no key: expected evidence.pub, or a folder of *.pub, found {', '.join(map(str, paths))}{why}"
        )
    return Keys(found, tuple(refused))


def _key_in(file: Path) -> tuple[str, bytes]:
    data = read_file(file, inputs.KEY)
    public = keys.public_key(data, str(file))
    certificate = keys.certificate(data)
    if certificate is not None and not keys.proves_possession(certificate):
        raise EvidenceError(
            f"{file}: the certificate says that the key {keys.key_identifier(public)} is that of "
            f"{shown(keys.organisation(data))}, but was not made with that key"
        )
    return keys.key_identifier(public), data


def _each_once(
    by_key: Mapping[str, list[tuple[Path, bytes]]], refused: list[str]
) -> Iterator[tuple[str, tuple[Path, bytes]]]:
    """Each key with the file that says whose it is. Under the names of two organisations it is nobody's."""
    for identifier, files in by_key.items():
        told = {keys.organisation(data): (file, data) for file, data in reversed(files)}
        named = {whose: one for whose, one in told.items() if whose}
        if len(named) > 1:
            both = " and ".join(f"{shown(whose)} ({file})" for whose, (file, _) in named.items())
            refused.append(escaped(f"one key under two names, {both}: left out. Ask both whose it is"))
        else:
            yield identifier, next(iter(named.values()), files[0])


def reviewed(desk: Desk, bundles: Sequence[Path], processes: int = 0) -> Iterator[Record]:
    """A record for each bundle, in the order given, as soon as it is there. Memory does not grow with their number."""
    workers = min(processes or os.cpu_count() or 1, len(bundles))
    if workers < 2:
        yield from (judged(desk, path) for path in bundles)
        return
    with ProcessPoolExecutor(workers) as pool:
        yield from pool.map(partial(judged, desk), bundles, chunksize=4)


def judged(desk: Desk, path: Path) -> Record:
    """The record of one bundle. Never raises for what is in it."""
    try:
        return _judged(desk, path)
    except CjsmError as refusal:
        return Record(path.name, Decision.NOT_JUDGED, (str(refusal),))


def _judged(desk: Desk, path: Path) -> Record:
    files = archive.unpack(read_file(path, inputs.BUNDLE))
    keyid = _keyid(files)
    pem = _key_for(desk, keyid)
    reader = Reader.of(pem, desk.catalogue.version)
    found = verify_files(files, keys.public_key(pem, keyid), desk.nonce, desk.now, reader)
    if not found.statement or not found.genuine:
        return Record(path.name, Decision.NOT_JUDGED, found.problems)
    said = found.statement.predicate
    _same_catalogue(desk.catalogue.version, said)
    rows = _rows(found.files)
    why = reasons(desk.criteria, desk.catalogue, said, rows, desk.now)
    return Record(
        bundle=path.name,
        decision=decision(why),
        organisation=said.organisation,
        key=keyid,
        ended=_utc(said.ended),
        valid_until=f"{said.not_after:%Y-%m-%dT%H:%M:%SZ}",
        catalogue=said.catalogue_version,
        complete=said.complete,
        reasons=why,
        claims=_folded(claims(found.files, rows)),
    )


def _utc(text: str) -> str:
    """A time of a bundle in UTC, so that several can be put in order; "" for what is none."""
    found = moment(text)
    return f"{found.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}" if found else ""


def _same_catalogue(ours: str, said: Predicate) -> None:
    """Results say something only by the requirements and checks that they were judged by.

    Raises:
        Refused: they were judged by others than the criteria here mean.
    """
    if said.catalogue_version != ours:
        raise Refused(
            f"another catalogue: the evidence was judged by {shown(said.catalogue_version)} (cjsm-connect "
            f"{shown(said.tool_version)}), the criteria here mean {ours}. Ask for new evidence made with this version, "
            "or review it with that one"
        )


def _keyid(files: Mapping[str, bytes]) -> str:
    """Which key the envelope says it is by. Only chooses the key; the signature decides."""
    if DSSE not in files:
        raise Refused(f"not an evidence bundle: {DSSE} missing")
    return dsse.keyid(files[DSSE])


def _key_for(desk: Desk, keyid: str) -> bytes:
    known = desk.keys.by_identifier
    if keyid not in known:
        raise Refused(
            f"signed by a key that is not among the {len(known)} given: {shown(keyid, 64)}. Compare it with the "
            "hand-signed sheet, and give that organisation's evidence.pub"
        )
    return known[keyid]


def _rows(files: Mapping[str, bytes]) -> list[Mapping[str, Any]]:
    """The results; `verify` has seen that each is an object with a status."""
    rows: list[Mapping[str, Any]] = parse_object(files[RESULTS], RESULTS)["results"]
    return rows


def claims(files: Mapping[str, bytes], rows: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """What two bundles of one organisation can be compared by: results, domains, host keys, certificates."""
    found = {f"{shown(row.get('check'))} on {shown(row.get('subject'))}": shown(row.get("status")) for row in rows}
    domains = files.get("domains.txt", b"").decode("utf-8", "replace").split()
    found |= {f"domain {shown(name)}": "listed" for name in domains}
    for row in _objects(files, "host_keys.json"):
        found[f"SSH host key of {shown(row.get('hosts'))} ({shown(row.get('type'))})"] = shown(row.get("fingerprint"))
    for row in _objects(files, "certificates.json"):
        found[f"certificate {shown(row.get('sha256'))} of {shown(row.get('subject'))}"] = "seen"
    return found


def _objects(files: Mapping[str, bytes], name: str) -> list[dict[str, Any]]:
    rows = parse(files[name], name) if name in files else []
    return [row for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []


def _folded(found: Mapping[str, str]) -> bytes:
    """Small, as thousands of records are held until the last bundle has been read."""
    return zlib.compress(json.dumps(found).encode(), 1)


def _unfolded(folded: bytes) -> dict[str, str]:
    found: dict[str, str] = json.loads(zlib.decompress(folded))
    return found


def compared(records: Sequence[Record]) -> list[Record]:
    """The records, each with what changed since the bundle before it of the same key; in the order given."""
    latest: dict[str, Record] = {}
    changed: dict[int, Record] = {}
    for record in sorted((one for one in records if one.key), key=lambda one: one.ended):
        before = latest.get(record.key)
        if before:
            found = tuple(differences(_unfolded(before.claims), _unfolded(record.claims)))
            changed[id(record)] = replace(record, compared_with=before.bundle, changes=found[:MOST_CHANGES])
        latest[record.key] = record
    return [changed.get(id(record), record) for record in records]


def differences(before: Mapping[str, str], now: Mapping[str, str]) -> Iterator[str]:
    """What is new, gone or different, in words."""
    for name in sorted(before.keys() | now.keys()):
        old, new = before.get(name), now.get(name)
        if old is None:
            yield f"new: {name}: {new}"
        elif new is None:
            yield f"gone: {name}: was {old}"
        elif old != new:
            yield f"changed: {name}: was {old}, is {new}"


def as_json(record: Record) -> str:
    """The decision record as one JSON document."""
    return printable.as_json(record.plain(), indent=1)
