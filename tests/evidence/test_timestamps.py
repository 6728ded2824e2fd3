"""Timestamps (RFC 3161): a real authority's token is verified, a hostile one's is refused, and the bundle stands."""

from __future__ import annotations

import socket
import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cjsm_connect.evidence import CMS, TIMESTAMP, EvidenceError, Refused, timestamps
from cjsm_connect.evidence.bundle import sign
from cjsm_connect.evidence.statement import Validity, state
from cjsm_connect.evidence.verification import Reader, Verification, verify
from cjsm_connect.verbs._timestamp import Stamping, checked, stamped
from tests.evidence.authority import Tsa, served
from tests.evidence.samples import key, material, packed, run

SIGNATURE = b"a made-up signature"


@pytest.fixture(scope="module")
def tsa(tmp_path_factory: pytest.TempPathFactory) -> Tsa:
    return Tsa(tmp_path_factory.mktemp("tsa"))


@pytest.fixture(scope="module")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Tsa:
    return Tsa(tmp_path_factory.mktemp("stranger"))


def roots(of: Tsa) -> timestamps.Roots:
    return timestamps.roots_of(of.root.read_bytes(), "root.pem")


@pytest.fixture(scope="module")
def files(tsa: Tsa) -> dict[str, bytes]:
    """A bundle signed today, with a timestamp."""
    now = datetime.now(UTC).replace(microsecond=0)
    payload = material().files
    signed = sign(payload, state(run(), payload, Validity(now, now + timedelta(days=30), None)), key())
    with served(tsa.answer) as url:
        found, doubt = Stamping(url, roots(tsa)).added(signed)
    assert doubt == ""
    return found


def verified(files: dict[str, bytes], *authorities: Tsa) -> Verification:
    trusted = tuple(root for one in authorities for root in roots(one))
    return verify(packed(files), key().private.public_key(), None, datetime.now(UTC), Reader(authorities=trusted))


def test_a_timestamp_is_verified_with_the_authoritys_root(files: dict[str, bytes], tsa: Tsa) -> None:
    found = verified(files, tsa)
    assert found.genuine and found.stamped is not None
    assert abs(found.stamped - datetime.now(UTC)) < timedelta(minutes=5)


