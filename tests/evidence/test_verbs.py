"""`cjsm evidence` and `cjsm verify` as they are typed."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from cjsm_connect.evidence import EvidenceError, archive, keys
from cjsm_connect.evidence.statement import read
from cjsm_connect.organisation import Organisation
from cjsm_connect.results import CjsmError, Run, Status
from cjsm_connect.verbs import evidence, verify
from tests.evidence.authority import Tsa, served
from tests.evidence.samples import (
    ALL_PASS,
    NOW,
    PASSPHRASE,
    genuine,
    key,
    observation,
    other_key,
    packed,
    result,
    run,
    signed,
)
from tests.made_up import ROOT, organisation


class Place(NamedTuple):
    """An organisation's folder, with what the checks would say of it."""

    folder: Path
    outcome: list[Run]

    @property
    def bundles(self) -> list[Path]:
        return sorted((self.folder / "evidence").glob("*")) if (self.folder / "evidence").exists() else []


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """No host is asked: `run_checks` answers from the samples."""
    made = Place(tmp_path, [run()])
    monkeypatch.setattr("cjsm_connect.organisation.load", lambda _folder: _organisation(tmp_path))
    monkeypatch.setattr("cjsm_connect.verbs.evidence.run_checks", lambda _o, _w: (made.outcome[0], observation()))
    monkeypatch.setenv("CJSM_EVIDENCE_PASSPHRASE", PASSPHRASE)
    return made


def _organisation(folder: Path) -> Organisation:
    return organisation().model_copy(update={"folder": folder})


class _Rooms:
    root = ROOT


def typed(command: Any, *words: str, stdin: str = "") -> Result:
    return CliRunner().invoke(command, words, obj=_Rooms(), input=stdin)


def evidence_of(place: Place, *words: str) -> Result:
    return typed(evidence.command, *words, "--org", str(place.folder))


def failure(done: Result) -> str:
    """What the edge shows of an error of ours."""
    assert isinstance(done.exception, CjsmError), done.output
    return str(done.exception)


def test_init_makes_the_key_and_prints_the_fingerprint_for_the_sheet(place: Place) -> None:
    done = evidence_of(place, "init")
    assert done.exit_code == 0, done.output
    fingerprint = keys.fingerprint(keys.load(place.folder, PASSPHRASE).private.public_key())
    assert fingerprint in done.stdout
    assert "Next: cjsm evidence" in done.stderr
    assert PASSPHRASE not in done.output


def test_a_second_init_asks_nothing_and_keeps_the_key(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence_of(place, "init")
    before = (place.folder / "evidence.pub").read_bytes()
    monkeypatch.setattr("cjsm_connect.verbs.evidence.passphrase", _not_called)
    assert "is there already and is kept" in failure(evidence_of(place, "init"))
    assert (place.folder / "evidence.pub").read_bytes() == before


def test_without_a_key_nothing_is_checked_and_init_is_named(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cjsm_connect.verbs.evidence.run_checks", _not_called)
    assert "cjsm evidence init" in failure(evidence_of(place))


def _not_called(*_arguments: object, **_named: object) -> None:
    raise AssertionError("called too early")


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (("--valid-days", "0"), "expected 1 to 366"),
        (("--valid-days", "400"), "expected 1 to 366"),
        (("--nonce", "two words"), "printable ASCII characters without spaces"),
        (("--nonce", ""), "printable ASCII characters without spaces"),
    ],
)
def test_what_cannot_be_signed_is_refused_before_any_check(
    place: Place, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], why: str
) -> None:
    evidence_of(place, "init")
    monkeypatch.setattr("cjsm_connect.verbs.evidence.run_checks", _not_called)
    assert why in failure(evidence_of(place, *words))


