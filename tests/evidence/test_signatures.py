"""Both signatures: what they accept, and that no byte of them can change."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from cjsm_connect.evidence import CMS, DSSE, STATEMENT, Refused, cms, dsse, keys
from cjsm_connect.evidence.statement import read
from cjsm_connect.evidence.strict_json import readable
from tests.evidence.samples import key, other_key, signed

PAYLOAD = b'{"said":"this"}'
PUBLIC = key().private.public_key()


def flipped(data: bytes, at: int) -> bytes:
    return data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :]


def test_both_signatures_accept_what_their_key_signed() -> None:
    assert dsse.verify(dsse.sign(PAYLOAD, key().private), PUBLIC) == PAYLOAD
    cms.verify(cms.sign(PAYLOAD, key()), PAYLOAD, PUBLIC)


def test_no_byte_of_the_cms_signature_can_change() -> None:
    signature = cms.sign(PAYLOAD, key())
    for at in range(len(signature)):
        with pytest.raises(Refused):
            cms.verify(flipped(signature, at), PAYLOAD, PUBLIC)


def test_no_value_of_the_dsse_envelope_can_change() -> None:
    envelope = dsse.sign(PAYLOAD, key().private)
    for at in range(len(envelope)):
        with pytest.raises(Refused):
            dsse.verify(flipped(envelope, at), PUBLIC)


def test_base64_that_could_be_written_in_two_ways_is_refused() -> None:
    envelope = json.loads(dsse.sign(b"12", key().private))
    assert envelope["payload"] == "MTI="
    with pytest.raises(Refused, match="canonical base64"):  # the same two bytes
        dsse.verify(json.dumps(envelope | {"payload": "MTJ="}).encode(), PUBLIC)


def test_a_signature_of_somebody_else_before_ours_is_refused() -> None:
    """Which of them another program looks at, we cannot know."""
    ours, other = (json.loads(dsse.sign(PAYLOAD, one.private))["signatures"] for one in (key(), other_key()))
    envelope = json.loads(dsse.sign(PAYLOAD, key().private))
    for both in (other + ours, ours + other, ours + ours):
        with pytest.raises(Refused, match="a list of 1 signature"):
            dsse.verify(readable(envelope | {"signatures": both}), PUBLIC)


@pytest.mark.parametrize("more", [{"comment": "x"}, {}])
def test_an_envelope_with_more_in_it_or_other_spaces_is_refused(more: dict[str, str]) -> None:
    envelope = json.loads(dsse.sign(PAYLOAD, key().private))
    with pytest.raises(Refused, match="one form"):
        dsse.verify(json.dumps(envelope | more).encode(), PUBLIC)


def test_another_key_is_named_as_the_reason() -> None:
    with pytest.raises(Refused, match=f"signed by another key: expected {keys.key_identifier(PUBLIC)}"):
        dsse.verify(dsse.sign(PAYLOAD, other_key().private), PUBLIC)
    with pytest.raises(Refused, match="signed by another key"):
        cms.verify(cms.sign(PAYLOAD, other_key()), PAYLOAD, PUBLIC)


def test_a_certificate_of_ours_with_the_signature_of_another_key_is_refused() -> None:
    mixed = keys.EvidenceKey(key().private, other_key().certificate)
    with pytest.raises(Refused):
        cms.verify(cms.sign(PAYLOAD, mixed), PAYLOAD, PUBLIC)
    with pytest.raises(Refused):
        cms.verify(cms.sign(PAYLOAD, keys.EvidenceKey(other_key().private, key().certificate)), PAYLOAD, PUBLIC)


def test_a_cms_signature_over_other_bytes_is_refused() -> None:
    with pytest.raises(Refused, match="does not match"):
        cms.verify(cms.sign(PAYLOAD, key()), PAYLOAD + b" ", PUBLIC)


def test_a_cms_signature_larger_than_any_is_refused_unread() -> None:
    with pytest.raises(Refused, match="larger than"):
        cms.verify(b"0" * (2**16 + 1), PAYLOAD, PUBLIC)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"payloadType": "text/plain"}, "expected payloadType"),
        ({"payload": 1}, "expected base64"),
        ({"payload": "%%%"}, "expected base64"),
        ({"signatures": []}, "a list of 1 signature"),
        ({"signatures": [{}] * 2}, "a list of 1 signature"),
        ({"signatures": "yes"}, "a list of 1 signature"),
        ({"signatures": [{"sig": "AA=="}]}, "an object with keyid and sig"),
        ({"signatures": [{"keyid": 1, "sig": "AA=="}]}, "an object with keyid and sig"),
        ({"signatures": [{"keyid": "x", "sig": ["AA=="]}]}, "expected base64"),
    ],
)
def test_an_envelope_of_another_form_is_refused(change: dict[str, object], why: str) -> None:
    envelope = json.loads(dsse.sign(PAYLOAD, key().private)) | change
    with pytest.raises(Refused, match=why):
        dsse.verify(json.dumps(envelope).encode(), PUBLIC)


def test_the_statement_names_every_file_and_is_canonical() -> None:
    files = signed()
    statement = read(files[STATEMENT])
    assert sorted(statement.digests) == sorted(files.keys() - {STATEMENT, DSSE, CMS})
    assert statement.type == "https://in-toto.io/Statement/v1"
    with pytest.raises(Refused, match="canonical"):
        read(files[STATEMENT].replace(b'":', b'": ', 1))


@pytest.mark.parametrize(
    ("place", "value"),
    [
        ("organisation", 1),
        ("complete", "yes"),
        ("exit_code", 3),
        ("not_after", "tomorrow"),
        ("totals", {"excellent": 1}),
        ("totals", {"pass": -1}),
        ("nonce", "two words"),
        ("surprise", True),
    ],
)
def test_a_statement_with_a_value_of_the_wrong_kind_is_refused(place: str, value: object) -> None:
    document = json.loads(signed()[STATEMENT])
    document["predicate"][place] = value
    with pytest.raises(Refused, match=place):
        read(json.dumps(document, sort_keys=True, separators=(",", ":")).encode())


@pytest.mark.skipif(shutil.which("openssl") is None, reason="no openssl on this machine")
def test_plain_openssl_verifies_the_statement_with_evidence_pub_alone(tmp_path: Path) -> None:
    files = signed()
    for name in (STATEMENT, CMS):
        (tmp_path / name).write_bytes(files[name])
    (tmp_path / "evidence.pub").write_bytes(keys.certificate_text(key().certificate, "Exampleshire Council"))
    assert "Verification successful" in _openssl(tmp_path).stderr
    (tmp_path / STATEMENT).write_bytes(flipped(files[STATEMENT], 20))
    refused = _openssl(tmp_path)
    assert refused.returncode != 0 and "Verification failure" in refused.stderr


def _openssl(folder: Path) -> subprocess.CompletedProcess[str]:
    """The command that README.txt of each bundle gives."""
    command = "openssl cms -verify -binary -inform DER -in statement.cms -content statement.json -CAfile evidence.pub"
    return subprocess.run(
        [*command.split(), "-out", "/dev/null"], cwd=folder, capture_output=True, text=True, check=False
    )
