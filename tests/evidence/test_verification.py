"""Verifying a bundle says exactly what is wrong with it."""

from __future__ import annotations

import json
import os
import ssl
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID

from cjsm_connect.evidence import CMS, DSSE, SIGNATURE_FILES, STATEMENT, bundle, cms, dsse, keys, statement
from cjsm_connect.evidence.strict_json import canonical
from cjsm_connect.evidence.verification import Reader, Verification, verify
from cjsm_connect.results import Status
from tests.evidence.samples import ALL_PASS, NOW, key, material, other_key, packed, result, run, signed
from tests.made_up import ROOT

PUBLIC = key().private.public_key()


def verified(files: dict[str, bytes], nonce: str | None = None, days: float = 0) -> Verification:
    return verify(packed(files), PUBLIC, nonce, NOW + timedelta(days=days))


def only_problem(found: Verification) -> str:
    assert len(found.problems) == 1, found.problems
    return found.problems[0]


def test_a_bundle_as_signed_is_genuine() -> None:
    found = verified(signed())
    assert found.genuine
    assert found.statement is not None
    assert found.statement.predicate.organisation == "Exampleshire Council"
    assert found.statement.predicate.complete


@pytest.mark.parametrize("name", sorted(signed().keys() - SIGNATURE_FILES))
def test_a_changed_byte_is_found_and_the_file_named(name: str) -> None:
    files = signed()
    files[name] = files[name][:-1] + bytes([files[name][-1] ^ 1])
    assert only_problem(verified(files)).startswith(f"{name} was changed after signing")


def test_a_missing_file_is_named() -> None:
    files = signed()
    del files["observations.json"]
    assert only_problem(verified(files)) == "observations.json is missing: it was signed, but is not in the bundle"


def test_an_extra_file_is_named() -> None:
    found = verified(signed() | {"more.txt": b"trust me"})
    assert only_problem(found) == "more.txt is extra: it is in the bundle, but was not signed"


@pytest.mark.parametrize("name", sorted(SIGNATURE_FILES))
def test_a_bundle_without_one_of_its_signature_files_is_no_bundle(name: str) -> None:
    files = signed()
    del files[name]
    assert only_problem(verified(files)) == f"not an evidence bundle: {name} missing"


def test_a_bundle_of_another_key_is_refused_and_nothing_of_it_is_believed() -> None:
    found = verified(signed(by=other_key()))
    assert "signed by another key" in only_problem(found)
    assert found.statement is None


def test_the_cms_signature_must_be_of_the_same_key() -> None:
    files = signed() | {CMS: signed(by=other_key())[CMS]}
    assert only_problem(verified(files)).startswith("statement.cms: signed by another key")


def test_a_statement_exchanged_beside_its_envelope_is_found() -> None:
    files = signed() | {STATEMENT: signed(nonce="other")[STATEMENT]}
    problems = verified(files).problems
    assert problems[0].startswith("statement.json was changed after signing")
    assert problems[1].startswith("statement.cms: the signature does not match")


def test_signatures_of_two_bundles_cannot_be_mixed() -> None:
    files = signed() | {DSSE: signed(nonce="other")[DSSE]}
    assert "differs from the statement" in verified(files).problems[0]


def test_evidence_expires_and_says_when() -> None:
    assert verified(signed(), days=29.9).genuine
    assert only_problem(verified(signed(), days=30.1)).startswith("expired: the evidence was valid until 2026-12-21")


def test_evidence_from_the_future_is_refused_beyond_a_few_minutes() -> None:
    assert verified(signed(), days=-4 / 1440).genuine
    assert only_problem(verified(signed(), days=-6 / 1440)).startswith("not valid yet: valid from 2026-11-21T12:00:00Z")


def test_the_nonce_must_be_the_one_that_was_asked_for() -> None:
    assert verified(signed(nonce="engineer-4711"), nonce="engineer-4711").genuine
    assert "expected engineer-4712, found engineer-4711" in only_problem(
        verified(signed(nonce="engineer-4711"), "engineer-4712")
    )
    assert "found no nonce" in only_problem(verified(signed(), nonce="engineer-4711"))


def test_totals_that_do_not_follow_from_the_results_are_refused_although_signed() -> None:
    failed = json.loads(signed(run(result("tls.inner", Status.FAIL)))["results.json"])
    lie = signed(run(result("tls.inner")), extra={"results.json": json.dumps(failed).encode()})
    assert any("the totals do not follow from the results" in problem for problem in verified(lie).problems)


