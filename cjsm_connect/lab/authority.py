"""The lab's certificate authorities: the simulated operator's, and the organisation's own for the inner hop.

Made once on a machine and kept in /var/cache/cjsm/ca, so that a saved lab finds the same authorities again. Each has a
root, which hosts trust, and an issuing authority below it, which signs: a chain must really be followed. Each says in
its certificates where it publishes which of them it has revoked (RFC 5280, 4.2.1.13).
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.types import CertificatePublicKeyTypes
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cjsm_connect.lab.machine import CACHE, locked, write
from cjsm_connect.lab.topology import OUTSIDE
from cjsm_connect.results import CjsmError

FOLDER = CACHE / "ca" / "2"  # authorities of another shape have another number: those of 1 published no lists
PUBLISHED = f"http://{OUTSIDE.address}/crl"  # by address: the machine's own resolver does not know the lab's names
LIST_DAYS = 7
STALE = "-stale"  # the list of this name ended a week ago
REVOKED = 0x0BAD  # on each list, so that a certificate can be revoked without anything to take back afterwards
AUTHORITY_DAYS = 3650
# the operator's own published terms of 2005 spoke of three years; public practice is about one
MEMBER_DAYS = 397
USES = {"server": ExtendedKeyUsageOID.SERVER_AUTH, "client": ExtendedKeyUsageOID.CLIENT_AUTH}
BOTH_ENDS = tuple(USES.values())


@dataclass(frozen=True, slots=True)
class Authority:
    """A root certificate and the issuing authority below it with its key; `root_list` is what the root has revoked."""

    name: str
    root: x509.Certificate
    issuing: x509.Certificate
    key: ec.EllipticCurvePrivateKey
    root_list: bytes

    def issue(  # noqa: PLR0913, PLR0917 - one parameter for each thing that a certificate says
        self, subject: x509.Name, names: list[x509.GeneralName], key: CertificatePublicKeyTypes,
        days: int = MEMBER_DAYS, start: datetime | None = None, usages: Sequence[x509.ObjectIdentifier] = BOTH_ENDS,
        serial: int = 0, listed: str = "",
    ) -> x509.Certificate:  # fmt: skip
        """Certify a key for both ends of TLS (RFC 5280); what is behind `days` can make it wrong on purpose. `listed`
        is the ending of the list that it names."""
        builder = _builder(subject, self.issuing.subject, key, days, start, serial)
        if names:
            builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
        return (
            builder.add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(_key_usage(signs_certificates=False), critical=True)
            .add_extension(x509.ExtendedKeyUsage(usages), critical=False)
            .add_extension(_authority_identifier(self.issuing), critical=False)
            .add_extension(_list_at(f"{self.name}{listed}"), critical=False)
            .sign(self.key, hashes.SHA256())
        )

    def lists(self) -> dict[str, bytes]:
        """What is published, by file name: the lists of root and issuing authority, and one that nobody renewed."""
        now = datetime.now(UTC)
        return {
            f"{self.name}-root.crl": self.root_list,
            f"{self.name}.crl": _revocations(self.issuing.subject, self.key, now, LIST_DAYS),
            f"{self.name}{STALE}.crl": _revocations(
                self.issuing.subject, self.key, now - timedelta(days=2 * LIST_DAYS), LIST_DAYS
            ),
        }

    def chain(self, certificate: x509.Certificate) -> str:
        """What a server presents: its certificate, then the issuing authority's; the root is known to the other."""
        return pem(certificate) + pem(self.issuing)

    def sign_request(self, request: str) -> str:
        """Answer a certificate request (PEM) with a chain (PEM), keeping its subject and alternative names."""
        asked = _checked(request)
        return self.chain(self.issue(asked.subject, _names(asked), asked.public_key()))

    def sign_wrongly(  # noqa: PLR0913 - one parameter for each thing that can be wrong
        self, request: str, *, name: str = "", starts: int = 0, days: int = 30, use: str = "",
        revoked: bool = False, stale: bool = False,
    ) -> str:  # fmt: skip
        """Answer a request with a certificate that is not what was asked for: another name, valid only from so many
        days from now (negative: ago) and for `days` days, for one use (`server` or `client`) only, revoked, or with a
        list of revoked ones that is out of date."""
        asked = _checked(request)
        names: list[x509.GeneralName] = [x509.DNSName(name)] if name else _names(asked)
        usages = (USES[use],) if use else BOTH_ENDS
        start = datetime.now(UTC) + timedelta(days=starts)
        serial, listed = (REVOKED if revoked else 0), (STALE if stale else "")
        return self.chain(self.issue(asked.subject, names, asked.public_key(), days, start, usages, serial, listed))


