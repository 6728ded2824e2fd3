"""A returned certificate is judged before anything is sent to a host."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cjsm_connect.desired import Key
from cjsm_connect.desired.certificate import certificate_problems

NOW = datetime(2026, 11, 21, tzinfo=UTC)
BOTH = [ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH]


class Issuer:
    """A CA of the test's own."""

    def __init__(self, name):
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self.sign(self.key.public_key(), self.name, ca=True)

    def sign(self, public, subject, *, names=(), usages=(), start=-1, end=365, ca=False):
        builder = (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self.name)
            .public_key(public)
            .serial_number(x509.random_serial_number())
            .not_valid_before(NOW + timedelta(days=start))
            .not_valid_after(NOW + timedelta(days=end))
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        )
        if names:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(n) for n in names]), critical=False
            )
        if usages:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usages), critical=False)
        return builder.sign(self.key, hashes.SHA256())


def pem(certificate):
    return certificate.public_bytes(Encoding.PEM).decode()


def public(key):
    return key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()


@pytest.fixture(scope="module")
def hub():
    return Issuer("operator CA")


@pytest.fixture(scope="module")
def host_key():
    return ec.generate_private_key(ec.SECP256R1())


def judged(hub, host_key, authority=None, installed=None, **made):
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay.council.example")])
    arguments = {"names": ["relay.council.example"], "usages": BOTH} | made
    certificate = pem(hub.sign(host_key.public_key(), subject, **arguments))
    key = Key(
        "hub",
        "/etc/cjsm/tls/hub.key",
        "/etc/cjsm/tls/hub.csr",
        "/etc/cjsm/tls/hub.chain.pem",
        "relay.council.example",
        ("relay.council.example",),
        "Council",
        pem((authority or hub).certificate),
        certificate,
    )
    return certificate_problems(key, public(installed or host_key), NOW)


def test_the_right_certificate_has_no_problem(hub, host_key):
    assert judged(hub, host_key) == []


@pytest.mark.parametrize(
    ("made", "sentence"),
    [
        ({"end": -1, "start": -30}, "expired on 2026-11-20"),
        ({"start": 5}, "is not valid before 2026-11-26"),
        ({"names": ["other.example"]}, "lacks the name relay.council.example"),
        ({"names": []}, "found: none"),
        ({"usages": BOTH[:1]}, "may not be used as TLS client"),
        ({"usages": BOTH[1:]}, "may not be used as TLS server"),
    ],
)
def test_a_wrong_certificate_is_told_by_what_is_wrong_with_it(hub, host_key, made, sentence):
    (problem,) = judged(hub, host_key, **made)
    assert sentence in problem


def test_a_certificate_for_another_key_is_refused(hub, host_key):
    other = ec.generate_private_key(ec.SECP256R1())
    (problem,) = judged(hub, host_key, installed=other)
    assert "another key" in problem


def test_a_certificate_of_another_ca_of_the_same_name_is_refused(hub, host_key):
    (problem,) = judged(hub, host_key, authority=Issuer("operator CA"))
    assert "does not lead to the declared CA" in problem


def test_all_problems_are_told_at_once(hub, host_key):
    assert len(judged(hub, host_key, end=-1, start=-9, names=["x.example"], authority=Issuer("y"))) == 3


def test_a_certificate_for_a_key_that_the_host_has_lost_says_how_to_get_on(hub, host_key):
    key = Key("hub", "/k", "/k.csr", "/k.chain", "relay", (), "Council", pem(hub.certificate))
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    returned = replace(key, certificate=pem(hub.sign(host_key.public_key(), subject, names=["relay"])))
    (problem,) = certificate_problems(returned, "", NOW)
    assert "is for a key that the host does not have (any more); move it out of the certificates folder" in problem