def test_a_run_with_gaps_cannot_be_called_complete_although_signed() -> None:
    made = run(*ALL_PASS, result("tls.inner", Status.NOT_TESTED))
    files = material(made).files
    said = statement.state(made, files, statement.validity(NOW, 30, None))
    lie = said.model_copy(update={"predicate": said.predicate.model_copy(update={"complete": True})})
    assert only_problem(verified(bundle.sign(files, lie, key()))).startswith("the statement says complete, but")


@pytest.mark.parametrize(
    "content", [b"[]", b"{}", b'{"results": [1]}', b'{"results": [{"status": "good"}]}', b"nonsense"]
)
def test_results_of_another_form_are_refused_although_signed(content: bytes) -> None:
    assert only_problem(verified(signed(extra={"results.json": content}))).startswith("results.json: expected")


def test_an_incomplete_run_is_signed_as_incomplete() -> None:
    found = verified(signed(run(*ALL_PASS, result("logging.forward", Status.NOT_TESTED))))
    assert found.genuine and found.statement is not None
    assert not found.statement.predicate.complete
    assert found.statement.predicate.totals[Status.NOT_TESTED] == 1


def test_several_things_wrong_are_all_told() -> None:
    files = signed() | {"more.txt": b""}
    del files["domains.txt"]
    assert len(verified(files, nonce="mine", days=99).problems) == 4


def test_another_organisation_than_the_keys_is_named() -> None:
    found = verify(packed(signed()), PUBLIC, None, NOW, Reader("Another Council"))
    expected = "another organisation: the key is that of Another Council, the evidence is about Exampleshire Council"
    assert only_problem(found) == expected
    assert verify(packed(signed()), PUBLIC, None, NOW, Reader("Exampleshire Council")).genuine


@pytest.mark.parametrize(("ours", "accepted"), [("8", False), ("9", True), ("10", True)])
def test_evidence_of_a_newer_catalogue_is_not_taken_as_judged(ours: str, accepted: bool) -> None:
    files = signed(run(catalogue_version="9.0123456789ab"))
    found = verify(packed(files), PUBLIC, None, NOW, Reader(catalogue=f"{ours}.ba9876543210"))
    assert found.genuine is accepted
    if not accepted:
        assert only_problem(found).startswith("newer catalogue: the evidence was judged by edition 9 (9.0123456789ab")
        assert "editions up to 8 (8.ba9876543210)" in only_problem(found)


@pytest.mark.parametrize(
    "version", ["", "x", "0123456789ab", "9", "-9.0123456789ab", "٩.0123456789ab", "09.0123456789ab"]
)
def test_a_catalogue_that_no_tool_has_is_refused_and_not_the_oldest(version: str) -> None:
    files = signed(run(catalogue_version=version))
    assert only_problem(verified(files)).startswith("unknown catalogue: ")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"not_after": NOW + timedelta(days=367)}, "366 days at most"),
        ({"not_after": datetime(2199, 1, 1, tzinfo=UTC)}, "366 days at most"),
        ({"not_after": NOW - timedelta(days=1)}, "an end after the beginning"),
        ({"ended": "2099-01-01T00:00:00+00:00"}, "still to come"),
        ({"started": "2018-11-21T11:00:00+00:00", "ended": "2018-11-21T11:01:00+00:00"}, "366 days at most before"),
        ({"started": "2025-11-20T11:00:00+00:00"}, "366 days at most before"),
        ({"started": "2026-11-20T11:00:00+00:00"}, "a day at most"),
        ({"ended": "2026-11-21T12:06:00+00:00"}, "still to come"),
        ({"started": "2026-11-21T12:00:00+00:00"}, "the end is before the beginning"),
        ({"ended": "yesterday"}, "two times with their zone"),
        ({"started": "2026-11-21T11:59:45"}, "two times with their zone"),
        ({"started": "0001-01-01T00:00:00+00:00"}, "two times with their zone"),
        ({"ended": "9999-12-31T23:59:59-23:59"}, "two times with their zone"),
    ],
)
def test_times_that_nobody_can_have_looked_at_hosts_or_may_rely_on_are_refused(
    changes: dict[str, Any], said: str
) -> None:
    files = material().files
    claimed = statement.state(run(), files, statement.validity(NOW, 30, None))
    lie = claimed.model_copy(update={"predicate": claimed.predicate.model_copy(update=changes)})
    found = verified(bundle.sign(files, lie, key()))
    assert any(said in problem for problem in found.problems), found.problems


