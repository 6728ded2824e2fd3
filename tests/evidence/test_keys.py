"""The evidence key: private from its first moment, encrypted, never replaced."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from cjsm_connect.evidence import EvidenceError, keys
from tests.evidence.samples import NOW, PASSPHRASE


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    keys.create(tmp_path, "Exampleshire Council", PASSPHRASE, NOW)
    return tmp_path


def public(folder: Path) -> bytes:
    return (folder / "evidence.pub").read_bytes()


def test_the_key_is_encrypted_and_only_its_owner_can_read_it(folder: Path) -> None:
    key = folder / "evidence-key/key.pem"
    assert key.read_text().startswith("-----BEGIN ENCRYPTED PRIVATE KEY-----")
    assert key.stat().st_mode & 0o777 == 0o600
    assert key.parent.stat().st_mode & 0o777 == 0o700


def test_git_ignores_the_folder_wherever_it_is(folder: Path) -> None:
    assert (folder / "evidence-key/.gitignore").read_text() == "*\n"


def test_the_key_opens_with_its_passphrase_and_no_other(folder: Path) -> None:
    loaded = keys.load(folder, PASSPHRASE)
    assert loaded.certificate.public_key() == loaded.private.public_key()
    with pytest.raises(EvidenceError, match="the passphrase does not open"):
        keys.load(folder, PASSPHRASE + "!")


def test_a_key_is_never_replaced(folder: Path) -> None:
    before = public(folder)
    with pytest.raises(EvidenceError, match="is there already and is kept"):
        keys.create(folder, "Exampleshire Council", PASSPHRASE, NOW)
    assert public(folder) == before


def test_a_link_in_the_place_of_the_public_key_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "evidence.pub").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(EvidenceError, match="is there already"):
        keys.create(tmp_path, "Exampleshire Council", PASSPHRASE, NOW)
    assert not (tmp_path / "elsewhere").exists() and not (tmp_path / "evidence-key").exists()


def test_a_short_passphrase_is_refused_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="has 5 characters; expected at least 12"):
        keys.create(tmp_path, "Exampleshire Council", "short", NOW)
    assert not list(tmp_path.iterdir())


def test_a_key_that_others_may_have_read_is_not_used(folder: Path) -> None:
    (folder / "evidence-key/key.pem").chmod(0o644)
    with pytest.raises(EvidenceError, match="mode 0644, expected 0600"):
        keys.load(folder, PASSPHRASE)


def test_without_a_key_the_command_that_makes_one_is_told(tmp_path: Path) -> None:
    with pytest.raises(EvidenceError, match="cjsm evidence init"):
        keys.load(tmp_path, PASSPHRASE)


def test_an_unencrypted_key_is_not_used(folder: Path) -> None:
    clear = keys.load(folder, PASSPHRASE).private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "evidence-key/key.pem").write_bytes(clear)
    with pytest.raises(EvidenceError, match="is not encrypted"):
        keys.load(folder, PASSPHRASE)


def test_a_public_key_of_another_key_is_noticed(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    keys.create(other, "Exampleshire Council", PASSPHRASE, NOW)
    (folder / "evidence.pub").write_bytes(public(other))
    with pytest.raises(EvidenceError, match="does not belong to"):
        keys.load(folder, PASSPHRASE)


def test_certificate_and_plain_public_key_are_the_same_key(folder: Path) -> None:
    loaded = keys.load(folder, PASSPHRASE)
    plain = loaded.private.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    assert keys.public_key(plain, "plain.pem") == keys.public_key(public(folder), "evidence.pub")


def test_the_public_file_shows_the_fingerprint_of_the_sheet(folder: Path) -> None:
    fingerprint = keys.fingerprint(keys.load(folder, PASSPHRASE).private.public_key())
    assert len(fingerprint.split()) == 16
    assert fingerprint in public(folder).decode()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"", "expected a PEM certificate or public key"),
        (b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "expected a PEM certificate or public key"),
        (os.urandom(300), "expected a PEM certificate or public key"),
    ],
)
def test_a_file_that_is_no_public_key_is_named(data: bytes, why: str) -> None:
    with pytest.raises(EvidenceError, match=f"thing.pub: {why}"):
        keys.public_key(data, "thing.pub")


@pytest.mark.parametrize("other", [rsa.generate_private_key(65537, 2048), ec.generate_private_key(ec.SECP384R1())])
def test_another_kind_of_key_is_refused(other: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> None:
    pem = other.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    with pytest.raises(EvidenceError, match="expected an ECDSA P-256 key"):
        keys.public_key(pem, "other.pub")
