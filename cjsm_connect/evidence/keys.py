"""The evidence key: the controller's own, ECDSA P-256, encrypted on disk. Its certificate travels apart from it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cjsm_connect.results import inputs

from . import EvidenceError

FOLDER = "evidence-key"  # in the organisation's folder; never in a repository
KEY = "key.pem"
PUBLIC = "evidence.pub"  # in the organisation's folder; for the engineer, by another way than the bundles
SHORTEST_PASSPHRASE = 12
CERTIFICATE_DAYS = 3 * 365
BROKEN = (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, UnsupportedAlgorithm)
"""What the library raises for a certificate or a DER structure that is damaged."""
LONGEST_NAME = 64  # X.520 ub-common-name and ub-organization-name


@dataclass(frozen=True, slots=True)
class EvidenceKey:
    """A private key in memory with its self-signed certificate. Never printed, never stored by us in clear."""

    private: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate


def create(organisation_folder: Path, organisation: str, passphrase: str, now: datetime) -> EvidenceKey:
    """Make the key in the folder `evidence-key` (0700, ignored by git) and its certificate, evidence.pub.

    Raises:
        EvidenceError: either is there already, the passphrase is too short, or the folder cannot be written.
    """
    if len(passphrase) < SHORTEST_PASSPHRASE:
        raise EvidenceError(f"the passphrase has {len(passphrase)} characters; expected at least {SHORTEST_PASSPHRASE}")
    refuse_existing(organisation_folder)
    folder, public = organisation_folder / FOLDER, organisation_folder / PUBLIC
    private = ec.generate_private_key(ec.SECP256R1())
    made = EvidenceKey(private, _certificate(private, organisation, now))
    try:
        folder.mkdir(mode=0o700, exist_ok=True)
        folder.chmod(0o700)
        (folder / ".gitignore").write_text("*\n")  # wherever the organisation keeps its folder
        write_new(folder / KEY, _encrypted(private, passphrase))
        write_new(public, certificate_text(made.certificate, organisation), mode=0o644)
    except OSError as error:
        raise EvidenceError(f"the evidence key could not be written: {error}") from error
    return made


def refuse_existing(organisation_folder: Path) -> None:
    """Return if there is neither a key nor a public file yet.

    Raises:
        EvidenceError: there is; it is never replaced.
    """
    for path in (organisation_folder / FOLDER / KEY, organisation_folder / PUBLIC):
        if path.exists() or path.is_symlink():
            raise EvidenceError(
                f"{path} is there already and is kept: earlier bundles need it. To start afresh, move it away"
            )


def exists(organisation_folder: Path) -> bool:
    """Whether there is a key."""
    return (organisation_folder / FOLDER / KEY).exists()


def load(organisation_folder: Path, passphrase: str) -> EvidenceKey:
    """The key, decrypted, with the certificate in evidence.pub, which must be its own.

    Raises:
        EvidenceError: no key yet, another kind of key, others may read it, the passphrase does not open it.
    """
    path, public = organisation_folder / FOLDER / KEY, organisation_folder / PUBLIC
    try:
        encrypted, published = inputs.read(path, inputs.SECRET), inputs.read(public, inputs.KEY)
        mode = path.stat().st_mode & 0o777
        certificate = x509.load_pem_x509_certificate(published)
    except (OSError, inputs.Unreadable) as error:
        raise EvidenceError(f"no evidence key: {error}. Make one with: cjsm evidence init") from error
    except ValueError as error:
        raise EvidenceError(f"{public} holds no certificate; restore the one made by: cjsm evidence init") from error
    if mode & 0o077:
        raise EvidenceError(f"{path} has mode {mode:04o}, expected 0600: others may have read it. Make a new key")
    private = _decrypted(encrypted, passphrase, path)
    if key_identifier(private.public_key()) != key_identifier(public_key(published, str(public))):
        raise EvidenceError(f"{public} does not belong to {path}; restore the one that was made with it")
    return EvidenceKey(private, certificate)


def _decrypted(encrypted: bytes, passphrase: str, path: Path) -> ec.EllipticCurvePrivateKey:
    try:
        private = serialization.load_pem_private_key(encrypted, passphrase.encode())
    except TypeError as error:
        raise EvidenceError(f"{path} is not encrypted; expected a key made by: cjsm evidence init") from error
    except ValueError as error:
        raise EvidenceError(f"the passphrase does not open {path}") from error
    if not isinstance(private, ec.EllipticCurvePrivateKey) or not isinstance(private.curve, ec.SECP256R1):
        raise EvidenceError(f"{path} is not an ECDSA P-256 key")
    return private


def public_key(data: bytes, name: str) -> ec.EllipticCurvePublicKey:
    """The organisation's public key, from its certificate (evidence.pub) or a plain PEM public key.

    Raises:
        EvidenceError: neither, or not ECDSA P-256.
    """
    if data.count(b"-----BEGIN ") > 1:
        raise EvidenceError(f"{name}: expected a PEM certificate or public key (evidence.pub), one; found several")
    try:
        found = certificate(data)
        key = found.public_key() if found else serialization.load_pem_public_key(data)
    except BROKEN as error:
        raise EvidenceError(
            f"{name}: expected a PEM certificate or public key (evidence.pub), found neither"
        ) from error
    if not isinstance(key, ec.EllipticCurvePublicKey) or not isinstance(key.curve, ec.SECP256R1):
        raise EvidenceError(f"{name}: expected an ECDSA P-256 key")
    return key


def organisation(data: bytes) -> str:
    """Whose key evidence.pub says it is; "" for a plain public key, which does not say."""
    found = certificate(data)
    names = found.subject.get_attributes_for_oid(NameOID.ORGANIZATION_NAME) if found else []
    return str(names[0].value) if names else ""


def certificate(data: bytes) -> x509.Certificate | None:
    """The certificate of evidence.pub; None for a plain public key. Raises what `BROKEN` lists."""
    if b"BEGIN CERTIFICATE" not in data:
        return None
    return x509.load_pem_x509_certificate(data)


def proves_possession(found: x509.Certificate) -> bool:
    """Was it signed with the key that it is about? Anybody can write another's public key into a certificate."""
    try:
        found.verify_directly_issued_by(found)
    except (InvalidSignature, *BROKEN):
        return False
    return True


