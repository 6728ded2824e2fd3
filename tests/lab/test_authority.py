"""The lab's authorities: chains that others verify, and requests that are answered as they were asked."""

from __future__ import annotations

import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cjsm_connect.lab import authority, folder, topology
from cjsm_connect.results import CjsmError


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(authority, "FOLDER", tmp_path / "ca")
    authority.operator.cache_clear()
    authority.inner.cache_clear()


def request(name: str) -> str:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    asked = x509.CertificateSigningRequestBuilder(subject).add_extension(
        x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False
    )
    return asked.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM).decode()


def verify(chain: Path, root: Path, purpose: str) -> subprocess.CompletedProcess[str]:
    command = ["openssl", "verify", "-x509_strict", "-purpose", purpose, "-CAfile", str(root), "-untrusted", str(chain)]
    return subprocess.run([*command, str(chain)], capture_output=True, text=True, check=False)


def written(path: Path, content: str) -> Path:
    path.write_text(content)
    return path


@pytest.mark.parametrize("purpose", ["sslserver", "sslclient"])
def test_openssl_verifies_a_signed_request_against_the_root_for_both_ends(tmp_path: Path, purpose: str) -> None:
    chain = written(tmp_path / "relay.pem", authority.operator().sign_request(request("relay.council.example")))
    root = written(tmp_path / "root.pem", authority.pem(authority.operator().root))
    assert verify(chain, root, purpose).returncode == 0


def test_the_inner_authority_is_not_the_operators(tmp_path: Path) -> None:
    chain = written(tmp_path / "relay.pem", authority.inner().sign_request(request("relay.council.example")))
    root = written(tmp_path / "root.pem", authority.pem(authority.operator().root))
    assert verify(chain, root, "sslserver").returncode != 0


def test_a_signed_request_keeps_its_names() -> None:
    chain = authority.operator().sign_request(request("relay.council.example"))
    names = x509.load_pem_x509_certificate(chain.encode()).extensions.get_extension_for_class(
        x509.SubjectAlternativeName
    )
    assert names.value.get_values_for_type(x509.DNSName) == ["relay.council.example"]


@pytest.mark.parametrize(
    ("wrong", "purpose", "why"),
    [
        ({"starts": -90, "days": 89}, "sslserver", "certificate has expired"),
        ({"starts": 7}, "sslserver", "certificate is not yet valid"),
        ({"use": "server"}, "sslclient", "unsuitable certificate purpose"),
        ({"name": "webmail.council.example"}, "sslserver", ""),
    ],
)
def test_a_request_is_answered_wrongly_in_one_thing(
    tmp_path: Path, wrong: dict[str, Any], purpose: str, why: str
) -> None:
    answer = authority.operator().sign_wrongly(request("relay.council.example"), **wrong)
    chain, root = written(tmp_path / "relay.pem", answer), tmp_path / "root.pem"
    done = verify(chain, written(root, authority.pem(authority.operator().root)), purpose)
    assert why in done.stderr
    assert bool(done.returncode) is bool(why)
    named = subprocess.run(
        ["openssl", "x509", "-noout", "-text"], input=answer, capture_output=True, text=True, check=True
    )
    assert f"DNS:{wrong.get('name', 'relay.council.example')}" in named.stdout


def test_a_request_signed_with_another_key_is_refused() -> None:
    one, other = request("a.example"), request("b.example")
    forged = x509.load_pem_x509_csr(one.encode()).public_bytes(serialization.Encoding.DER)
    signature = x509.load_pem_x509_csr(other.encode()).signature
    tampered = forged[: -len(signature)] + bytes(reversed(signature[:4])) + signature[4:]
    pem = "-----BEGIN CERTIFICATE REQUEST-----\n%s-----END CERTIFICATE REQUEST-----\n"
    import base64

    with pytest.raises((CjsmError, ValueError)):
        authority.operator().sign_request(pem % base64.encodebytes(tampered).decode())


def test_a_certificate_can_be_expired_on_purpose() -> None:
    key = ec.generate_private_key(ec.SECP256R1()).public_key()
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "old.example")])
    issued = authority.operator().issue(subject, [], key, days=1, start=datetime(2020, 1, 1, tzinfo=UTC))
    assert issued.not_valid_after_utc == datetime(2020, 1, 2, tzinfo=UTC)


def test_a_members_certificate_is_made_once_and_its_key_is_private() -> None:
    first, again = authority.member("hub-client", "hub.example"), authority.member("hub-client", "hub.example")
    assert first == again
    assert (authority.FOLDER / "hub-client.key").stat().st_mode & 0o777 == 0o600


def test_the_fingerprint_is_that_of_the_public_key(tmp_path: Path) -> None:
    _, chain = authority.member("member", "member.example")
    pem = written(tmp_path / "chain.pem", chain)
    script = f"openssl x509 -in {pem} -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum"
    expected = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=True).stdout.split()[0]
    assert authority.fingerprint(chain).replace(":", "") == expected


def test_sign_answers_each_request_from_its_own_authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folder, "organisation_folder", lambda _lab: tmp_path)
    certificates = tmp_path / "certificates"
    certificates.mkdir()
    for name in ("relay", "relay-inner", "mail-inner"):
        written(certificates / f"{name}.csr", request("x.council.example"))

    answered = folder.sign("any", [topology.RELAY])

    assert [path.name for path in answered] == ["relay-inner.pem", "relay.pem"]
    issuers = [x509.load_pem_x509_certificate(path.read_bytes()).issuer for path in answered]
    assert issuers == [authority.inner().issuing.subject, authority.operator().issuing.subject]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [({}, ""), ({"revoked": True}, "certificate revoked"), ({"stale": True}, "CRL has expired")],
)
def test_openssl_finds_what_was_revoked_by_the_list_that_the_certificate_names(
    tmp_path: Path, wrong: dict[str, Any], why: str
) -> None:
    operator = authority.operator()
    chain = written(tmp_path / "relay.pem", operator.sign_wrongly(request("relay.council.example"), **wrong))
    root = written(tmp_path / "root.pem", authority.pem(operator.root))
    named = subprocess.run(
        ["openssl", "x509", "-text", "-in", chain], capture_output=True, text=True, check=True
    ).stdout
    [place] = [line.strip() for line in named.splitlines() if "URI:" in line]
    lists = operator.lists()
    published = [lists[place.rpartition("/")[2]], lists["operator-root.crl"]]
    text = b"".join(x509.load_der_x509_crl(one).public_bytes(serialization.Encoding.PEM) for one in published)
    given = ["-crl_check_all", "-CRLfile", str(written(tmp_path / "crl.pem", text.decode()))]
    command = ["openssl", "verify", "-CAfile", str(root), "-untrusted", str(chain), *given, str(chain)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert why in done.stderr
    assert bool(done.returncode) is bool(why)
