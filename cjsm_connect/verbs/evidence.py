"""evidence: check, then write the signed bundle with the report; `evidence init` makes the key."""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from cjsm_connect.evidence import EvidenceError, archive, bundle, contents, guard, keys, statement, verification
from cjsm_connect.evidence.strict_json import readable
from cjsm_connect.organisation import Organisation, secret
from cjsm_connect.probes.run import CHECKS, run_checks
from cjsm_connect.reports import html, oscal
from cjsm_connect.results import CjsmError, Run, inputs
from cjsm_connect.results import catalogue as catalogues
from cjsm_connect.verbs import _example, _redaction
from cjsm_connect.verbs._evidence_key import EXISTING, fingerprint, made, opened, passphrase, passphrase_option
from cjsm_connect.verbs._organisation import organisation_option, running
from cjsm_connect.verbs._terminal import tell
from cjsm_connect.verbs._timestamp import Stamping
from cjsm_connect.verbs.check import wanted


class Evidence(click.Group):
    """`cjsm evidence` alone makes a bundle; `init`, `redact` and `open` are commands of their own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args[:1] not in ([name] for name in self.commands):
            args = ["bundle", *args]
        return super().parse_args(ctx, args)


command = Evidence(
    "evidence",
    help="Check, then write the signed bundle and the report. First use: cjsm evidence init.",
)


@command.command("init")
@passphrase_option
@organisation_option
def init(organisation: Organisation, passphrase_file: Path | None) -> None:
    """Make the evidence key: encrypted, on this machine only. Do it once for each organisation.

    Prints the fingerprint that goes on the hand-signed sheet. evidence.pub goes to the engineer, apart from bundles.
    """
    keys.refuse_existing(organisation.folder)  # before anything is asked
    key = made(organisation, passphrase(passphrase_file, new=True))
    click.echo(f"Fingerprint for the hand-signed sheet (SHA-256 of the public key):\n\n  {fingerprint(key)}\n")
    click.echo(f"Give the engineer {organisation.folder / keys.PUBLIC}. Next: cjsm evidence", err=True)


@command.command("bundle")
@click.option("--nonce", help="The engineer's own text, to show that the evidence was made after it was asked for.")
@click.option("--valid-days", default=30, show_default=True, help="For how many days the evidence is valid.")
@click.option("--observed", type=EXISTING, help="Judge this recording of `cjsm check --record`; the bundle says so.")
@click.option("--hub", is_flag=True, help="Also handshakes with the hub.")
@click.option("--send-test-to", default="", metavar="ADDRESS", help="Also a message through the hub.")
@click.option("--timestamp", "authority", metavar="URL", help="Have the signature timestamped there (RFC 3161).")
@click.option("--timestamp-ca", type=EXISTING, help="Its root certificate: another's token is refused.")
@click.option("--redact", is_flag=True, help="Also a bundle for third parties: cjsm evidence redact --help.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@passphrase_option
@organisation_option
def make(
    *, organisation: Organisation, passphrase_file: Path | None, redact: bool, as_json: bool, **asked: Any
) -> None:
    """Check, then write the signed bundle and the report. First use: cjsm evidence init.

    Others: cjsm evidence redact, for third parties; cjsm evidence open, to show what a pseudonym stands for.

    Exit code as for check: 0 nothing counts against it, 1 findings, 2 could not tell. The bundle is written in each
    case, and says so. 2 also when a timestamp was asked for and not got: the bundle stands without it.
    """
    now = datetime.now(UTC)
    stamping = Stamping.of(asked.pop("authority"), asked.pop("timestamp_ca"))
    term = statement.validity(now, asked.pop("valid_days"), asked.pop("nonce"))
    key = opened(organisation, passphrase_file, in_lab=bool(running(organisation.folder)))
    for line in _example.told(_example.left_over(organisation.folder)):  # before it is signed
        tell(line, err=True)
    run, observation = run_checks(organisation, wanted(**asked, texts=True))
    files, said = signed(run, contents.gather(run, observation, organisation), organisation, key, term)
    path = organisation.folder / "evidence" / bundle.file_name(organisation.slug, now)
    files, doubt = stamping.added(files)
    content = archive.pack(files, now)
    _verified(content, key, now)
    bundle.write(path, files, now)
    if redact:
        click.echo(f"cjsm: for third parties: {_write_redacted(content, path, key, now)}", err=True)
    _tell(run, said, path, as_json)
    if doubt:
        click.echo(f"cjsm: the bundle stands, but without a timestamp: {doubt}", err=True)
    sys.exit(2 if doubt else run.exit_code)


@command.command("redact")
@click.argument("original", type=EXISTING)
@passphrase_option
@organisation_option
def redact_bundle(organisation: Organisation, original: Path, passphrase_file: Path | None) -> None:
    """Make a bundle for third parties from one of yours: ORIGINAL-redacted.tar, beside it.

    What is inside gets pseudonyms, the same throughout; what cannot be shown for certain is left out, and said to be.
    The organisation, its domains, and the relay's public name and address stay. No host is asked.
    """
    key = opened(organisation, passphrase_file, in_lab=bool(running(organisation.folder)))
    path = _write_redacted(_content(original), original, key, datetime.now(UTC))
    click.echo(str(path))
    click.echo(f"Next: cjsm verify {path} --key {organisation.folder / keys.PUBLIC}", err=True)


@command.command("open")
@click.argument("original", type=EXISTING)
@click.argument("fields", nargs=-1, required=True, metavar="FIELD...")
@passphrase_option
@organisation_option
def open_fields(
    organisation: Organisation, original: Path, fields: tuple[str, ...], passphrase_file: Path | None
) -> None:
    """Show what single pseudonyms stand for, such as host-1: a JSON file for `cjsm verify REDACTED --opened FILE`."""
    key = opened(organisation, passphrase_file, in_lab=bool(running(organisation.folder)))
    click.echo(_redaction.opened(_content(original), key, datetime.now(UTC), fields).decode(), nl=False)


def _content(path: Path) -> bytes:
    return inputs.read(path, inputs.BUNDLE)


def _write_redacted(content: bytes, original: Path, key: keys.EvidenceKey, now: datetime) -> Path:
    """Beside the original; never in its place."""
    path = original.with_name(f"{original.stem}-redacted.tar")
    files = _redaction.redacted(content, key, now)
    _verified(archive.pack(files, now), key, now)
    bundle.write(path, files, now)
    return path


def signed(
    run: Run,
    material: contents.Material,
    organisation: Organisation,
    key: keys.EvidenceKey,
    term: statement.Validity,
) -> tuple[dict[str, bytes], statement.Statement]:
    """The bundle's files with their signatures, and what is said of them."""
    report = html.Report(
        run=run,
        organisation=organisation,
        requirements=catalogues.load(CHECKS / "requirements.toml").requirements,
        not_before=statement.timestamp(term.not_before),
        not_after=statement.timestamp(term.not_after),
        nonce=term.nonce,
        fingerprint=fingerprint(key),
        certificates=material.certificates,
        host_keys=material.host_keys,
        versions=material.versions,
        configuration=material.configuration,
        domains_digest=material.domains_digest,
    )
    page = html.render(report).encode("utf-8", "backslashreplace")
    machine = {name: readable(found) for name, found in oscal.documents(run, report.requirements).items()}
    files = {**material.files, **machine, "report.html": page, "README.txt": bundle.README.encode()}
    files = _redaction.with_commitments(files)
    guard.refuse_secrets(files, _secrets(organisation))
    said = statement.state(run, files, term)
    return bundle.sign(files, said, key), said