def test_openssl_verifies_the_same_token_as_documented(files: dict[str, bytes], tsa: Tsa, tmp_path: Path) -> None:
    for name in (CMS, TIMESTAMP):
        (tmp_path / name).write_bytes(files[name])
    command = ["openssl", "ts", "-verify", "-data", CMS, "-in", TIMESTAMP, "-CAfile", str(tsa.root)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0 and "Verification: OK" in done.stdout + done.stderr


def test_a_bundle_with_a_timestamp_is_genuine_to_who_does_not_ask_for_it(files: dict[str, bytes]) -> None:
    found = verified(files)
    assert found.genuine and found.stamped is None


def test_a_timestamp_of_another_authority_is_refused(files: dict[str, bytes], stranger: Tsa) -> None:
    [problem] = verified(files, stranger).problems
    assert problem.startswith("statement.tsr: not a token of the authority given over this signature")


def test_a_missing_timestamp_is_said_to_who_asks_for_one(files: dict[str, bytes], tsa: Tsa) -> None:
    bare = {name: content for name, content in files.items() if name != TIMESTAMP}
    assert verified(bare, tsa).problems == (
        "statement.tsr is missing: expected a timestamp by the authority that was given",
    )


def test_a_timestamp_of_another_bundle_is_refused(files: dict[str, bytes], tsa: Tsa) -> None:
    with served(tsa.answer) as url:
        other = stamped(url, SIGNATURE, roots(tsa))
    [problem] = verified({**files, TIMESTAMP: other}, tsa).problems
    assert "over this signature" in problem


def test_a_time_outside_the_validity_is_refused(tsa: Tsa) -> None:
    later = datetime.now(UTC).replace(microsecond=0) + timedelta(days=2)
    payload = material().files
    signed = sign(payload, state(run(), payload, Validity(later, later + timedelta(days=1), None)), key())
    with served(tsa.answer) as url:
        found, _ = Stamping(url, roots(tsa)).added(signed)
    trusted = Reader(authorities=roots(tsa))
    [problem] = verify(packed(found), key().private.public_key(), None, later, trusted).problems
    assert "outside the time" in problem


@pytest.mark.parametrize("at", range(5, 5000, 97))
def test_no_changed_byte_of_a_token_is_taken_for_another_time(files: dict[str, bytes], tsa: Tsa, at: int) -> None:
    token = bytearray(files[TIMESTAMP])
    at %= len(token)
    token[at] ^= 1
    found = verified({**files, TIMESTAMP: bytes(token)}, tsa)
    assert not found.genuine or found.stamped == verified(files, tsa).stamped


def test_an_old_answer_is_no_answer(tsa: Tsa) -> None:
    old = tsa.answer(timestamps.request(SIGNATURE).as_bytes())
    with served(lambda _: old) as url, pytest.raises(Refused, match="another nonce"):
        stamped(url, SIGNATURE, roots(tsa))


def test_a_token_over_another_digest_is_refused(tsa: Tsa) -> None:
    def other(query: bytes) -> bytes:
        """The same request, its digest exchanged."""
        digest = timestamps.request(SIGNATURE).message_imprint.message
        return tsa.answer(query.replace(digest, timestamps.request(b"other").message_imprint.message))

    with served(other) as url, pytest.raises(Refused, match="over something else"):
        stamped(url, SIGNATURE, ())


def test_a_token_of_another_key_is_refused(tsa: Tsa, stranger: Tsa) -> None:
    with served(stranger.answer) as url, pytest.raises(Refused, match="not a token of the authority given"):
        stamped(url, SIGNATURE, roots(tsa))


def test_a_refusal_of_the_authority_is_told(tsa: Tsa) -> None:
    with (
        served(lambda _: tsa.answer(b"nonsense")) as url,
        pytest.raises(Refused, match="did not grant a token: status 2"),
    ):
        stamped(url, SIGNATURE, roots(tsa))


@pytest.mark.parametrize("body", [b"", b"<html>", b"\x30\x80" * 1000, b"\0" * 60000])
def test_what_is_no_reply_is_refused(body: bytes, tsa: Tsa) -> None:
    with served(lambda _: body) as url, pytest.raises(Refused, match="expected a timestamp reply"):
        stamped(url, SIGNATURE, roots(tsa))


def test_an_endless_body_is_not_read_to_its_end() -> None:
    sent = []

    def endless(_query: bytes) -> bytes:
        sent.append(1)
        return b"x" * 50_000_000

    with served(endless) as url, pytest.raises(EvidenceError, match="a token of at most 65536 bytes"):
        stamped(url, SIGNATURE, ())
    assert sent


@pytest.mark.parametrize(
    ("kind", "status", "why"),
    [
        ("text/html", 200, "expected application/timestamp-reply, found text/html"),
        ("application/timestamp-reply", 500, "gave no answer: Internal Server Error"),
        ("application/timestamp-reply", 302, "gave no answer: Found"),
    ],
)
def test_an_answer_that_is_no_timestamp_reply_says_what_was_found(kind: str, status: int, why: str) -> None:
    with served(lambda _: b"x", kind, status) as url, pytest.raises(EvidenceError, match=why):
        stamped(url, SIGNATURE, ())


def test_an_authority_that_is_not_there_leaves_the_files_as_they_were() -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{free.getsockname()[1]}/"
    found, doubt = Stamping(url).added({CMS: SIGNATURE})
    assert found == {CMS: SIGNATURE}
    assert doubt.startswith(f"the timestamp authority at {url} gave no answer")


@pytest.mark.parametrize("url", ["file:///etc/passwd", "ftp://tsa.example/", "tsa.example", "", "http://"])
def test_only_http_is_asked(url: str) -> None:
    with pytest.raises(EvidenceError, match="expected http://HOST"):
        checked(url)


def test_a_root_that_is_none_is_said_before_anything_is_signed() -> None:
    with pytest.raises(EvidenceError, match=r"root\.pem: expected the authority's root"):
        timestamps.roots_of(b"nonsense", "root.pem")


def test_a_time_that_is_still_to_come_is_refused(tsa: Tsa) -> None:
    """Within the validity, and twenty days ahead of the reader."""
    now = datetime.now(UTC).replace(microsecond=0)
    payload = material().files
    signed = sign(payload, state(run(), payload, Validity(now - timedelta(25), now + timedelta(5), None)), key())
    with served(tsa.answer) as url:
        found, _ = Stamping(url, roots(tsa)).added(signed)
    reader = Reader(authorities=roots(tsa))
    problems = verify(packed(found), key().private.public_key(), None, now - timedelta(20), reader).problems
    assert any(one.startswith("statement.tsr: of ") and "still to come" in one for one in problems), problems


@pytest.mark.parametrize("beside", [b"", b"x" * 20 * 2**20, b"\x30\x03\x02\x01\x00", b"-----BEGIN CERTIFICATE-----"])
def test_nothing_but_a_timestamp_over_them_lies_beside_the_signatures(files: dict[str, bytes], beside: bytes) -> None:
    """Also to who asks for none: neither signature covers it."""
    [problem] = verified({**files, TIMESTAMP: beside}).problems
    assert problem.startswith("statement.tsr: ")


def test_a_timestamp_over_something_else_is_refused_by_who_asks_for_none(files: dict[str, bytes], tsa: Tsa) -> None:
    with served(tsa.answer) as url:
        other = stamped(url, SIGNATURE, roots(tsa))
    assert "over something else" in "".join(verified({**files, TIMESTAMP: other}).problems)
