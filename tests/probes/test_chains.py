"""Which certificates are in use is what listeners and the hub presented, and each is looked up with its own CA."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import NameOID

from cjsm_connect.probes import chains
from cjsm_connect.probes.chains import NO_WAY, NOTHING_SHOWN, PINNED
from cjsm_connect.probes.lists import Lists
from tests.made_up import authority, lab_file, organisation

NOW = datetime(2026, 11, 21, tzinfo=UTC)
URL = "http://pki.example/ca.crl"
MADE_UP = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))  # of the CA in tests/made_up.py
ISSUER = x509.load_pem_x509_certificate(authority().encode()).subject
FINGERPRINT = ":".join(["ab"] * 32)


def leaf(name: str, serial: int, key: Any = MADE_UP, url: str = URL) -> str:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    public = ec.generate_private_key(ec.SECP256R1()).public_key()
    point = x509.DistributionPoint([x509.UniformResourceIdentifier(url)], None, None, None)
    builder = x509.CertificateBuilder(ISSUER, subject, public, serial, NOW, NOW + timedelta(days=90))
    signed = builder.add_extension(x509.CRLDistributionPoints([point]), critical=False).sign(key, None)
    return signed.public_bytes(serialization.Encoding.PEM).decode()


def revoking(*serials: int) -> bytes:
    builder = x509.CertificateRevocationListBuilder(ISSUER, NOW, NOW + timedelta(days=7))
    for serial in serials:
        entry = x509.RevokedCertificateBuilder(serial, NOW).build()
        builder = builder.add_revoked_certificate(entry)
    return builder.sign(MADE_UP, None).public_bytes(serialization.Encoding.DER)


class Published(Lists):
    """Lists that are where they should be, and what was asked for."""

    def __init__(self, **published: bytes) -> None:
        super().__init__()
        self.asked: list[str] = []
        self.published = published or {URL: revoking()}

    def fetch(self, addresses: Any) -> None:
        self.asked += list(addresses)
        self.got.update({address: self.published.get(address, "no answer") for address in self.asked})


def host(**identities: list[list[str]]) -> dict[str, Any]:
    presented = {name: {"presented": [{"chain": chain} for chain in each]} for name, each in identities.items()}
    return {"facts": {"tls": {"identities": presented}}}


def handshake(pem: str) -> dict[str, Any]:
    return {"hub.handshake:relay:203.0.113.20": {"subject": "relay", "tls": {"peer_certificate_pem": pem}}}


def revoked(outcome: dict[str, Any]) -> list[bool]:
    return [bool(row["list"]["revoked"]) for row in outcome["chain"]]


def test_each_identity_and_the_hub_are_looked_up() -> None:
    hosts = {"relay": host(hub=[[leaf("relay", 1)]], inner=[[leaf("relay", 2)]]), "mail": host(inner=[[leaf("m", 3)]])}
    lists = Published(**{URL: revoking(2, 4)})
    found = chains.outcomes(organisation(), hosts, handshake(leaf("hub", 4)), lists)
    assert {name: revoked(outcome) for name, outcome in found.items()} == {
        "revocation.hub:relay": [False],
        "revocation.inner:relay": [True],
        "revocation.inner:mail": [False],
        "revocation.peer:relay:203.0.113.20": [True],
    }
    assert {outcome["at"] for outcome in found.values()} == {"controller"}


def test_what_is_asked_ahead_are_the_hosts_own() -> None:
    lists = Published()
    chains.ask_ahead(organisation(), {"relay": host(hub=[[leaf("relay", 1)]])}, lists)
    assert lists.asked == [URL]


def test_no_address_is_asked_that_the_declared_authority_did_not_write() -> None:
    stranger = leaf("relay", 1, ed25519.Ed25519PrivateKey.generate(), "http://192.0.2.250/secret")
    lists = Published()
    found = chains.outcomes(organisation(), {"relay": host(hub=[[stranger]])}, {}, lists)
    assert lists.asked == []
    assert found["revocation.hub:relay"]["could_not_tell"] == NO_WAY


def test_two_listeners_with_the_same_chain_are_one_and_one_that_is_silent_hides_none() -> None:
    chain = [leaf("mail", 1)]
    found = chains.outcomes(organisation(), {"mail": host(inner=[chain, [], chain])}, {}, Published())
    assert revoked(found["revocation.inner:mail"]) == [False]


def test_two_listeners_with_different_certificates_are_both_looked_up() -> None:
    hosts = {"mail": host(inner=[[leaf("mail", 1)], [leaf("mail", 2)]])}
    found = chains.outcomes(organisation(), hosts, {}, Published(**{URL: revoking(2)}))
    assert sorted(revoked(found["revocation.inner:mail"])) == [False, True]


def test_nothing_is_known_of_what_was_not_presented() -> None:
    found = chains.outcomes(organisation(), {"relay": host(hub=[[]])}, handshake(""), Published())
    assert {outcome["could_not_tell"] for outcome in found.values()} == {NOTHING_SHOWN}


def test_without_a_handshake_nothing_is_known_of_the_hub_for_the_same_reason() -> None:
    silent = {"hub.handshake:relay:203.0.113.20": {"not_tried": "only with --hub", "subject": "relay"}}
    found = chains.outcomes(organisation(), {}, silent, Published())
    assert found["revocation.peer:relay:203.0.113.20"]["not_tried"] == "only with --hub"


def test_a_host_that_could_not_be_asked_is_left_out() -> None:
    assert chains.outcomes(organisation(), {"relay": {"facts": {}, "unreachable": "no"}}, {}, Published()) == {}


def test_pinned_keys_have_no_authority_that_could_revoke_them() -> None:
    hosts = [
        {**one, "inner_fingerprint": FINGERPRINT} if one["role"] in ("relay", "mail") else one
        for one in lab_file()["hosts"]
    ]
    pinned = organisation(hosts=hosts, inner={"mode": "pinned", "ca_file": None})
    lists = Published()
    found = chains.outcomes(pinned, {"mail": host(inner=[[leaf("mail", 1)]])}, {}, lists)
    assert found["revocation.inner:mail"]["not_tried"] == PINNED
    assert lists.asked == []


def test_the_list_of_the_organisations_own_file_counts() -> None:
    known = organisation()
    pem = x509.load_der_x509_crl(revoking(1)).public_bytes(serialization.Encoding.PEM).decode()
    inner = known.inner.model_copy(update={"crl_file": Path("/organisation/hub/inner.crl")})
    files = {**known.files, "hub/inner.crl": pem}
    kept = known.model_copy(update={"inner": inner, "files": files})
    found = chains.outcomes(kept, {"mail": host(inner=[[leaf("mail", 1)]])}, {}, Published(**{"x": b""}))
    [row] = found["revocation.inner:mail"]["chain"]
    assert row["list"]["from"] == "crl_file" and row["list"]["revoked"]
