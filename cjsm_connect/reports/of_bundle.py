"""A report from the files of a verified bundle, so that whoever holds the bundle makes any form of it. Pure.

Nothing is taken from the bundle's own pages: whoever signed it could have written anything there. What they say is made
anew from the results, by the reader's own templates and catalogue.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from pydantic import ConfigDict, TypeAdapter, ValidationError, with_config
from typing_extensions import TypedDict  # typing has one that pydantic can use from Python 3.12 on

from cjsm_connect.evidence import Refused
from cjsm_connect.evidence.redaction import RECORD as REDACTED
from cjsm_connect.evidence.statement import Predicate, timestamp
from cjsm_connect.evidence.strict_json import parse, parse_object
from cjsm_connect.organisation.recorded import recorded
from cjsm_connect.printable import shown
from cjsm_connect.results import Run
from cjsm_connect.results.catalogue import Catalogue
from cjsm_connect.results.stored import run_of

from .html import Report

_STRICT = ConfigDict(strict=True, extra="ignore")


@with_config(_STRICT)
class Certificate(TypedDict):
    """What a report tells of a certificate."""

    subject: str
    names: list[str]
    issuer: str
    not_after: str
    sha256: str
    public_key_sha256: str


@with_config(_STRICT)
class HostKey(TypedDict):
    """What a report tells of an SSH key."""

    hosts: str
    type: str
    fingerprint: str


@with_config(_STRICT)
class Software(TypedDict, total=False):
    """What a report tells of a host's software, as far as it was seen."""

    release: dict[str, Any]
    kernel: dict[str, Any]
    packages: dict[str, Any]


@with_config(_STRICT)
class Versions(TypedDict):
    """versions.json."""

    hosts: dict[str, Software]


def report_of(files: Mapping[str, bytes], said: Predicate, fingerprint: str, catalogue: Catalogue) -> Report:
    """The report about a bundle whose signatures and files have been verified.

    Raises:
        CjsmError: a file of it has not the form that `cjsm evidence` writes.
    """
    if REDACTED in files:
        raise Refused("a redacted bundle has pseudonyms for addresses and names: ask for the original to make a report")
    domains = files.get("domains.txt", b"")
    return Report(
        run=_noted(run_of(parse_object(files["results.json"], "results.json")), catalogue),
        organisation=recorded(parse_object(_file(files, "organisation.json"), "organisation.json")),
        requirements=catalogue.requirements,
        not_before=timestamp(said.not_before),
        not_after=timestamp(said.not_after),
        nonce=said.nonce,
        fingerprint=fingerprint,
        certificates=_read(files, "certificates.json", TypeAdapter(list[Certificate])),
        host_keys=_read(files, "host_keys.json", TypeAdapter(list[HostKey])),
        versions=_read(files, "versions.json", TypeAdapter(Versions)),
        configuration={name: _text(data) for name, data in files.items() if name.startswith("configuration/")},
        domains_digest=hashlib.sha256(domains).hexdigest(),
    )


def _noted(run: Run, catalogue: Catalogue) -> Run:
    if run.catalogue_version == catalogue.version:
        return run
    note = f"made from a bundle of catalogue {shown(run.catalogue_version)} with catalogue {catalogue.version}: "
    return replace(run, notes=(*run.notes, f"{note}sources are told as this one has them"))


def _read(files: Mapping[str, bytes], name: str, form: TypeAdapter[Any]) -> Any:
    try:
        return form.validate_python(parse(_file(files, name), name))
    except ValidationError as error:
        mistake = error.errors(include_url=False, include_context=False)[0]
        place = shown(".".join(map(str, mistake["loc"])))
        raise Refused(f"{name}: {place}: {mistake['msg']}; expected what `cjsm evidence` writes") from error


def _file(files: Mapping[str, bytes], name: str) -> bytes:
    if name not in files:
        raise Refused(f"{name} is not in the bundle: no report can be made from it")
    return files[name]


def _text(data: bytes) -> str:
    return data.decode("utf-8", "replace")
