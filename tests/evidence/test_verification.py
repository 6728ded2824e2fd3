"""Verifying a bundle says exactly what is wrong with it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest

from cjsm_connect.evidence import CMS, DSSE, SIGNATURE_FILES, STATEMENT, bundle, statement
from cjsm_connect.evidence.verification import Reader, Verification, verify
from cjsm_connect.results import Status
from tests.evidence.samples import ALL_PASS, NOW, key, material, other_key, packed, result, run, signed

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
