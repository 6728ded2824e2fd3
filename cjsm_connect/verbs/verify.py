"""verify: is a bundle what the organisation signed? Offline; for the engineer."""

from __future__ import annotations

import json
import sys
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cjsm_connect.evidence import (
    TIMESTAMP,
    commitments,
    keys,
    read_file,
    timestamps,
)
from cjsm_connect.evidence.statement import Predicate, timestamp
from cjsm_connect.evidence.verification import Reader, Verification
from cjsm_connect.evidence.verification import verify as verify_bundle
from cjsm_connect.printable import escaped, shown
from cjsm_connect.results import Status, inputs
from cjsm_connect.results import catalogue as catalogues
from cjsm_connect.verbs._terminal import tell

PROVES = "The signature proves who reported this and that it is unchanged since. It does not prove that it is true."


@click.command("verify")
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option("--key", required=True, type=click.Path(path_type=Path), help="The organisation's evidence.pub.")
@click.option("--nonce", help="The text that you gave the organisation to sign.")
@click.option("--timestamp-ca", type=click.Path(path_type=Path), help="Root certificate of the timestamp authority.")
@click.option("--opened", type=click.Path(path_type=Path), help="Fields of a redacted bundle: cjsm evidence open.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@click.pass_obj
def command(rooms: Any, /, bundle: Path, key: Path, *, as_json: bool, **asked: Any) -> None:
    """Verify a bundle offline: both signatures, every file, the validity, the nonce, whose it is, and whether it was
    judged by a catalogue that this tool knows.

    Exit code: 0 genuine, 1 something is wrong with it, 2 the bundle or the key could not be read.
    """
    nonce, opened = asked["nonce"], asked["opened"]
    pem = read_file(key, inputs.KEY)
    public = keys.public_key(pem, str(key))
    ours = catalogues.load(rooms.root / "checks" / "requirements.toml").version
    reader = Reader.of(pem, ours, _authorities(asked["timestamp_ca"]))
    found = verify_bundle(read_file(bundle, inputs.BUNDLE), public, nonce, _now(), reader)
    fields = commitments.read_opened(read_file(opened, inputs.OPENED), opened.name) if opened and found.genuine else []
    found = replace(found, problems=(*found.problems, *_doubts(found, fields)))
    fingerprint = keys.fingerprint(public)
    if as_json:
        click.echo(json.dumps(as_data(found, fingerprint), indent=1))
    else:
        tell("\n".join(described(found, fingerprint)))
        for one in fields if found.genuine else ():
            click.echo(f"  {one.name} is {shown(one.value)}, as committed to")
        tell(_next(found, bundle, nonce), err=True)
    sys.exit(0 if found.genuine else 1)


def _authorities(file: Path | None) -> timestamps.Roots:
    return timestamps.roots_of(read_file(file, inputs.OPENED), str(file)) if file else ()


def _doubts(found: Verification, fields: list[commitments.Field]) -> list[str]:
    """What is wrong with opened fields of a redacted bundle."""
    return commitments.doubts(found.files.get(commitments.COMMITMENTS, b"[]"), fields) if fields else []


def as_data(found: Verification, fingerprint: str) -> dict[str, object]:
    """The verification as plain data."""
    said = found.statement.model_dump(mode="json", by_alias=True) if found.statement else None
    stamped = timestamp(found.stamped) if found.stamped else None
    return {
        "genuine": found.genuine,
        "problems": list(found.problems),
        "key": fingerprint,
        "stamped": stamped,
        "statement": said,
    }


def described(found: Verification, fingerprint: str) -> list[str]:
    """The verification for people: the verdict first, then who said what and when."""
    if found.genuine:
        lines = [click.style("GENUINE: both signatures and every file are as signed", fg="green", bold=True)]
    else:
        lines = [
            click.style("REFUSED", fg="red", bold=True),
            *(f"  - {escaped(one)}" for one in found.problems),
        ]
    lines.append(f"  key            {fingerprint}")
    if found.statement:
        lines += [*_facts(found.statement.predicate), f"  {'timestamp':<14} {_timestamp(found)}"]
    return [*lines, PROVES] if found.genuine else lines


def _facts(said: Predicate) -> list[str]:
    counts = ((status, said.totals.get(status, 0)) for status in Status)
    totals = ", ".join(f"{number} {status.replace('_', ' ')}" for status, number in counts if number)
    rows = {
        "organisation": shown(said.organisation),
        "laboratory": f"{shown(said.laboratory)} (says nothing about a real organisation)" if said.laboratory else "no",
        "complete": "yes" if said.complete else "NO: some checks were not tested or in error",
        "results": totals or "none",
        "checked": f"{shown(said.started)} to {shown(said.ended)}",
        "valid": f"{timestamp(said.not_before)} to {timestamp(said.not_after)}",
        "nonce": shown(said.nonce) if said.nonce else "none",
        "redacted": f"yes, from the statement {said.original}" if said.original else "no",
        "seen from": shown(", ".join(said.vantages)),
        "made with": shown(f"{said.tool} {said.tool_version}, catalogue {said.catalogue_version}"),
        **{f"note {number}": shown(note) for number, note in enumerate(said.notes, 1)},
    }
    return [f"  {name:<14} {value}" for name, value in rows.items()]


def _timestamp(found: Verification) -> str:
    if found.stamped:
        return f"{timestamp(found.stamped)}, by the authority given"
    return "there, not verified: give --timestamp-ca" if TIMESTAMP in found.files else "none"


def _next(found: Verification, bundle: Path, nonce: str | None) -> str:
    if [problem.partition(":")[0] for problem in found.problems] == ["newer catalogue"]:
        return "Next: a newer cjsm-connect, then verify it again"
    if not found.genuine:
        return "Ask the organisation for a new bundle: cjsm evidence --nonce YOUR-OWN-TEXT"
    if nonce is None and found.statement and found.statement.predicate.nonce:
        return "The nonce in it was not compared: give yours with --nonce"
    reading = f"tar -xOf {escaped(bundle)} report.html > report.html"
    return f"Compare the key with the hand-signed sheet, then read the report: {reading}"


def _now() -> datetime:
    return datetime.now(UTC)
