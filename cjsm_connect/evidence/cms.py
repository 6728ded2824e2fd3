"""A detached CMS signature (RFC 5652) over the same statement, for people who trust no tool but openssl.

It has no signed attributes: the signature is over the very bytes of statement.json, so nothing else needs comparing.
"""

from __future__ import annotations

from typing import Annotated

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs7

from . import CMS, Refused
from .keys import BROKEN, EvidenceKey, key_identifier

OPTIONS = (pkcs7.PKCS7Options.DetachedSignature, pkcs7.PKCS7Options.Binary, pkcs7.PKCS7Options.NoAttributes)
MOST_BYTES = 2**16


@asn1.sequence
class _Algorithm:
    name: x509.ObjectIdentifier
    parameters: asn1.Null | None


@asn1.sequence
class _DetachedContent:
    kind: x509.ObjectIdentifier


@asn1.sequence
class _IssuerAndSerial:
    issuer: asn1.TLV
    serial: int


@asn1.sequence
class _Signer:
    version: int
    certificate: _IssuerAndSerial
    digest: _Algorithm
    algorithm: _Algorithm
    signature: bytes


@asn1.sequence
class _SignedData:
    version: int
    digests: asn1.SetOf[_Algorithm]
    content: _DetachedContent
    certificates: Annotated[asn1.SetOf[x509.Certificate], asn1.Implicit(0)]
    signers: asn1.SetOf[_Signer]


@asn1.sequence
class _ContentInfo:
    kind: x509.ObjectIdentifier
    signed: Annotated[_SignedData, asn1.Explicit(0)]


DATA = x509.ObjectIdentifier("1.2.840.113549.1.7.1")
SIGNED_DATA = x509.ObjectIdentifier("1.2.840.113549.1.7.2")
SHA256 = _Algorithm(name=x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1"), parameters=asn1.Null())
ECDSA_WITH_SHA256 = _Algorithm(name=x509.ObjectIdentifier("1.2.840.10045.4.3.2"), parameters=None)


def sign(payload: bytes, key: EvidenceKey) -> bytes:
    """The detached signature in DER, with the signer's certificate in it."""
    builder = pkcs7.PKCS7SignatureBuilder().set_data(payload)
    signed = builder.add_signer(key.certificate, key.private, hashes.SHA256())
    return signed.sign(serialization.Encoding.DER, list(OPTIONS))


def verify(signature: bytes, payload: bytes, key: ec.EllipticCurvePublicKey) -> x509.Certificate:
    """The signer's certificate, if `key` made this signature over `payload`. Whether it is in date is not asked here.

    Raises:
        Refused: not such a signature, made by another key, or over other bytes.
    """
    certificate, value = _parts(signature)
    if _key_of(certificate) != key_identifier(key):
        raise Refused(f"{CMS}: signed by another key: expected {key_identifier(key)}, found {_key_of(certificate)}")
    try:
        key.verify(value, payload, ec.ECDSA(hashes.SHA256()))
        certificate.verify_directly_issued_by(certificate)
    except (InvalidSignature, *BROKEN) as error:
        raise Refused(f"{CMS}: the signature does not match statement.json: one of them was changed") from error
    return certificate


def _key_of(certificate: x509.Certificate) -> str:
    try:
        key = certificate.public_key()
    except BROKEN:
        return "a damaged key"
    return key_identifier(key) if isinstance(key, ec.EllipticCurvePublicKey) else "a key of another kind"


def _parts(signature: bytes) -> tuple[x509.Certificate, bytes]:
    """The certificate and the signature proper. Every other byte must be what `sign` writes."""
    if len(signature) > MOST_BYTES:
        raise Refused(f"{CMS}: larger than {MOST_BYTES} bytes")
    try:
        signed = asn1.decode_der(_ContentInfo, signature).signed
        (signer,), (certificate,) = signed.signers.as_list(), signed.certificates.as_list()
        rewritten = _written(certificate, signer.signature)
    except BROKEN as error:
        raise Refused(f"{CMS}: expected a detached CMS signature in DER by one signer, without attributes") from error
    whole_bytes = certificate.public_bytes(serialization.Encoding.DER).endswith(b"\0" + certificate.signature)
    if rewritten != signature or not whole_bytes:  # the certificate's own BIT STRING may claim unused bits
        raise Refused(f"{CMS}: was changed after signing: it is not in the one form in which evidence is signed")
    return certificate, signer.signature


def _written(certificate: x509.Certificate, value: bytes) -> bytes:
    """The DER that belongs to a certificate and a signature (RFC 5652, sections 3, 5.1 and 5.3)."""
    issuer = asn1.decode_der(asn1.TLV, certificate.issuer.public_bytes())
    signer = _Signer(
        version=1,
        certificate=_IssuerAndSerial(issuer=issuer, serial=certificate.serial_number),
        digest=SHA256,
        algorithm=ECDSA_WITH_SHA256,
        signature=value,
    )
    signed = _SignedData(
        version=1,
        digests=asn1.SetOf([SHA256]),
        content=_DetachedContent(kind=DATA),
        certificates=asn1.SetOf([certificate]),
        signers=asn1.SetOf([signer]),
    )
    return asn1.encode_der(_ContentInfo(kind=SIGNED_DATA, signed=signed))
