"""Sign a payload and put it on disk, whole or not at all."""

from __future__ import annotations

import os
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from . import CMS, DSSE, STATEMENT, EvidenceError, archive, cms, dsse
from .keys import EvidenceKey, write_new
from .statement import Statement, bytes_of

README = """\
Evidence of a CJSM server connection
====================================

report.html          read this first, from top to bottom
results.json         every check with what was expected and what was seen
observations.json    what the probes saw, unjudged
organisation.json    what the organisation declares about itself
declarations.json    what no probe can see: each declaration with its date and owner
waivers.json         every waiver with its state, and what is accepted as not tested
configuration/       the effective configuration of each host, without secrets
firewall/            the firewall rules in force on each host
transcripts/         what was said on the wire: inbound, outbound, inner hop, and from the internet
certificates.*       the certificates that were seen, where, and which of them issued which
host_keys.json       fingerprints of the hosts' SSH keys
domains.txt          the mail domains, one a line
oscal/               the same results in OSCAL 1.2, for programs
versions.json        systems, packages, the generation of each host, this tool and its catalogue
statement.json       the signed statement: SHA-256 of every file above, totals, times, nonce
statement.dsse.json  its signature as DSSE over an in-toto Statement v1
statement.cms        its signature as detached CMS

commitments.json     what redaction would hide, each value committed to; salts.json opens it, and stays with you

"""

REDACTED_README = """\
Redacted evidence of a CJSM server connection
=============================================

Made from signed evidence, for third parties: names and addresses of what is inside are pseudonyms, the same
everywhere in this bundle. What could not be shown for certain is left out, and said to be.

results.json         every check with its result
organisation.json    the organisation's declarations about its estate
declarations.json    declarations with their dates; waivers.json the same for waivers
certificates.json    the certificates that were seen, without their text; host_keys.json, versions.json
domains.txt          the mail domains, one a line
oscal/               the results in OSCAL 1.2, for programs
redaction.json       what was left out, and the SHA-256 of the original statement
commitments.json     HMAC-SHA-256 of each hidden value with a salt of its own: the owner can open single ones
statement.json       the signed statement; statement.dsse.json and statement.cms are its signatures

"""

PROOF = """\
A signature proves who reported this and that it is unchanged since. It does not prove that it is true.

Compare the fingerprint in evidence.pub with the one on the hand-signed sheet. Then verify, with this tool:

    cjsm verify BUNDLE.tar --key evidence.pub

or, trusting only openssl, jq, coreutils and GNU tar, in an empty folder after `tar -xf BUNDLE.tar`, with each line:

"""

BY_HAND = """\
    openssl cms -verify -binary -inform DER -in statement.cms -content statement.json \\
        -CAfile evidence.pub -out /dev/null
    jq -r '.subject[] | .digest.sha256 + "  " + .name' statement.json | sha256sum --check --strict
    { jq -r '.subject[].name' statement.json; ls statement.cms statement.dsse.json statement.json statement.tsr; } |
        LC_ALL=C sort | tar --format=ustar --owner=0 --group=0 --numeric-owner --mode=0644 --mtime=./statement.json \\
        -cf - -T - | cmp - BUNDLE.tar
    jq -r .payload statement.dsse.json | base64 -d | cmp - statement.json
    jq -r '.signatures[].sig' statement.dsse.json | base64 -d > dsse.sig
    openssl x509 -in evidence.pub -noout -pubkey > key.pem
    { printf 'DSSEv1 28 application/vnd.in-toto+json %d ' "$(wc -c < statement.json)"; cat statement.json; } |
        openssl dgst -sha256 -verify key.pem -signature dsse.sig
    jq -e '.predicate | (.not_before | fromdate) - 300 <= now and now <= (.not_after | fromdate)' statement.json
"""

AND_SO = """
All must succeed (but `ls`, where there is no timestamp). They say: signed with that key, whose certificate is in date;
every file as signed; no other file, and no other archive than `cjsm evidence` writes; signed again as DSSE, for
programs; still valid. A timestamp is verified with its authority's root:

    openssl ts -verify -data statement.cms -in statement.tsr -CAfile ROOT.pem
"""


README += PROOF + BY_HAND + AND_SO
REDACTED_README += PROOF + BY_HAND + AND_SO


def sign(files: Mapping[str, bytes], statement: Statement, key: EvidenceKey) -> dict[str, bytes]:
    """The files with the statement about them and its two signatures."""
    payload = bytes_of(statement)
    return {
        **files,
        STATEMENT: payload,
        DSSE: dsse.sign(payload, key.private),
        CMS: cms.sign(payload, key),
    }


def file_name(slug: str, time: datetime) -> str:
    """evidence-ORGANISATION-TIME.tar, time in UTC."""
    return f"evidence-{slug}-{time.astimezone(UTC):%Y%m%dT%H%M%SZ}.tar"


def write(path: Path, files: Mapping[str, bytes], time: datetime) -> None:
    """Write the bundle under its final name only when it is whole. Replaces nothing, follows no link.

    Raises:
        EvidenceError: the folder is a link, the bundle exists already, is too large, or cannot be written.
    """
    content = archive.pack(files, time)
    try:
        path.parent.mkdir(mode=0o700, exist_ok=True)
        if path.parent.is_symlink():
            raise EvidenceError(f"{path.parent} is a symbolic link; expected a folder of the organisation's own")
        _write_whole(path, content)
    except FileExistsError as error:
        raise EvidenceError(
            f"{error.filename2 or error.filename} is there already; evidence is never replaced"
        ) from error
    except OSError as error:
        raise EvidenceError(f"the bundle could not be written: {error}") from error


def _write_whole(path: Path, content: bytes) -> None:
    partial = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write_new(partial, content)
        os.link(partial, path)  # unlike rename, link(2) never replaces what is there
    finally:
        partial.unlink(missing_ok=True)