def doubts(found: x509.Certificate, now: datetime) -> Iterator[str]:
    """Why a certificate does not stand behind evidence: what `openssl cms -verify` refuses too, and whatever no
    certificate made by `create` has."""
    start, end = found.not_valid_before_utc, found.not_valid_after_utc
    if now > end:
        yield f"the certificate of the evidence key has expired: it was valid until {end:%Y-%m-%dT%H:%M:%SZ}"
    if now < start:
        yield f"the certificate of the evidence key is not valid yet: it is from {start:%Y-%m-%dT%H:%M:%SZ} on"
    if strange := _unlike_ours(found):
        yield f"the certificate of the evidence key is not one that `cjsm evidence init` makes: {strange}"


def _unlike_ours(found: x509.Certificate) -> str:
    try:
        extensions = {one.oid: (one.critical, one.value) for one in found.extensions}
        long = found.not_valid_after_utc - found.not_valid_before_utc
    except BROKEN:
        return "it is damaged"
    if found.serial_number <= 0:
        return f"its serial number is {found.serial_number}, expected a positive one (RFC 5280, 4.1.2.2)"
    if long > timedelta(days=CERTIFICATE_DAYS, minutes=5):
        return f"it is valid for {long.days} days, expected {CERTIFICATE_DAYS} at most"
    if extensions != {value.oid: (critical, value) for value, critical in EXTENSIONS}:
        return "it has other extensions"
    return "" if proves_possession(found) else "it is not signed with its own key"


def key_identifier(key: ec.EllipticCurvePublicKey) -> str:
    """SHA-256 of the SubjectPublicKeyInfo, in hex: the same for the key, its certificate and `openssl pkey`."""
    encoded = key.public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
    digest = hashes.Hash(hashes.SHA256())
    digest.update(encoded)
    return digest.finalize().hex()


def fingerprint(key: ec.EllipticCurvePublicKey) -> str:
    """The key's identifier in groups of four, to be compared by eye with the hand-signed sheet."""
    digest = key_identifier(key)
    return " ".join(digest[at : at + 4] for at in range(0, len(digest), 4))


def certificate_text(certificate: x509.Certificate, organisation: str) -> bytes:
    """The content of evidence.pub: the certificate, and above it whose it is. PEM readers skip the lines above."""
    key = certificate.public_key()
    assert isinstance(key, ec.EllipticCurvePublicKey)
    head = f"Evidence key of {organisation}\nSHA-256 of the public key: {fingerprint(key)}\n"
    return head.encode() + certificate.public_bytes(serialization.Encoding.PEM)


def write_new(path: Path, content: bytes, mode: int = 0o600) -> None:
    """Create a file, with its mode from its first moment; never follows or replaces what is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)


def _encrypted(private: ec.EllipticCurvePrivateKey, passphrase: str) -> bytes:
    return private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase.encode()),
    )


def _certificate(private: ec.EllipticCurvePrivateKey, organisation: str, now: datetime) -> x509.Certificate:
    """Self-signed, for nothing but signing evidence. `openssl cms -verify` asks for emailProtection (RFC 8550)."""
    name = x509.Name(
        [
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation[:LONGEST_NAME]),
            x509.NameAttribute(NameOID.COMMON_NAME, "CJSM connection evidence"),
        ]
    )
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=5))  # the reader's clock may be a little behind
        .not_valid_after(now + timedelta(days=CERTIFICATE_DAYS))
    )
    for value, critical in EXTENSIONS:
        builder = builder.add_extension(value, critical)
    return builder.sign(private, hashes.SHA256())


_KEY_USAGES = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)
EXTENSIONS: tuple[tuple[x509.ExtensionType, bool], ...] = (
    (x509.BasicConstraints(ca=False, path_length=None), True),
    (x509.KeyUsage(**dict.fromkeys(_KEY_USAGES, False) | {"digital_signature": True}), True),
    (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.EMAIL_PROTECTION]), False),
)
"""Those of an evidence key's certificate, each with whether it is critical."""