def _checked(request: str) -> x509.CertificateSigningRequest:
    asked = x509.load_pem_x509_csr(request.encode())
    if not asked.is_signature_valid:
        raise CjsmError("the certificate request is not signed with its own key: make it again on the host.")
    return asked


def _names(asked: x509.CertificateSigningRequest) -> list[x509.GeneralName]:
    try:
        return list(asked.extensions.get_extension_for_class(x509.SubjectAlternativeName).value)
    except x509.ExtensionNotFound:
        return []


def pem(certificate: x509.Certificate) -> str:
    """A certificate as text."""
    return certificate.public_bytes(serialization.Encoding.PEM).decode()


@cache
def operator() -> Authority:
    """The simulated operator of the hub: certifies every member, not only the hub."""
    return _authority("operator", "CJSM lab operator")


@cache
def inner() -> Authority:
    """The organisation's own authority, for the hop between relay and mail server."""
    return _authority("inner", "Exampleshire Council internal")


def member(name: str, common_name: str) -> tuple[str, str]:
    """A key and its chain (PEM both) certified by the operator; made once, so that its fingerprint stays."""
    key_file, chain_file = FOLDER / f"{name}.key", FOLDER / f"{name}.pem"
    with locked(FOLDER / "lock"):
        if not chain_file.exists() or _ends_soon(chain_file):
            key = ec.generate_private_key(ec.SECP256R1())
            names: list[x509.GeneralName] = [x509.DNSName(common_name)]
            certificate = operator().issue(_subject(common_name), names, key.public_key())
            write(key_file, _private(key), 0o600)
            write(chain_file, operator().chain(certificate))
    return key_file.read_text(), chain_file.read_text()


def fingerprint(chain: str) -> str:
    """SHA-256 of the public key (DER SubjectPublicKeyInfo) of a chain's first certificate, as Postfix counts it
    (postconf(5), smtpd_tls_fingerprint_digest), lower-case with colons."""
    certificate = x509.load_pem_x509_certificate(chain.encode())
    public = certificate.public_key().public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    return hashlib.sha256(public).digest().hex(":")


def _authority(name: str, title: str) -> Authority:
    """Read an authority from the cache; make it first where there is none."""
    paths = [FOLDER / f"{name}-{part}" for part in ("root.pem", "issuing.pem", "issuing.key", "root.crl")]
    with locked(FOLDER / f"{name}.lock"):
        if not all(path.exists() for path in paths):
            for path, content in zip(paths, _new_authority(name, title), strict=True):
                write(path, content, 0o600 if path.suffix == ".key" else 0o644)
    root, issuing = (x509.load_pem_x509_certificate(path.read_bytes()) for path in paths[:2])
    key = serialization.load_pem_private_key(paths[2].read_bytes(), password=None)
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    root_list = x509.load_pem_x509_crl(paths[3].read_bytes()).public_bytes(serialization.Encoding.DER)
    return Authority(name, root, issuing, key, root_list)


def _new_authority(name: str, title: str) -> tuple[str, str, str, str]:
    """Root, issuing authority, the issuing key, and the root's list; the root's key is forgotten, it has nothing more
    to sign."""
    root_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    root_name, below = _subject(f"{title} root"), _subject(f"{title} issuing authority")
    root = _certify_authority(root_name, root_name, root_key.public_key(), root_key, 1)
    issuing = _certify_authority(below, root_name, key.public_key(), root_key, 0, _list_at(f"{name}-root"))
    listed = x509.load_der_x509_crl(_revocations(root_name, root_key, datetime.now(UTC), AUTHORITY_DAYS))
    return pem(root), pem(issuing), _private(key), listed.public_bytes(serialization.Encoding.PEM).decode()


