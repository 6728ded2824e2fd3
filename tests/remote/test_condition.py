"""Queues are counted where Postfix keeps them, however it spreads them."""

import subprocess
from datetime import UTC, datetime, timedelta

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from cjsm_connect.remote import condition


def test_messages_are_counted_below_all_subdirectories(tmp_path, monkeypatch):
    monkeypatch.setattr(condition, "SPOOL", str(tmp_path))
    monkeypatch.setattr(condition, "oldest", lambda: 7)
    for name in ("deferred/A/AAAA", "deferred/B/BBBB", "active/CCCC"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert condition.queue() == {
        "maildrop": 0,
        "incoming": 0,
        "active": 1,
        "deferred": 2,
        "hold": 0,
        "oldest_seconds": 7,
    }


def test_postfix_is_not_asked_when_nothing_waits(tmp_path, monkeypatch):
    monkeypatch.setattr(condition, "SPOOL", str(tmp_path))
    monkeypatch.setattr(condition.common, "attempt", None)
    assert condition.queue()["oldest_seconds"] is None


def certificate(days, folder):
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "relay")])
    ends = datetime.now(UTC) + timedelta(days=days, hours=1)
    builder = x509.CertificateBuilder(name, name, key.public_key(), 1, ends - timedelta(days=400), ends)
    path = folder / "chain.pem"
    path.write_bytes(builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM))
    return str(path)


def test_days_left_are_whole_days_and_negative_after_the_end(tmp_path):
    subprocess.run(["openssl", "version"], check=True, capture_output=True)
    assert condition.days_left(certificate(10, tmp_path)) == 10
    assert condition.days_left(certificate(-2, tmp_path)) == -2


def test_a_chain_without_a_certificate_has_no_days(tmp_path):
    (tmp_path / "chain.pem").write_text("-----BEGIN PRIVATE KEY-----\n")
    assert condition.days_left(str(tmp_path / "chain.pem")) is None
    assert condition.days_left(str(tmp_path / "missing.pem")) is None
