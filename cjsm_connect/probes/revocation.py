"""Was a certificate revoked by its issuer? What lists of revoked certificates (CRLs) say of the chains that are in use.

Pure: certificates and lists in, plain facts out; probes/lists.py fetches. A list counts only when it is understood
whole (RFC 5280, 6.3.3): signed by the issuer of the certificate, for this kind of certificate, neither a part (delta)
nor somebody else's (indirect). Whether it is still in date is judged by the checks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtensionOID

LONGEST_CHAIN = 6
BROKEN = (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension, UnsupportedAlgorithm)
CHECKED = {
    ExtensionOID.ISSUING_DISTRIBUTION_POINT, ExtensionOID.DELTA_CRL_INDICATOR, ExtensionOID.AUTHORITY_KEY_IDENTIFIER,
    ExtensionOID.CRL_NUMBER,
}  # fmt: skip

Got = bytes | str
"""What came from an address: the list, or why there is none."""


class NotUnderstood(Exception):
    """A list that says nothing about this certificate, or not in a way that we understand."""


def certificates(text: str) -> list[x509.Certificate]:
    """The certificates of a PEM text; none where it cannot be read."""
    try:
        return x509.load_pem_x509_certificates(text.encode())
    except BROKEN:
        return []


def path(sent: Sequence[x509.Certificate], trusted: Iterable[x509.Certificate]) -> list[x509.Certificate]:
    """From the first certificate to the one that is trusted, which is the last; empty when there is no such way.

    Nothing is asked for a certificate that our own authority does not stand behind: anybody can write addresses.
    """
    anchors, found = list(trusted), list(sent[:1])
    while found and found[-1] not in anchors and len(found) <= LONGEST_CHAIN:
        above = next((other for other in (*anchors, *sent) if other not in found and issued(found[-1], other)), None)
        if above is None:
            return []
        found.append(above)
    return found if found and found[-1] in anchors else []


def issued(certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
    """Did that authority sign this certificate?"""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (InvalidSignature, *BROKEN):
        return False
    return True


def addresses(certificate: x509.Certificate) -> list[str]:
    """Where the certificate says that its issuer publishes the list (RFC 5280, 4.2.1.13), of whatever kind.

    Points for some reasons only, or with another's list, are left out.
    """
    points = _extension(certificate.extensions, x509.CRLDistributionPoints) or ()
    whole = [point for point in points if not point.reasons and not point.crl_issuer]
    return [str(name.value) for point in whole for name in point.full_name or () if _is_address(name)]


def described(
    certificate: x509.Certificate, issuer: x509.Certificate, got: Mapping[str, Got], kept: str = ""
) -> dict[str, Any]:
    """What is known of one certificate: `list` is the newest usable one or None, `trouble` what was wrong with others.

    `got` is what came from each address, `kept` the lists of the organisation's own file (PEM).
    """
    trouble: list[str] = []
    usable = list(_usable(certificate, issuer, got, kept, trouble))
    newest = max(usable, key=lambda one: one["this_update"], default=None)
    return {
        "certificate": certificate.subject.rfc4514_string(),
        "serial": f"{certificate.serial_number:x}",
        "issuer": certificate.issuer.rfc4514_string(),
        "addresses": addresses(certificate),
        "ocsp": _answers_ocsp(certificate),
        "list": newest,
        "trouble": trouble,
    }


def _usable(
    certificate: x509.Certificate, issuer: x509.Certificate, got: Mapping[str, Got], kept: str, trouble: list[str]
) -> Iterator[dict[str, Any]]:
    for source, found in _sources(certificate, got, kept):
        try:
            if isinstance(found, str):
                raise NotUnderstood(found)
            yield {"from": source, **_read(found, certificate, issuer)}
        except NotUnderstood as why:
            trouble.append(f"{source}: {why}")


def _sources(certificate: x509.Certificate, got: Mapping[str, Got], kept: str) -> Iterator[tuple[str, Got]]:
    """Each list with where it is from; of the file only those of this issuer."""
    for address in addresses(certificate):
        yield address, got.get(address, "only addresses that begin with http:// are asked")
    for block in kept.split("-----BEGIN X509 CRL-----")[1:]:
        text = f"-----BEGIN X509 CRL-----{block}".encode()
        try:
            if x509.load_pem_x509_crl(text).issuer == certificate.issuer:
                yield "crl_file", text
        except BROKEN as error:
            yield "crl_file", f"it cannot be read: {error}"


def _read(data: bytes, certificate: x509.Certificate, issuer: x509.Certificate) -> dict[str, Any]:
    """What a list says of the certificate.

    Raises:
        NotUnderstood: it is damaged, not signed by the issuer, or not for this certificate.
    """
    try:
        load = x509.load_pem_x509_crl if data.lstrip().startswith(b"-----BEGIN") else x509.load_der_x509_crl
        found = load(data)
        _must_be_the_issuers(found, certificate, issuer)
        _must_be_whole(found, certificate)
        entry = found.get_revoked_certificate_by_serial_number(certificate.serial_number)
        return {
            "this_update": found.last_update_utc.isoformat(),
            "next_update": found.next_update_utc.isoformat() if found.next_update_utc else "",
            "number": getattr(_extension(found.extensions, x509.CRLNumber), "crl_number", None),
            "sha256": found.fingerprint(hashes.SHA256()).hex(),
            "revoked": _revoked(entry) if entry else None,
        }
    except BROKEN as error:
        raise NotUnderstood(f"it cannot be read as a list of revoked certificates: {error}") from error


def _must_be_the_issuers(
    found: x509.CertificateRevocationList, certificate: x509.Certificate, issuer: x509.Certificate
) -> None:
    usage = _extension(issuer.extensions, x509.KeyUsage)
    if found.issuer != certificate.issuer:
        raise NotUnderstood(f"it is the list of {found.issuer.rfc4514_string()}")
    if usage is not None and not usage.crl_sign:
        raise NotUnderstood("the certificate of its issuer does not allow it to sign lists")
    if not found.is_signature_valid(issuer.public_key()):  # type: ignore[arg-type]
        raise NotUnderstood("it was not signed by the issuer of the certificate")
    if found.next_update_utc is None:
        raise NotUnderstood("it does not say until when it counts (RFC 5280, 5.1.2.5)")


def _must_be_whole(found: x509.CertificateRevocationList, certificate: x509.Certificate) -> None:
    """RFC 5280, 5.2.4 (delta) and 5.2.5 (whose, which and for what reasons)."""
    strange = [one.oid.dotted_string for one in found.extensions if one.critical and one.oid not in CHECKED]
    if strange:
        raise NotUnderstood(f"it has a critical extension that is not understood: {', '.join(strange)}")
    if _extension(found.extensions, x509.DeltaCRLIndicator):
        raise NotUnderstood("it is a delta, which says only what is new")
    point = _extension(found.extensions, x509.IssuingDistributionPoint)
    if point is None:
        return
    if point.indirect_crl or point.only_some_reasons or point.relative_name:
        raise NotUnderstood("it is an indirect list, or one for some reasons only")
    constraints = _extension(certificate.extensions, x509.BasicConstraints)
    authority = bool(constraints and constraints.ca)
    other_kind = point.only_contains_user_certs if authority else point.only_contains_ca_certs
    if other_kind or point.only_contains_attribute_certs:
        raise NotUnderstood("it is a list of another kind of certificates")
    names = {str(name.value) for name in point.full_name or () if _is_address(name)}
    if point.full_name and not names.intersection(addresses(certificate)):
        raise NotUnderstood("it is another part of the issuer's list than the certificate names")


def _revoked(entry: x509.RevokedCertificate) -> dict[str, str]:
    reason = _extension(entry.extensions, x509.CRLReason)
    return {"on": entry.revocation_date_utc.isoformat(), "reason": reason.reason.value if reason else "unspecified"}


def _answers_ocsp(certificate: x509.Certificate) -> bool:
    access = _extension(certificate.extensions, x509.AuthorityInformationAccess) or ()
    return any(one.access_method == AuthorityInformationAccessOID.OCSP for one in access)


def _is_address(name: x509.GeneralName) -> bool:
    return isinstance(name, x509.UniformResourceIdentifier)


def _extension(extensions: x509.Extensions, kind: Any) -> Any:
    try:
        return extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None