def _verified(content: bytes, key: keys.EvidenceKey, now: datetime) -> None:
    """A bundle that would not be accepted is not worth writing."""
    public = key.private.public_key()
    if doubts := verification.verify(content, public, None, now).problems:
        raise EvidenceError(f"nothing was written: the bundle would be refused: {'; '.join(doubts)}")


def _tell(run: Run, said: statement.Statement, path: Path, as_json: bool) -> None:
    if as_json:
        found = said.predicate.model_dump(mode="json")
        click.echo(json.dumps({"bundle": str(path), **found, "files": sorted(said.digests)}, indent=1))
    else:
        counted = ", ".join(f"{number} {name.replace('_', ' ')}" for name, number in run.totals().items() if number)
        where = f"lab '{run.laboratory}': " if run.laboratory else ""
        click.echo(f"{where}{'complete' if run.complete else 'INCOMPLETE'}: {counted}")
        click.echo(str(path))
    click.echo(f"Next: cjsm verify {path} --key {path.parent.parent / keys.PUBLIC}", err=True)


def _secrets(organisation: Organisation) -> dict[str, str]:
    """The secrets that the organisation file refers to, by reference. One that is not there cannot be in a bundle."""
    ssh = [host.ssh for host in organisation.hosts] + [vantage.ssh for vantage in organisation.vantage]
    references = [way.sudo_password_ref for way in ssh]
    references.append(organisation.hub.auth.password_ref if organisation.hub.auth else None)
    found = {}
    for reference in filter(None, references):
        try:
            found[str(reference)] = secret(str(reference), organisation.folder, os.environ)
        except CjsmError:
            continue
    return found
