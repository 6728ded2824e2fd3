"""Redacting as the verbs do it: an original bundle in, a signed bundle for third parties out."""

from __future__ import annotations

import secrets
from collections.abc import Mapping
from datetime import datetime
from hashlib import sha256

from cjsm_connect.evidence import (
    STATEMENT,
    EvidenceError,
    bundle,
    commitments,
    keys,
    redaction,
    statement,
    verification,
)
from cjsm_connect.evidence.strict_json import parse_object, readable
from cjsm_connect.evidence.wording import words as own_words
from cjsm_connect.probes.run import CHECKS
from cjsm_connect.reports import oscal
from cjsm_connect.results import catalogue as catalogues
from cjsm_connect.results.stored import run_of


def with_commitments(files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The payload of an original bundle, committed to what redaction would hide."""
    return redaction.committed(files, own_words(), secrets.token_bytes)


def genuine(content: bytes, key: keys.EvidenceKey, now: datetime) -> verification.Verification:
    """An original bundle, as signed by this key.

    Raises:
        EvidenceError: it is not; nothing can be made of it.
    """
    found = verification.verify(content, key.private.public_key(), None, now)
    if not found.genuine:
        raise EvidenceError(f"this bundle would be refused: {'; '.join(found.problems)}")
    return found


def redacted(content: bytes, key: keys.EvidenceKey, now: datetime) -> dict[str, bytes]:
    """The files of the redacted bundle, signed anew; validity and nonce are those of the original.

    Raises:
        CjsmError: the bundle is not genuine, is redacted already, or something would still be readable.
    """
    original = genuine(content, key, now)
    assert original.statement
    said = original.statement.predicate
    digest = sha256(original.files[STATEMENT]).hexdigest()
    files = redaction.redacted(original.files, own_words(), digest)
    run = run_of(parse_object(files["results.json"], "results.json"))
    requirements = catalogues.load(CHECKS / "requirements.toml").requirements
    files |= {name: readable(found) for name, found in oscal.documents(run, requirements).items()}
    files["README.txt"] = bundle.REDACTED_README.encode()
    term = statement.Validity(said.not_before, said.not_after, said.nonce)
    return bundle.sign(files, statement.state(run, files, term, digest), key)


def opened(content: bytes, key: keys.EvidenceKey, now: datetime, names: tuple[str, ...]) -> bytes:
    """The named fields of an original bundle with their values and salts, for `cjsm verify --opened`.

    Raises:
        CjsmError: the bundle is not genuine or has no salts, or there is no such field.
    """
    files = genuine(content, key, now).files
    if commitments.SALTS not in files:
        raise EvidenceError(f"the bundle has no {commitments.SALTS}: expected the original, not a redacted one")
    known = {one.name: one for one in commitments.read_opened(files[commitments.SALTS], commitments.SALTS)}
    if missing := [name for name in names if name not in known]:
        raise EvidenceError(
            f"no field {missing[0]} in this bundle; expected one such as host-1, of {len(known)} in all"
        )
    return commitments.opened(known[name] for name in names)
