"""RFC 3161: somebody else's word for when a bundle was signed. The token is over the CMS signature, and lies beside it.

openssl ts -verify -data statement.cms -in statement.tsr -CAfile TSA-ROOT.pem
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from rfc3161_client import TimestampRequestBuilder, VerificationError, VerifierBuilder, decode_timestamp_response
from rfc3161_client.base import HashAlgorithm
from rfc3161_client.tsp import PKIStatus, TimeStampRequest, TimeStampResponse

from cjsm_connect.printable import shown

from . import TIMESTAMP, EvidenceError, Refused

MOST_BYTES = 2**16
"""A token with its certificates has about five thousand bytes."""

Roots = Sequence[x509.Certificate]


def request(signature: bytes) -> TimeStampRequest:
    """What an authority is asked: SHA-256 of the signature, a nonce, and its certificate."""
    return TimestampRequestBuilder().data(signature).hash_algorithm(HashAlgorithm.SHA256).build()


def accepted(reply: bytes, asked: TimeStampRequest, roots: Roots) -> bytes:
    """The reply, if it answers what was asked; its signature is compared only where `roots` are given.

    Raises:
        Refused: refused by the authority, another nonce, another digest, signed by somebody else, or no such reply.
    """
    found = _granted(reply)
    if found.tst_info.nonce != asked.nonce:
        raise Refused(f"{TIMESTAMP}: another nonce than the one that was sent; it is no answer to this request")
    if found.tst_info.message_imprint.message != asked.message_imprint.message:
        raise Refused(f"{TIMESTAMP}: the token is over something else than this signature")
    if roots:
        _by(found, asked.message_imprint.message, roots)
    return reply


def verified(reply: bytes, signature: bytes, roots: Roots) -> datetime:
    """When the authority saw the signature, UTC.

    Raises:
        Refused: over another signature, not signed by an authority of `roots`, or no timestamp at all.
    """
    found = _granted(reply)
    _by(found, request(signature).message_imprint.message, roots)
    return found.tst_info.gen_time


def fitting(reply: bytes, signature: bytes) -> None:
    """Return if this is a timestamp over the signature, whoever made it: nothing else may lie beside the signatures.

    Raises:
        Refused: too large, no timestamp, or over something else.
    """
    found = _granted(reply)
    if found.tst_info.message_imprint.message != request(signature).message_imprint.message:
        raise Refused(f"{TIMESTAMP}: the token is over something else than this signature")


def roots_of(pem: bytes, name: str) -> list[x509.Certificate]:
    """The authorities in a PEM file.

    Raises:
        EvidenceError: it holds none.
    """
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise EvidenceError(f"{name}: expected the authority's root certificate in PEM, found none") from error


def _granted(reply: bytes) -> TimeStampResponse:
    if len(reply) > MOST_BYTES:
        raise Refused(f"{TIMESTAMP}: larger than {MOST_BYTES} bytes")
    try:
        found = decode_timestamp_response(reply)
        if found.status not in (PKIStatus.GRANTED, PKIStatus.GRANTED_WITH_MODS):
            said = ", ".join(map(str, found.status_string)) or "no reason"
            raise Refused(f"{TIMESTAMP}: the authority did not grant a token: status {found.status}, {shown(said)}")
        found.tst_info  # noqa: B018
    except ValueError as error:
        loose = "InvalidSetOrdering" in str(
            error
        )  # several certificates, in the order of OpenSSL's PKCS #7 and not DER's
        what = "its certificates are not in DER's order; ask for one that sends its own only" if loose else shown(error)
        raise Refused(f"{TIMESTAMP}: expected a timestamp reply (RFC 3161) in DER; {what}") from error
    return found


def _by(found: TimeStampResponse, digest: bytes, roots: Roots) -> None:
    verifier = VerifierBuilder(roots=list(roots)).build()
    try:
        verifier.verify(found, digest)
    except (VerificationError, ValueError) as error:
        raise Refused(f"{TIMESTAMP}: not a token of the authority given over this signature: {shown(error)}") from error
