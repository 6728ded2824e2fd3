"""Is a returned certificate the right one? Judged before anything is sent to a host. Pure but for the clock."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from cjsm_connect.desired import Desired, Key
from cjsm_connect.desired.snapshot import Snapshot

if TYPE_CHECKING:
    from cryptography.x509 import Certificate


WHOSE = {"hub": "the operator", "inner": "your own CA"}
"""Who signs the requests of a key of this name."""


def problems(
    desired: Desired, snapshot: Snapshot, written: Collection[str] = (), now: datetime | None = None
) -> list[str]:
    """What is wrong with returned certificates that are not installed yet, and with authorities' certificates among the
    files to be `written`; costs nothing when all are there already. `now`: when they are judged, if not at once."""
    found: list[str] = []
    now = now or datetime.now(UTC)
    for key in desired.keys:
        state = snapshot["keys"][key.path]
        trust = authority_problems(key, desired.keys, now) if key.authority_path in written else []
        returned = key.certificate and (state.get("chain") != key.certificate_digest or key.authority_path in written)
        found += trust or (certificate_problems(key, state.get("public", ""), now) if returned else [])
    return found


def authority_problems(key: Key, keys: Iterable[Key], now: datetime) -> list[str]:
    """Everything wrong with the file of the authorities that a key's certificate, and the other end's, must chain to.

    A certificate that is no authority's is no trust anchor (RFC 5280 4.2.1.9). An authority that is trusted for the hub
    must not be trusted for the inner hop: its members would be let in, or our own hosts taken for the hub.
    """
    from cryptography import x509

    try:
        found = x509.load_pem_x509_certificates(key.authority.encode())
        others = {
            other.name: x509.load_pem_x509_certificates(other.authority.encode())
            for other in keys
            if other.name != key.name and other.authority
        }
    except ValueError as error:
        return [f"{key.authority_file}: expected certificates of authorities in PEM: {error}"]
    lines = [line for one in found for line in _authority(one, now)]
    lines += [
        f"holds {_name(one)}, which {side}.ca_file trusts too; each has an authority of its own"
        for side, theirs in others.items()
        for one in found
        if any(_kin(one, other) for other in theirs)
    ]
    what = "as the engineer gives it" if key.name == "hub" else "of your own CA, which signs the -inner requests"
    return [f"{key.authority_file} ({key.name}.ca_file) {line}; expected the certificate {what}" for line in lines]


def _authority(one: Certificate, now: datetime) -> Iterator[str]:
    from cryptography import x509

    try:
        able = one.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        able = one.version is x509.Version.v1 and one.issuer == one.subject  # roots of the last century
    if not able:
        yield f"holds {_name(one)}, which is no authority's certificate but a host's or a person's"
    if now > one.not_valid_after_utc:
        yield f"holds {_name(one)}, which expired on {one.not_valid_after_utc:%Y-%m-%d}"


def _kin(one: Certificate, other: Certificate) -> bool:
    """Is it the same authority, or did one of them issue the other?"""
    return one.public_key() == other.public_key() or _issued(one, other) or _issued(other, one)


def _name(one: Certificate) -> str:
    return one.subject.rfc4514_string() or f"a certificate without a name, of {one.issuer.rfc4514_string()}"


def certificate_problems(key: Key, public: str, now: datetime) -> list[str]:
    """Everything wrong with the certificate for a key: its key, chain, usages, names and dates (RFC 5280).

    `public` is the host's public key (PEM), "" while the host has none.
    """
    from cryptography import x509

    try:
        chain = x509.load_pem_x509_certificates((key.certificate or "").encode())
        authorities = x509.load_pem_x509_certificates(key.authority.encode()) if key.authority else []
    except ValueError as error:
        return [f"the certificate for the {key.name} key is not PEM: {error}"]
    leaf = chain[0]
    if any(_holds(one, public) for one in chain[1:]):
        return [
            f"the returned certificate for the {key.name} key does not come first in its file: {_name(leaf)} stands "
            "before it; put it first, and those that lead to its authority after it"
        ]
    lines = [*_key(leaf, public, key), *_dates(leaf, now, key), *_names(leaf, key), *_usages(leaf)]
    lines += _chain(chain, authorities, now, key) if authorities else []  # none on an inner hop with pinned keys
    return [f"the returned certificate for the {key.name} key {line}" for line in lines]


def _holds(certificate: Certificate, public: str) -> bool:
    from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

    found = certificate.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    return found.strip() == public.strip()


def _key(leaf: Certificate, public: str, key: Key) -> Iterator[str]:
    whose = WHOSE[key.name]
    if not public:
        yield (
            "is for a key that the host does not have (any more); move it out of the certificates folder, apply, send "
            f"{whose} the request that is fetched then, and install what comes back for it"
        )
    elif not _holds(leaf, public):
        yield (
            f"belongs to another key than the one on the host; send {whose} the request that was fetched last "
            "and install what comes back for it"
        )


def _dates(leaf: Certificate, now: datetime, key: Key) -> Iterator[str]:
    if now > leaf.not_valid_after_utc:
        yield f"expired on {leaf.not_valid_after_utc:%Y-%m-%d}; ask {WHOSE[key.name]} for a new one"
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


def _chain(chain: list[Certificate], authorities: list[Certificate], now: datetime, key: Key) -> Iterator[str]:
    """Does it lead to the declared CA? Verified link by link, because public-web rules do not fit a private CA."""
    current = chain[0]
    for _ in range(len(chain) + len(authorities)):
        issuer = next((one for one in (*authorities, *chain[1:]) if _issued(one, current)), None)
        if issuer is None:
            yield (
                f"does not lead to the declared CA: nobody given is its issuer {current.issuer.rfc4514_string()}; "
                f"{_declared(authorities, key)}"
            )
            return
        if now > issuer.not_valid_after_utc:
            yield f"was issued by a CA that expired on {issuer.not_valid_after_utc:%Y-%m-%d}"
        if issuer in authorities:
            return
        current = issuer
    yield f"does not lead to the declared CA; {_declared(authorities, key)}"


def _declared(authorities: list[Certificate], key: Key) -> str:
    """Which CA is declared where, and who can say which is right."""
    names = ", ".join(_name(one) for one in authorities)
    holds = f"{key.authority_file or 'the declared file'} holds {names}"
    return (
        f"{holds}. Either the answer lacks a certificate in between, or one of the two is wrong: ask {WHOSE[key.name]}"
    )


def _issued(issuer: Certificate, subject: Certificate) -> bool:
    from cryptography.exceptions import InvalidSignature

    try:
        subject.verify_directly_issued_by(issuer)
    except (InvalidSignature, ValueError, TypeError):
        return False
    return True
