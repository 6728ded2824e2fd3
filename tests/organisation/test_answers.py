"""What an authority sends back is read in whatever form it comes, or refused by name; never passed over in silence."""

from __future__ import annotations

import base64
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs7,
    pkcs12,
)
from cryptography.x509.oid import NameOID

from cjsm_connect.organisation import Organisation, OrganisationError, load
from tests.made_up import FINGERPRINT, ROOT, authority

KEY = ec.generate_private_key(ec.SECP256R1())


def named(text: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])


def certificate(name: str, *, ca: bool = False) -> x509.Certificate:
    now = datetime.now(UTC)
    return (
        x509.CertificateBuilder()
        .subject_name(named(name))
        .issuer_name(named("a CA"))
        .public_key(KEY.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=9))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(KEY, hashes.SHA256())
    )


@cache
def chain() -> tuple[x509.Certificate, ...]:
    """The host's, an authority's below the root, and the root."""
    return (certificate("relay.council.example"), certificate("between", ca=True), certificate("a CA", ca=True))


def pem(*ones: x509.Certificate) -> bytes:
    return b"".join(one.public_bytes(Encoding.PEM) for one in ones)


def request() -> x509.CertificateSigningRequest:
    return x509.CertificateSigningRequestBuilder().subject_name(named("relay")).sign(KEY, hashes.SHA256())


LEAF, BETWEEN, TOP = chain()
TURNED = (TOP, LEAF, BETWEEN)
READ = {
    "relay.pem as PEM": ("relay.pem", pem(LEAF)),
    "relay.pem with CRLF": ("relay.pem", pem(LEAF).replace(b"\n", b"\r\n")),
    "relay.pem with a byte order mark": ("relay.pem", b"\xef\xbb\xbf" + pem(LEAF)),
    "relay.pem in UTF-16": ("relay.pem", pem(LEAF).decode().encode("utf-16")),
    "relay.pem in UTF-16, big end first": ("relay.pem", b"\xfe\xff" + pem(LEAF).decode().encode("utf-16-be")),
    "relay.pem as openssl x509 -text": ("relay.pem", b"Certificate:\n    Data:\n" + pem(LEAF)),
    "relay.pem as DER": ("relay.pem", LEAF.public_bytes(Encoding.DER)),
    "relay.pem as bare base64": ("relay.pem", base64.encodebytes(LEAF.public_bytes(Encoding.DER))),
    "relay.pem with the old label": ("relay.pem", pem(LEAF).replace(b"CERTIFICATE", b"X509 CERTIFICATE")),
    "relay.pem as PKCS#7": ("relay.pem", pkcs7.serialize_certificates(TURNED, Encoding.PEM)),
    "relay.pem as PKCS#7 in DER": ("relay.pem", pkcs7.serialize_certificates(TURNED, Encoding.DER)),
    "relay.cer": ("relay.cer", LEAF.public_bytes(Encoding.DER)),
    "relay.CRT": ("relay.CRT", pem(LEAF)),
    "relay.der": ("relay.der", LEAF.public_bytes(Encoding.DER)),
    "relay.p7b": ("relay.p7b", pkcs7.serialize_certificates(TURNED, Encoding.DER)),
    "relay.p7b with the label CMS": (
        "relay.p7b", pkcs7.serialize_certificates(TURNED, Encoding.PEM).replace(b"PKCS7", b"CMS"),
    ),
}  # fmt: skip
ENCRYPTED = BestAvailableEncryption(b"secret")
P12 = pkcs12.serialize_key_and_certificates(b"x", KEY, LEAF, None, ENCRYPTED)
PRIVATE = KEY.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
REFUSED = {
    "nothing in it": ("relay.pem", b" \n", "an empty file"),
    "the request": ("relay.pem", request().public_bytes(Encoding.PEM), "a certificate request"),
    "the request as DER": ("relay.cer", request().public_bytes(Encoding.DER), "a certificate request"),
    "a key beside it": ("relay.pem", pem(LEAF) + PRIVATE, "a private key"),
    "a key in UTF-16": ("relay.pem", PRIVATE.decode().encode("utf-16"), "a private key"),
    "a key as DER": (
        "relay.der", KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption()), "a private key",
    ),
    "an encrypted key as DER": (
        "relay.der", KEY.private_bytes(Encoding.DER, PrivateFormat.PKCS8, ENCRYPTED), "a private key",
    ),
    "PKCS#12": ("relay.p12", P12, "PKCS#12"),
    "PKCS#12 as .pem": ("relay.pem", P12, "PKCS#12"),
    "two hosts' certificates": (
        "relay.p7b", pkcs7.serialize_certificates([LEAF, certificate("other")], Encoding.DER), "2 certificates",
    ),
    "only authorities": ("relay.p7b", pkcs7.serialize_certificates([TOP], Encoding.DER), "only certificates of auth"),
    "a page of a web site": ("relay.pem", b"<html><body>Please log in", "no certificate"),
    "any bytes": ("relay.cer", bytes(range(256)), "no certificate"),
    "a cut certificate": ("relay.pem", pem(LEAF)[:300], "no PEM block"),
    "a cut PKCS#7": ("relay.p7b", pkcs7.serialize_certificates(TURNED, Encoding.PEM)[:300], "a damaged certificate"),
}  # fmt: skip


