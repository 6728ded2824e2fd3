"""A returned certificate is judged before anything is sent to a host."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from cjsm_connect.desired import Desired, Key
from cjsm_connect.desired.certificate import authority_problems, certificate_problems, problems

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


def of(name, host_key, issuer, *, authority=None, other=None, before=(), **more):
    """A key of that name with its returned certificate, and the key beside it."""
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    leaf = issuer.sign(host_key.public_key(), subject, names=["relay"], usages=BOTH, **more)
    file, path = f"hub/{name}.pem", f"/etc/cjsm/tls/{name}-ca.pem"
    trusted = "".join(pem(one) for one in (authority or [issuer.certificate]))
    chain = "".join(pem(one) for one in (*before, leaf))
    return Key(
        name, f"/{name}", "/csr", "/chain", "relay", ("relay",), "Council", trusted, chain,
        authority_file=file, authority_path=path,
    )  # fmt: skip


@pytest.mark.parametrize("made", [{"end": -1, "start": -30}, {}])
def test_what_your_own_ca_got_wrong_is_not_asked_of_the_operator(hub, host_key, made):
    stranger = [Issuer("stranger").certificate] if not made else None
    key = of("inner", host_key, hub, authority=stranger, **made)
    for host_has in (public(host_key), public(ec.generate_private_key(ec.SECP256R1())), ""):
        said = " ".join(certificate_problems(key, host_has, NOW))
        assert "your own CA" in said
        assert "operator" not in said.replace("CN=operator CA", "")


def test_a_chain_in_which_the_hosts_own_does_not_come_first_says_so(hub, host_key):
    (problem,) = certificate_problems(of("hub", host_key, hub, before=[hub.certificate]), public(host_key), NOW)
    assert "does not come first in its file: CN=operator CA stands before it; put it first" in problem


def test_the_right_authority_has_no_problem(hub, host_key):
    keys = [of("hub", host_key, hub), of("inner", host_key, Issuer("our own CA"))]
    assert [line for key in keys for line in authority_problems(key, keys, NOW)] == []


def test_a_certificate_that_is_no_authoritys_is_no_trust_anchor(hub, host_key):
    leaf = hub.sign(host_key.public_key(), hub.name, names=["hub.example"])
    key = of("hub", host_key, hub, authority=[leaf])
    (problem,) = authority_problems(key, [key], NOW)
    assert problem.startswith("hub/hub.pem (hub.ca_file) holds CN=operator CA, which is no authority's certificate")
    assert problem.endswith("expected the certificate as the engineer gives it")


def test_an_authority_that_expired_is_named(hub, host_key):
    key = of("inner", host_key, hub)
    (problem,) = authority_problems(key, [key], NOW + timedelta(days=1000))
    assert "hub/inner.pem (inner.ca_file) holds CN=operator CA, which expired on" in problem


@pytest.mark.parametrize("own", ["the same", "below it", "above it"])
def test_the_hub_and_the_inner_hop_do_not_trust_one_authority(hub, host_key, own):
    below = Issuer("below")
    below.certificate = hub.sign(below.key.public_key(), below.name, ca=True)
    pairs = {"the same": (hub, hub), "below it": (hub, below), "above it": (below, hub)}
    keys = [of(name, host_key, issuer) for name, issuer in zip(("hub", "inner"), pairs[own], strict=True)]
    for key, other in ((keys[0], "inner"), (keys[1], "hub")):
        (problem,) = authority_problems(key, keys, NOW)
        assert f"hub/{key.name}.pem" in problem and f"which {other}.ca_file trusts too" in problem


def test_a_strangers_authority_is_told_with_both_names_and_the_file(hub, host_key):
    key = of("hub", host_key, hub, authority=[Issuer("stranger").certificate])
    (problem,) = certificate_problems(key, public(host_key), NOW)
    assert "nobody given is its issuer CN=operator CA; hub/hub.pem holds CN=stranger" in problem


def test_a_new_authority_is_judged_with_the_certificate_that_is_installed_already(hub, host_key):
    """Nothing was returned anew: it is the file of the authority that changes."""
    key = of("hub", host_key, hub, authority=[Issuer("stranger").certificate])
    state = {"keys": {key.path: {"chain": key.certificate_digest, "public": public(host_key)}}}
    assert problems(Desired(keys=(key,)), state, now=NOW) == []
    told = problems(Desired(keys=(key,)), state, {key.authority_path}, NOW)
    assert any("does not lead" in line for line in told)


def test_pinned_keys_need_no_authority(hub, host_key):
    key = replace(of("inner", host_key, hub, start=-9, end=3000), authority="", authority_file="", authority_path="")
    assert certificate_problems(key, public(host_key), NOW) == []
