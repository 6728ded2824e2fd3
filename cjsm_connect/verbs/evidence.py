"""evidence: check, then write the signed bundle with the report; `evidence init` makes the key."""

from __future__ import annotations

import json
import os
import secrets
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
from cjsm_connect.results import CjsmError, Run
from cjsm_connect.results import catalogue as catalogues
from cjsm_connect.verbs._organisation import organisation_option, running
from cjsm_connect.verbs.check import wanted

PASSPHRASE = "CJSM_EVIDENCE_PASSPHRASE"  # noqa: S105
LAB_PASSPHRASE = "passphrase"  # noqa: S105
EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)


class Evidence(click.Group):
    """`cjsm evidence` alone makes a bundle; only `init` is a command of its own."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if args[:1] not in ([name] for name in self.commands):
            args = ["bundle", *args]
        return super().parse_args(ctx, args)


command = Evidence(
    "evidence", help="Check, then write the signed bundle and the report. First use: cjsm evidence init."
)
passphrase_option = click.option(
    "--passphrase-file", type=EXISTING, help=f"File with the passphrase (or {PASSPHRASE})."
)


@command.command("init")
@passphrase_option
@organisation_option
def init(organisation: Organisation, passphrase_file: Path | None) -> None:
    """Make the evidence key: encrypted, on this machine only. Do it once for each organisation.

    Prints the fingerprint that goes on the hand-signed sheet. evidence.pub goes to the engineer, apart from bundles.
    """
    keys.refuse_existing(organisation.folder)  # before anything is asked
    key = _made(organisation, _passphrase(passphrase_file, new=True))
    click.echo(f"Fingerprint for the hand-signed sheet (SHA-256 of the public key):\n\n  {_fingerprint(key)}\n")
    click.echo(f"Give the engineer {organisation.folder / keys.PUBLIC}. Next: cjsm evidence", err=True)


@command.command("bundle")
@click.option("--nonce", help="The engineer's own text, to show that the evidence was made after it was asked for.")
@click.option("--valid-days", default=30, show_default=True, help="For how many days the evidence is valid.")
@click.option("--observed", type=EXISTING, help="Judge this recording of `cjsm check --record`; the bundle says so.")
@click.option("--hub", is_flag=True, help="Also handshakes with the hub.")
@click.option("--send-test-to", default="", metavar="ADDRESS", help="Also a message through the hub.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
@passphrase_option
@organisation_option
def make(
    *,
    organisation: Organisation,
    nonce: str | None,
    valid_days: int,
    as_json: bool,
    passphrase_file: Path | None,
    **asked: Any,
) -> None:
    """Check, then write the signed bundle and the report. First use: cjsm evidence init.

    Exit code as for check: 0 nothing counts against it, 1 findings, 2 could not tell. The bundle is written in each
    case, and says so.
    """
    now = datetime.now(UTC)
    term = statement.validity(now, valid_days, nonce)
    key = _key(organisation, passphrase_file, in_lab=bool(running(organisation.folder)))
    run, observation = run_checks(organisation, wanted(**asked))
    files, said = signed(run, contents.gather(run, observation, organisation), organisation, key, term)
    path = organisation.folder / "evidence" / bundle.file_name(organisation.slug, now)
    _verified(archive.pack(files, now), key, now)
    bundle.write(path, files, now)
    _tell(run, said, path, as_json)
    sys.exit(run.exit_code)


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
        fingerprint=_fingerprint(key),
        certificates=material.certificates,
        host_keys=material.host_keys,
        versions=material.versions,
        configuration=material.configuration,
        domains_digest=material.domains_digest,
    )
    page = html.render(report).encode("utf-8", "backslashreplace")
    machine = {name: readable(found) for name, found in oscal.documents(run, report.requirements).items()}
    files = {**material.files, **machine, "report.html": page, "README.txt": bundle.README.encode()}
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
        click.echo(f"{'complete' if run.complete else 'INCOMPLETE'}: {counted}")
        click.echo(str(path))
    click.echo(f"Next: cjsm verify {path} --key {path.parent.parent / keys.PUBLIC}", err=True)


def _key(organisation: Organisation, passphrase_file: Path | None, *, in_lab: bool) -> keys.EvidenceKey:
    """The organisation's key. The lab's is made on first use, with its passphrase beside it."""
    beside = organisation.folder / keys.FOLDER / LAB_PASSPHRASE
    if in_lab and not keys.exists(organisation.folder):
        return _made_for_lab(organisation, beside)
    if not keys.exists(organisation.folder):
        raise EvidenceError("there is no evidence key yet. Make it once with: cjsm evidence init")
    if in_lab and beside.is_file() and passphrase_file is None:
        passphrase_file = beside
    return keys.load(organisation.folder, _passphrase(passphrase_file, new=False))


def _made_for_lab(organisation: Organisation, beside: Path) -> keys.EvidenceKey:
    (organisation.folder / keys.PUBLIC).unlink(missing_ok=True)  # of an earlier lab, whose key is gone
    passphrase = secrets.token_urlsafe(24)
    key = _made(organisation, passphrase)
    keys.write_new(beside, passphrase.encode())
    click.echo(f"cjsm: made an evidence key for the lab, its passphrase beside it: {_fingerprint(key)}", err=True)
    return key


def _made(organisation: Organisation, passphrase: str) -> keys.EvidenceKey:
    return keys.create(organisation.folder, organisation.organisation.name, passphrase, datetime.now(UTC))


def _fingerprint(key: keys.EvidenceKey) -> str:
    return keys.fingerprint(key.private.public_key())


def _passphrase(file: Path | None, *, new: bool) -> str:
    """From --passphrase-file, the environment, or the terminal."""
    if file:
        return _first_line(file)
    if os.environ.get(PASSPHRASE):
        return os.environ[PASSPHRASE]
    if not sys.stdin.isatty():
        raise EvidenceError(f"no passphrase: expected --passphrase-file, {PASSPHRASE}, or a terminal to ask at")
    answer: str = click.prompt("Passphrase of the evidence key", hide_input=True, confirmation_prompt=new, err=True)
    return answer


def _first_line(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8").partition("\n")[0]
    except (OSError, UnicodeDecodeError) as error:
        raise EvidenceError(f"{file}: expected a text file with the passphrase on its first line; {error}") from error


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