def answered(folder: Path, name: str, data: bytes, *, ca: bytes | None = None) -> Organisation:
    (folder / "hub").mkdir()
    (folder / "ssh").mkdir()
    (folder / "certificates").mkdir()
    (folder / "organisation.toml").write_text((ROOT / "inventories/lab/organisation.toml").read_text())
    (folder / "hub/ca.pem").write_bytes(ca or authority().encode())
    (folder / "hub/inner-ca.pem").write_text(authority())
    (folder / "hub/fingerprints.txt").write_text(FINGERPRINT)
    (folder / "ssh/id_ed25519").touch(0o600)
    if name:
        (folder / "certificates" / name).write_bytes(data)
    return load(folder)


@pytest.mark.parametrize("how", READ)
def test_an_answer_is_read_and_the_hosts_certificate_comes_first(tmp_path: Path, how: str) -> None:
    found = answered(tmp_path, *READ[how]).certificate("relay")
    assert found
    assert x509.load_pem_x509_certificates(found.encode())[0] == LEAF


@pytest.mark.parametrize("how", REFUSED)
def test_what_is_no_answer_is_refused_by_name(tmp_path: Path, how: str) -> None:
    name, data, said = REFUSED[how]
    with pytest.raises(OrganisationError) as caught:
        answered(tmp_path, name, data)
    [problem] = caught.value.problems
    assert problem.file == f"certificates/{name}"
    assert said in problem.found


def test_two_answers_for_one_request_are_not_chosen_between(tmp_path: Path) -> None:
    answered(tmp_path, "relay.pem", pem(LEAF))
    (tmp_path / "certificates/relay.cer").write_bytes(pem(LEAF))
    assert load(tmp_path).certificate("relay")  # one, saved twice
    (tmp_path / "certificates/relay.cer").write_bytes(pem(certificate("relay.council.example")))
    with pytest.raises(OrganisationError, match=r"certificates/relay\.pem: the file: found relay\.cer beside it"):
        load(tmp_path)


def test_the_inner_hops_answer_has_its_own_name(tmp_path: Path) -> None:
    found = answered(tmp_path, "mail-inner.cer", LEAF.public_bytes(Encoding.DER))
    assert found.certificate("mail", "inner")
    assert found.certificate("mail") is None


def test_other_files_in_the_folder_are_nobodys_answer(tmp_path: Path) -> None:
    found = answered(tmp_path, "their-root.cer", TOP.public_bytes(Encoding.DER))
    assert not [name for name in found.files if name.startswith("certificates/")]


@pytest.mark.parametrize("form", ["DER", "PKCS#7", "UTF-16"])
def test_an_authority_is_read_in_the_same_forms(tmp_path: Path, form: str) -> None:
    data = {
        "DER": TOP.public_bytes(Encoding.DER),
        "PKCS#7": pkcs7.serialize_certificates([TOP], Encoding.DER),
        "UTF-16": pem(TOP).decode().encode("utf-16"),
    }[form]
    found = answered(tmp_path, "", b"", ca=data)
    assert x509.load_pem_x509_certificates(found.files["hub/ca.pem"].encode()) == [TOP]


def test_an_authority_that_cannot_be_read_is_named_and_not_called_missing(tmp_path: Path) -> None:
    with pytest.raises(OrganisationError) as caught:
        answered(tmp_path, "", b"", ca=pkcs12.serialize_key_and_certificates(b"x", KEY, TOP, None, ENCRYPTED))
    [problem] = caught.value.problems
    assert (problem.file, "PKCS#12" in problem.found) == ("hub/ca.pem", True)