def _certify_authority(  # noqa: PLR0913, PLR0917 - one parameter for each thing that a certificate says
    subject: x509.Name, issuer: x509.Name, key: ec.EllipticCurvePublicKey,
    signer: ec.EllipticCurvePrivateKey, path_length: int, listed: x509.CRLDistributionPoints | None = None,
) -> x509.Certificate:  # fmt: skip
    signer_identifier = x509.AuthorityKeyIdentifier.from_issuer_public_key(signer.public_key())
    builder = (
        _builder(subject, issuer, key, AUTHORITY_DAYS, None)
        .add_extension(x509.BasicConstraints(ca=True, path_length=path_length), critical=True)
        .add_extension(_key_usage(signs_certificates=True), critical=True)
        .add_extension(signer_identifier, critical=False)
    )
    return (builder.add_extension(listed, critical=False) if listed else builder).sign(signer, hashes.SHA256())


def _list_at(name: str) -> x509.CRLDistributionPoints:
    """Where the list of revoked certificates is (RFC 5280, 4.2.1.13)."""
    place = x509.UniformResourceIdentifier(f"{PUBLISHED}/{name}.crl")
    return x509.CRLDistributionPoints([x509.DistributionPoint([place], None, None, None)])


def _revocations(issuer: x509.Name, key: ec.EllipticCurvePrivateKey, when: datetime, days: int) -> bytes:
    """A list of one revoked certificate, signed at that time for so many days (RFC 5280, 5), in DER."""
    revoked = x509.RevokedCertificateBuilder().serial_number(REVOKED).revocation_date(when - timedelta(days=1))
    reason = x509.CRLReason(x509.ReasonFlags.key_compromise)
    begins = when - timedelta(hours=1)
    return (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer)
        .last_update(begins)
        .next_update(begins + timedelta(days=days))
        .add_revoked_certificate(revoked.add_extension(reason, critical=False).build())
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(key.public_key()), critical=False)
        .add_extension(x509.CRLNumber(int(when.timestamp())), critical=False)
        .sign(key, hashes.SHA256())
        .public_bytes(serialization.Encoding.DER)
    )


def _builder(  # noqa: PLR0913, PLR0917 - one parameter for each thing that a certificate says
    subject: x509.Name, issuer: x509.Name, key: CertificatePublicKeyTypes, days: int, start: datetime | None,
    serial: int = 0,
) -> x509.CertificateBuilder:  # fmt: skip
    """What all certificates share; they start an hour ago, for clocks that are a little behind."""
    begins = start or datetime.now(UTC) - timedelta(hours=1)
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key)
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(begins)
        .not_valid_after(begins + timedelta(days=days))
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key), critical=False)
    )


def _key_usage(signs_certificates: bool) -> x509.KeyUsage:
    return x509.KeyUsage(
        digital_signature=True, content_commitment=False, key_encipherment=not signs_certificates,
        data_encipherment=False, key_agreement=False, key_cert_sign=signs_certificates,
        crl_sign=signs_certificates, encipher_only=False, decipher_only=False,
    )  # fmt: skip


def _authority_identifier(issuer: x509.Certificate) -> x509.AuthorityKeyIdentifier:
    subject = issuer.extensions.get_extension_for_class(x509.SubjectKeyIdentifier).value
    return x509.AuthorityKeyIdentifier.from_issuer_subject_key_identifier(subject)


def _subject(common_name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, common_name)])


def _private(key: ec.EllipticCurvePrivateKey) -> str:
    return key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    ).decode()


def _ends_soon(chain_file: Path) -> bool:
    """Would a cached certificate end within the next thirty days? Then checks would rightly complain of it."""
    ends = x509.load_pem_x509_certificate(chain_file.read_bytes()).not_valid_after_utc
    return ends < datetime.now(UTC) + timedelta(days=30)
