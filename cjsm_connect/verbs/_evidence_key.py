"""The evidence key as the verbs use it: found, opened with its passphrase, made on the lab."""

from __future__ import annotations

import os
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from cjsm_connect.evidence import EvidenceError, keys
from cjsm_connect.organisation import Organisation
from cjsm_connect.results import inputs

PASSPHRASE = "CJSM_EVIDENCE_PASSPHRASE"  # noqa: S105
LAB_PASSPHRASE = "passphrase"  # noqa: S105
EXISTING = click.Path(path_type=Path, exists=True, dir_okay=False)
passphrase_option = click.option(
    "--passphrase-file", type=EXISTING, help=f"File with the passphrase (or {PASSPHRASE})."
)


def opened(organisation: Organisation, passphrase_file: Path | None, *, in_lab: bool) -> keys.EvidenceKey:
    """The organisation's key. The lab's is made on first use, with its passphrase beside it."""
    beside = organisation.folder / keys.FOLDER / LAB_PASSPHRASE
    if in_lab and not keys.exists(organisation.folder):
        return _made_for_lab(organisation, beside)
    if not keys.exists(organisation.folder):
        raise EvidenceError("there is no evidence key yet. Make it once with: cjsm evidence init")
    if in_lab and beside.is_file() and passphrase_file is None:
        passphrase_file = beside
    return keys.load(organisation.folder, passphrase(passphrase_file, new=False))


def _made_for_lab(organisation: Organisation, beside: Path) -> keys.EvidenceKey:
    (organisation.folder / keys.PUBLIC).unlink(missing_ok=True)  # of an earlier lab, whose key is gone
    secret = secrets.token_urlsafe(24)
    key = made(organisation, secret)
    keys.write_new(beside, secret.encode())
    click.echo(f"cjsm: made an evidence key for the lab, its passphrase beside it: {fingerprint(key)}", err=True)
    return key


def made(organisation: Organisation, secret: str) -> keys.EvidenceKey:
    return keys.create(organisation.folder, organisation.organisation.name, secret, datetime.now(UTC))


def fingerprint(key: keys.EvidenceKey) -> str:
    return keys.fingerprint(key.private.public_key())


def passphrase(file: Path | None, *, new: bool) -> str:
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
        return inputs.text(file, inputs.SECRET).partition("\n")[0].removesuffix("\r")
    except inputs.Unreadable as error:
        raise EvidenceError(f"{error}, with the passphrase on its first line") from error
