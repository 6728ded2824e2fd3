"""The certificates in an observation, wherever a probe or a try has put them."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization

from .statement import timestamp

PEM = re.compile(r"-----BEGIN CERTIFICATE-----[A-Za-z0-9+/=\s]{1,20000}-----END CERTIFICATE-----")
BROKEN = (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, UnsupportedAlgorithm)


def certificates(observation: Any) -> list[dict[str, Any]]:
    """Each certificate once: its names, dates, fingerprints, text, where it was seen, and its chain: the SHA-256 of
    those among the others that issued it, the nearest first."""
    found: dict[str, dict[str, Any]] = {}
    for place, text in _texts(observation, ()):
        for block in PEM.findall(text):
            row = described(block)
            found.setdefault(row["sha256"], row)["seen"].append(place)
    for row in found.values():
        row["seen"] = sorted(set(row["seen"]))
    issuers = _issuers(found)
    for name, row in found.items():
        row["chain"] = _chain(name, issuers)
    return sorted(found.values(), key=lambda row: (row["subject"], row["not_after"], row["sha256"]))


def _issuers(rows: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    """Which certificate signed which, by SHA-256."""
    read = {name: found for name, row in rows.items() if (found := _read(row["pem"]))}
    return {
        name: other
        for name, certificate in read.items()
        for other, issuer in read.items()
        if name != other and _issued(certificate, issuer)
    }


def _read(pem: str) -> x509.Certificate | None:
    try:
        return x509.load_pem_x509_certificate(pem.encode())
    except BROKEN:
        return None


def _issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *BROKEN):
        return False
    return True


def _chain(name: str, issuers: Mapping[str, str]) -> list[str]:
    chain: list[str] = []
    while (name := issuers.get(name, "")) and name not in chain:
        chain.append(name)
    return chain


def _texts(value: Any, path: tuple[str, ...]) -> Iterator[tuple[str, str]]:
    """Every text that holds a certificate, with its place: "hosts relay facts tls ..."."""
    if isinstance(value, str) and "BEGIN CERTIFICATE" in value:
        yield " ".join(path), value
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*path, str(key)))
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _texts(inner, (*path, str(number)))


def described(block: str) -> dict[str, Any]:
    """What a person compares of a certificate. One that cannot be read is kept, and said to be so."""
    try:
        return _fields(x509.load_pem_x509_certificate(block.encode()))
    except BROKEN as error:
        digest = hashes.Hash(hashes.SHA256())
        digest.update(block.encode())
        unread = dict.fromkeys(("issuer", "not_before", "not_after", "public_key_sha256"), "")
        subject = f"cannot be read: {error}"
        return unread | {
            "subject": subject,
            "names": [],
            "sha256": digest.finalize().hex(),
            "pem": block + "\n",
            "seen": [],
        }


def _fields(certificate: x509.Certificate) -> dict[str, Any]:
    key = hashes.Hash(hashes.SHA256())
    key.update(
        certificate.public_key().public_bytes(
            serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
        )
    )
    return {
        "subject": certificate.subject.rfc4514_string(),
        "issuer": certificate.issuer.rfc4514_string(),
        "names": _names(certificate),
        "not_before": timestamp(certificate.not_valid_before_utc),
        "not_after": timestamp(certificate.not_valid_after_utc),
        "sha256": certificate.fingerprint(hashes.SHA256()).hex(),
        "public_key_sha256": key.finalize().hex(),
        "pem": certificate.public_bytes(serialization.Encoding.PEM).decode(),
        "seen": [],
    }


def _names(certificate: x509.Certificate) -> list[str]:
    try:
        extension = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return []
    return sorted(extension.value.get_values_for_type(x509.DNSName))
