"""A certificate file as an authority may hand it over, brought into the one form that everything else reads: PEM.

Read are PEM, DER and PKCS#7 (RFC 7468, RFC 5652), base64 without its armour, and texts in UTF-8 or UTF-16. What is none
of these is refused with what it is: a file that lies there was meant as something.
"""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

LABEL = re.compile("-----BEGIN ([A-Z0-9 #]+)-----")
PLAIN = {"CERTIFICATE"}
PKCS12 = re.compile(rb"\x30.{1,9}?\x02\x01\x03\x30", re.DOTALL)  # a SEQUENCE that begins with version 3 (RFC 7292)
REQUEST = "a certificate request: what was sent, not the answer to it"
EXPECTED = "a certificate: PEM (-----BEGIN CERTIFICATE-----), DER or PKCS#7"
NOTHING = "no certificate"


class Unusable(Exception):
    """The file holds no certificate that could be taken; the message says what it holds."""

    def __init__(self, found: str, expected: str = EXPECTED) -> None:
        super().__init__(found)
        self.expected = expected


def _private(found: str) -> Unusable:
    return Unusable(found, "certificates only: a private key stays on its host, and this one is no secret any more")


def pem(data: bytes) -> str:
    """The certificates of a file, as PEM. A file that is PEM already is returned as it is.

    Raises:
        Unusable: it holds something else.
    """
    if not data.strip():
        raise Unusable("an empty file")
    text = _text(data)
    labels = LABEL.findall(text or "")
    if any("PRIVATE KEY" in label for label in labels):
        raise _private("a private key")
    if text is not None and set(labels) == PLAIN:
        return text
    if labels:
        return _armoured(text or "", labels)
    return _binary(_bare_base64(text) or data)


def leaf_first(text: str) -> str:
    """The certificates of a file that had to be read anew, the one that is nobody's issuer first.

    Raises:
        Unusable: there are several of that kind, or only authorities' certificates.
    """
    from cryptography import x509

    found = list(dict.fromkeys(x509.load_pem_x509_certificates(text.encode())))
    ends = [one for one in found if not _is_authority(one)]
    if not ends:
        raise Unusable("only certificates of authorities, and none of the host's")
    if len(ends) > 1:
        names = "; ".join(one.subject.rfc4514_string() for one in ends)
        raise Unusable(f"{len(ends)} certificates that are no authority's ({names}); one is expected")
    return _written([ends[0], *(one for one in found if one != ends[0])])


def _text(data: bytes) -> str | None:
    """Text in the encodings that editors and mail programs save; None for what is no text."""
    wide = data[:2] in (b"\xff\xfe", b"\xfe\xff")
    try:
        text = data.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError:
        return None
    return None if "\0" in text else text


def _bare_base64(text: str | None) -> bytes:
    try:
        return b64decode("".join((text or "").split()), validate=True)
    except (Base64Error, ValueError):
        return b""


def _armoured(text: str, labels: list[str]) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import pkcs7

    readers: dict[str, Callable[[bytes], list[Certificate]]] = {
        "CERTIFICATE": x509.load_pem_x509_certificates,
        "X509 CERTIFICATE": lambda data: x509.load_pem_x509_certificates(data.replace(b" X509 CERT", b" CERT")),
        "PKCS7": pkcs7.load_pem_pkcs7_certificates,
        "CMS": lambda data: pkcs7.load_pem_pkcs7_certificates(data.replace(b" CMS-", b" PKCS7-")),
    }
    for label, read in readers.items():
        if label in labels:
            return _written(_read(read, text.encode()))
    raise Unusable(REQUEST if "CERTIFICATE REQUEST" in labels[0] else f"PEM of a {labels[0].lower()}")


def _binary(data: bytes) -> str:
    from cryptography import x509
    from cryptography.hazmat.primitives.serialization import load_der_private_key, pkcs7

    if _parses(x509.load_der_x509_certificate, data):
        return _written([x509.load_der_x509_certificate(data)])
    if _parses(pkcs7.load_der_pkcs7_certificates, data):
        return _written(pkcs7.load_der_pkcs7_certificates(data))
    if PKCS12.match(data):
        raise _private("PKCS#12, a certificate together with its private key")
    if _parses(x509.load_der_x509_csr, data):
        raise Unusable(REQUEST)
    if _parses(lambda der: load_der_private_key(der, None), data):
        raise _private("a private key")
    raise Unusable(NOTHING)


def _read(read: Callable[[bytes], list[Certificate]], data: bytes) -> list[Certificate]:
    try:
        return read(data)
    except ValueError as error:
        raise Unusable("a damaged certificate") from error


def _parses(read: Callable[[bytes], Any], data: bytes) -> bool:
    try:
        read(data)
    except TypeError:  # a private key that is encrypted
        return True
    except Exception:  # whatever a parser says of bytes that are not its own
        return False
    return True


def _is_authority(certificate: Certificate) -> bool:
    from cryptography import x509

    try:
        return bool(certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca)
    except (x509.ExtensionNotFound, ValueError):
        return False


def _written(certificates: list[Certificate]) -> str:
    from cryptography.hazmat.primitives.serialization import Encoding

    if not certificates:
        raise Unusable(NOTHING)
    return "".join(one.public_bytes(Encoding.PEM).decode() for one in certificates)