def test_a_few_minutes_between_two_clocks_are_forgiven() -> None:
    assert verified(signed(run(ended="2026-11-21T12:04:00+00:00"))).genuine


@pytest.mark.parametrize(
    "moment", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "2026-11-21T12:00:00+00:00", "1.7e9"]
)
def test_a_time_of_another_spelling_or_out_of_any_calendar_is_refused(moment: str) -> None:
    document = json.loads(signed()[STATEMENT])
    document["predicate"]["not_before"] = moment
    payload = canonical(document)
    files = signed() | {STATEMENT: payload, DSSE: dsse.sign(payload, key().private), CMS: cms.sign(payload, key())}
    assert only_problem(verified(files)).startswith("statement.json: not")


def certificate(**changes: Any) -> keys.EvidenceKey:
    """The evidence key with a certificate that differs in one thing."""
    private, own = key().private, key().certificate
    name = changes.get("name", own.subject)
    builder = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(changes.get("start", NOW - timedelta(days=1)))
        .not_valid_after(changes.get("end", NOW + timedelta(days=30)))
    )
    for value, critical in changes.get("extensions", keys.EXTENSIONS):
        builder = builder.add_extension(value, critical)
    return keys.EvidenceKey(private, builder.sign(changes.get("by", private), hashes.SHA256()))


OTHER_EXTENSIONS = {
    "a CA": [(x509.BasicConstraints(ca=True, path_length=None), True), *keys.EXTENSIONS[1:]],
    "none": [],
    "one more": [*keys.EXTENSIONS, (x509.SubjectAlternativeName([x509.DNSName("x.example")]), False)],
    "for servers": [*keys.EXTENSIONS[:2], (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), False)],
}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"end": NOW - timedelta(seconds=1)}, "has expired"),
        ({"start": NOW + timedelta(minutes=1)}, "not valid yet"),
        ({"end": NOW + timedelta(days=1200)}, "expected 1095 at most"),
        *(({"extensions": extensions}, "other extensions") for extensions in OTHER_EXTENSIONS.values()),
    ],
)
def test_a_certificate_that_does_not_stand_behind_evidence_is_refused(changes: dict[str, Any], said: str) -> None:
    by = certificate(**changes)
    found = verify(packed(signed(by=by)), PUBLIC, None, NOW, Reader(certificate=by.certificate))
    assert said in only_problem(found)


def test_another_certificate_of_the_same_key_than_the_one_given_is_refused_as_openssl_does() -> None:
    found = verify(packed(signed()), PUBLIC, None, NOW, Reader(certificate=certificate().certificate))
    assert "another certificate of this key" in only_problem(found)
    assert verify(packed(signed()), PUBLIC, None, NOW, Reader(certificate=key().certificate)).genuine


def test_a_serial_number_that_is_not_positive_is_refused_without_a_word_of_a_library(tmp_path: Path) -> None:
    """No library makes one, so it is changed in the DER; the whole program, as warnings are the process's."""
    der = certificate().certificate.public_bytes(Encoding.DER)
    at = der.index(b"\xa0\x03\x02\x01\x02\x02\x01\x01") + 7
    pem = ssl.DER_cert_to_PEM_cert(der[:at] + b"\0" + der[at + 1 :])
    (tmp_path / "evidence.pub").write_text(pem)
    (tmp_path / "bundle.tar").write_bytes(packed(signed()))
    command = [sys.executable, "-m", "cjsm_connect", "verify", "bundle.tar", "--key", "evidence.pub"]
    done = subprocess.run(
        command, cwd=tmp_path, env={**os.environ, "PYTHONPATH": str(ROOT)}, capture_output=True, text=True, check=False
    )
    assert (done.returncode, "REFUSED" in done.stdout) == (1, True), done
    assert "arning" not in done.stderr
    with pytest.warns(UserWarning, match="positive"):
        found = keys.certificate(pem.encode())
        assert found is not None and "a positive one" in "".join(keys.doubts(found, NOW))
