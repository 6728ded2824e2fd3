"""Is a returned certificate the right one? Judged before anything is sent to a host. Pure but for the clock."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cjsm_connect.desired import Desired, Key
from cjsm_connect.desired.snapshot import Snapshot

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


def problems(desired: Desired, snapshot: Snapshot) -> list[str]:
    """What is wrong with returned certificates that are not installed yet; costs nothing when all are."""
    found: list[str] = []
    for key in desired.keys:
        state = snapshot["keys"][key.path]
        if key.certificate and state.get("chain") != key.certificate_digest:
            found += certificate_problems(key, state.get("public", ""), datetime.now(UTC))
    return found


def certificate_problems(key: Key, public: str, now: datetime) -> list[str]:
    """Everything wrong with the certificate for a key: its key, chain, usages, names and dates (RFC 5280).

    `public` is the host's public key (PEM), "" while the host has none.
    """
    from cryptography import x509

    try:
        chain = x509.load_pem_x509_certificates((key.certificate or "").encode())
        authorities = x509.load_pem_x509_certificates(key.authority.encode())
    except ValueError as error:
        return [f"the certificate for the {key.name} key is not PEM: {error}"]
    leaf = chain[0]
    lines = [*_key(leaf, public), *_dates(leaf, now), *_names(leaf, key), *_usages(leaf)]
    lines += _chain(chain, authorities, now)
    return [f"the returned certificate for the {key.name} key {line}" for line in lines]


def _key(leaf: Certificate, public: str) -> Iterator[str]:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    found = leaf.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    if not public:
        yield (
            "is for a key that the host does not have (any more); move it out of the certificates folder, apply, send "
            "the operator the request that is fetched then, and install what comes back for it"
        )
    elif found.strip() != public.strip():
        yield (
            "belongs to another key than the one on the host; send the operator the request that was fetched last "
            "and install what comes back for it"
        )


def _dates(leaf: Certificate, now: datetime) -> Iterator[str]:
    if now > leaf.not_valid_after_utc:
        yield f"expired on {leaf.not_valid_after_utc:%Y-%m-%d}; ask the operator for a new one"
    if now < leaf.not_valid_before_utc:
        yield f"is not valid before {leaf.not_valid_before_utc:%Y-%m-%d %H:%M} UTC; check the clock, or wait"


def _names(leaf: Certificate, key: Key) -> Iterator[str]:
    from cryptography import x509

    try:
        names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        found = {name.lower() for name in names.get_values_for_type(x509.DNSName)}
    except x509.ExtensionNotFound:
        found = set()
    missing = {name.lower() for name in key.names} - found
    if missing:
        yield f"lacks the name {', '.join(sorted(missing))} (found: {', '.join(sorted(found)) or 'none'})"


def _usages(leaf: Certificate) -> Iterator[str]:
    """Server and client: one certificate serves both directions (RFC 5280 4.2.1.12)."""
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID as Usage

    try:
        found = set(leaf.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value)
    except x509.ExtensionNotFound:
        return  # no extension means any use
    wanted = {Usage.SERVER_AUTH: "TLS server", Usage.CLIENT_AUTH: "TLS client"}
    if Usage.ANY_EXTENDED_KEY_USAGE not in found:
        yield from (f"may not be used as {text}" for usage, text in wanted.items() if usage not in found)


def _chain(chain: list[Certificate], authorities: list[Certificate], now: datetime) -> Iterator[str]:
    """Does it lead to the declared CA? Verified link by link, because public-web rules do not fit a private CA."""
    current = chain[0]
    for _ in range(len(chain) + len(authorities)):
        issuer = next((one for one in (*authorities, *chain[1:]) if _issued(one, current)), None)
        if issuer is None:
            yield f"does not lead to the declared CA: nobody given is its issuer {current.issuer.rfc4514_string()}"
            return
        if now > issuer.not_valid_after_utc:
            yield f"was issued by a CA that expired on {issuer.not_valid_after_utc:%Y-%m-%d}"
        if issuer in authorities:
            return
        current = issuer
    yield "does not lead to the declared CA"


def _issued(issuer: Certificate, subject: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        subject.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