def test_without_a_passphrase_and_a_terminal_it_says_where_one_is_expected(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CJSM_EVIDENCE_PASSPHRASE")
    assert "--passphrase-file, CJSM_EVIDENCE_PASSPHRASE" in failure(evidence_of(place, "init"))


def test_the_passphrase_may_be_in_a_file(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CJSM_EVIDENCE_PASSPHRASE")
    (place.folder / "secret").write_text(PASSPHRASE + "\n")
    assert evidence_of(place, "init", "--passphrase-file", str(place.folder / "secret")).exit_code == 0
    assert keys.load(place.folder, PASSPHRASE)


def test_a_passphrase_file_that_is_no_text_is_named(place: Place) -> None:
    (place.folder / "secret").write_bytes(b"\xff\xfe\x00")
    told = failure(evidence_of(place, "init", "--passphrase-file", str(place.folder / "secret")))
    assert "byte 0 is not UTF-8; expected a secret" in told


def test_a_bundle_of_evidence_can_be_verified_with_the_public_key(place: Place) -> None:
    evidence_of(place, "init")
    done = evidence_of(place, "--nonce", "engineer-4711")
    assert done.exit_code == 0, done.output
    [bundle] = place.bundles
    assert str(bundle) in done.stdout and "complete: 5 pass" in done.stdout
    public = str(place.folder / "evidence.pub")
    seen = typed(verify.command, str(bundle), "--key", public, "--nonce", "engineer-4711")
    assert seen.exit_code == 0 and "GENUINE" in seen.stdout
    files = archive.unpack(bundle.read_bytes())
    assert b"engineer-4711" in files["report.html"] and b"openssl cms -verify" in files["README.txt"]


@pytest.mark.parametrize(("status", "code"), [(Status.FAIL, 1), (Status.NOT_TESTED, 1), (Status.ERROR, 2)])
def test_findings_are_signed_too_and_the_exit_code_is_that_of_check(place: Place, status: Status, code: int) -> None:
    evidence_of(place, "init")
    place.outcome[0] = run(*ALL_PASS, result("tls.inner", status, subject="mail"))
    done = evidence_of(place)
    assert done.exit_code == code
    assert len(place.bundles) == 1
    assert done.stdout.startswith("INCOMPLETE" if status is not Status.FAIL else "complete")


def test_a_leaking_secret_leaves_no_bundle(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence_of(place, "init")
    leaking = observation(tls={"chain": "-----BEGIN PRIVATE KEY-----"})
    monkeypatch.setattr("cjsm_connect.verbs.evidence.run_checks", lambda _o, _w: (run(), leaking))
    assert "holds a private key" in failure(evidence_of(place))
    assert place.bundles == []


def test_a_bundle_that_would_be_refused_is_not_written(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    evidence_of(place, "init")
    monkeypatch.setattr("cjsm_connect.evidence.cms.sign", lambda _payload, _key: b"")
    assert "the bundle would be refused: statement.cms" in failure(evidence_of(place))
    assert place.bundles == []


def test_the_json_form_tells_where_the_bundle_is(place: Place) -> None:
    evidence_of(place, "init")
    told = json.loads(evidence_of(place, "--json").stdout)
    assert [told["bundle"]] == [str(bundle) for bundle in place.bundles]
    assert told["complete"] is True and told["totals"]["pass"] == 5 and "report.html" in told["files"]


def test_the_lab_gets_a_key_by_itself_and_says_so(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CJSM_EVIDENCE_PASSPHRASE")
    monkeypatch.setattr("cjsm_connect.verbs.evidence.running", lambda _folder: "lab")
    place.outcome[0] = replace(run(), laboratory="lab")
    first = evidence_of(place)
    assert first.exit_code == 0 and "made an evidence key for the lab" in first.stderr
    assert (place.folder / "evidence-key/passphrase").stat().st_mode & 0o777 == 0o600
    place.bundles[0].unlink()
    assert "made an evidence key" not in evidence_of(place).stderr


def test_a_timestamp_is_fetched_stored_and_verified(place: Place, tmp_path: Path) -> None:
    evidence_of(place, "init")
    tsa = Tsa(tmp_path / "tsa")
    with served(tsa.answer) as url:
        done = evidence_of(place, "--timestamp", url, "--timestamp-ca", str(tsa.root))
    assert done.exit_code == 0, done.output
    words = (str(place.bundles[0]), "--key", str(place.folder / "evidence.pub"))
    seen = typed(verify.command, *words, "--timestamp-ca", str(tsa.root))
    assert seen.exit_code == 0 and ", by the authority given" in seen.stdout
    assert "timestamp      there, not verified: give --timestamp-ca" in typed(verify.command, *words).stdout


def test_without_an_answer_of_the_authority_the_bundle_stands_and_the_exit_code_says_so(place: Place) -> None:
    evidence_of(place, "init")
    done = evidence_of(place, "--timestamp", "http://127.0.0.1:1/")
    assert done.exit_code == 2 and "the bundle stands, but without a timestamp: the timestamp authority" in done.stderr
    seen = typed(verify.command, str(place.bundles[0]), "--key", str(place.folder / "evidence.pub"))
    assert seen.exit_code == 0 and "timestamp      none" in seen.stdout


def test_an_authority_that_cannot_be_asked_is_said_before_any_check(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    evidence_of(place, "init")
    monkeypatch.setattr("cjsm_connect.verbs.evidence.run_checks", _not_called)
    assert "expected http://HOST" in failure(evidence_of(place, "--timestamp", "file:///etc/passwd"))


def redacted_of(place: Place) -> tuple[Path, Path]:
    """An original bundle and the redacted one beside it."""
    evidence_of(place, "init")
    done = evidence_of(place, "--redact", "--nonce", "engineer-4711", "--json")
    assert done.exit_code == 0 and json.loads(done.stdout), done.output
    whole, redacted = sorted(place.bundles, key=lambda path: len(path.name))
    assert redacted.name == f"{whole.stem}-redacted.tar" and str(redacted) in done.stderr
    return whole, redacted


def test_a_redacted_bundle_is_signed_anew_and_names_its_original(place: Place) -> None:
    whole, redacted = redacted_of(place)
    public = str(place.folder / "evidence.pub")
    seen = typed(verify.command, str(redacted), "--key", public, "--nonce", "engineer-4711")
    digest = hashlib.sha256(archive.unpack(whole.read_bytes())["statement.json"]).hexdigest()
    assert seen.exit_code == 0 and f"redacted       yes, from the statement {digest}" in seen.stdout
    files = archive.unpack(redacted.read_bytes())
    assert not files.keys() & {"salts.json", "observations.json", "report.html", "configuration/relay.txt"}
    assert "oscal/assessment-results.json" in files and b"Redacted evidence" in files["README.txt"]
    before, after = (read(archive.unpack(path.read_bytes())["statement.json"]).predicate for path in (whole, redacted))
    assert (after.not_after, after.totals, after.complete) == (before.not_after, before.totals, before.complete)
    assert after.organisation_digest == ""


def test_redacting_later_gives_the_same_pseudonyms(place: Place) -> None:
    whole, redacted = redacted_of(place)
    first = archive.unpack(redacted.read_bytes())
    redacted.unlink()
    done = evidence_of(place, "redact", str(whole))
    assert done.exit_code == 0 and done.stdout.strip() == str(redacted)
    again = archive.unpack(redacted.read_bytes())
    assert {name: again[name] for name in again if not name.startswith("statement")} == {
        name: first[name] for name in first if not name.startswith("statement")
    }
    assert first["statement.json"] == again["statement.json"]


def test_a_single_field_can_be_opened_and_a_wrong_one_is_found(place: Place) -> None:
    whole, redacted = redacted_of(place)
    salts = json.loads(archive.unpack(whole.read_bytes())["salts.json"])
    [name] = [row["field"] for row in salts if row["value"] == "192.0.2.10"]
    said = evidence_of(place, "open", str(whole), name).stdout
    assert [row["value"] for row in json.loads(said)] == ["192.0.2.10"]
    (place.folder / "opened.json").write_text(said)
    words = (str(redacted), "--key", str(place.folder / "evidence.pub"), "--opened", str(place.folder / "opened.json"))
    seen = typed(verify.command, *words)
    assert seen.exit_code == 0 and f"{name} is 192.0.2.10, as committed to" in seen.stdout
    (place.folder / "opened.json").write_text(said.replace("192.0.2.10", "192.0.2.11"))
    seen = typed(verify.command, *words)
    assert seen.exit_code == 1 and f"{name}: 192.0.2.11 is not what the bundle was committed to" in seen.stdout


def test_what_cannot_be_redacted_or_opened_is_said(place: Place) -> None:
    whole, redacted = redacted_of(place)
    assert "not redacted yet" in failure(evidence_of(place, "redact", str(redacted)))
    assert "expected the original, not a redacted one" in failure(evidence_of(place, "open", str(redacted), "host-1"))
    assert "no field host-99" in failure(evidence_of(place, "open", str(whole), "host-99"))
    whole.write_bytes(whole.read_bytes().replace(b"relayhost =", b"relayhost +"))
    assert "would be refused: configuration/relay.txt was changed" in failure(evidence_of(place, "redact", str(whole)))


@pytest.fixture
def files(tmp_path: Path) -> Path:
    """A bundle and the public key, as the engineer has them."""
    (tmp_path / "bundle.tar").write_bytes(genuine())
    (tmp_path / "evidence.pub").write_bytes(keys.certificate_text(key().certificate, "Exampleshire Council"))
    (tmp_path / "other.pub").write_bytes(keys.certificate_text(other_key().certificate, "Another"))
    return tmp_path


def verify_in(folder: Path, bundle: str = "bundle.tar", key_file: str = "evidence.pub", *words: str) -> Result:
    return typed(verify.command, str(folder / bundle), "--key", str(folder / key_file), *words)


@pytest.fixture
def on_the_day(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cjsm_connect.verbs.verify._now", lambda: NOW)


@pytest.mark.usefixtures("on_the_day")
class TestVerify:
    def test_it_tells_who_what_when_and_what_that_proves(self, files: Path) -> None:
        done = verify_in(files)
        assert done.exit_code == 0
        for said in (
            "Exampleshire Council",
            "complete       yes",
            "laboratory     no",
            "5 pass",
            "2026-11-21T12:00:00Z to 2026-12-21T12:00:00Z",
            "It does not prove that it is true",
        ):
            assert said in done.stdout

    def test_a_laboratory_is_said_loudly(self, files: Path) -> None:
        (files / "lab.tar").write_bytes(packed(signed(run(laboratory="demo"))))
        assert "demo (says nothing about a real organisation)" in verify_in(files, "lab.tar").stdout

    def test_another_key_is_a_refusal(self, files: Path) -> None:
        done = verify_in(files, "bundle.tar", "other.pub")
        assert done.exit_code == 1
        assert done.stdout.startswith("REFUSED") and "signed by another key" in done.stdout

    def test_a_nonce_that_was_not_compared_is_mentioned(self, files: Path) -> None:
        (files / "asked.tar").write_bytes(packed(signed(nonce="engineer-4711")))
        assert "was not compared" in verify_in(files, "asked.tar").stderr
        assert verify_in(files, "asked.tar", "evidence.pub", "--nonce", "another").exit_code == 1

    def test_the_json_form_has_the_verdict_and_the_problems(self, files: Path) -> None:
        told = json.loads(verify_in(files, "bundle.tar", "evidence.pub", "--json").stdout)
        assert told["genuine"] is True and told["problems"] == []
        assert told["statement"]["predicate"]["totals"]["pass"] == 5
        refused = json.loads(verify_in(files, "bundle.tar", "other.pub", "--json").stdout)
        assert refused["genuine"] is False and refused["statement"] is None

    def test_what_a_bundle_says_cannot_steer_the_terminal(self, files: Path) -> None:
        (files / "evil.tar").write_bytes(packed(signed(run(organisation="\x1b[2JHarmless\nGENUINE"))))
        assert "\\x1b[2JHarmless\\x0aGENUINE" in verify_in(files, "evil.tar").stdout

    def test_a_newer_catalogue_asks_for_a_newer_tool(self, files: Path) -> None:
        (files / "newer.tar").write_bytes(packed(signed(run(catalogue_version="999999.0123456789ab"))))
        done = verify_in(files, "newer.tar")
        assert done.exit_code == 1 and "newer catalogue: the evidence was judged by edition 999999" in done.stdout
        assert done.stderr.startswith("Next: a newer cjsm-connect")

    @pytest.mark.parametrize(
        ("bundle", "key_file"), [("absent.tar", "evidence.pub"), ("bundle.tar", "absent.pub"), (".", "evidence.pub")]
    )
    def test_a_file_that_cannot_be_read_is_no_verdict(self, files: Path, bundle: str, key_file: str) -> None:
        done = verify_in(files, bundle, key_file)
        assert isinstance(done.exception, EvidenceError) and "cannot be read" in str(done.exception)

    def test_a_key_file_that_is_none_is_no_verdict(self, files: Path) -> None:
        assert "expected a PEM certificate or public key" in failure(verify_in(files, "bundle.tar", "bundle.tar"))


def test_an_expired_bundle_is_refused(files: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cjsm_connect.verbs.verify._now", lambda: NOW.replace(year=2027))
    done = verify_in(files)
    assert done.exit_code == 1 and "expired" in done.stdout
