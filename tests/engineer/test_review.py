"""The verb: records, comparison with the bundle before, and bundles that cannot be relied on."""

import json
from datetime import timedelta
from types import SimpleNamespace

import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from cjsm_connect.evidence import keys
from cjsm_connect.results import CjsmError, Status
from cjsm_connect.results import catalogue as catalogues
from cjsm_connect.verbs import review
from tests.evidence.samples import NOW, genuine, key, other_key, packed, result, run, signed
from tests.made_up import ROOT

CRITERIA = """
schema = 1
title = "Mine"
version = "1"
[[criteria]]
id = "route"
text = "The route"
source = "Paper"
requirements = ["relay.route"]
"""


@pytest.fixture
def desk(tmp_path, monkeypatch):
    """A folder with the engineer's criteria and one organisation's key."""
    monkeypatch.setattr(review, "datetime", SimpleNamespace(now=lambda _zone: NOW))
    (tmp_path / "mine.toml").write_text(CRITERIA)
    (tmp_path / "keys").mkdir()
    text = keys.certificate_text(key().certificate, "Exampleshire Council")
    (tmp_path / "keys" / "exampleshire.pub").write_bytes(text)
    return tmp_path


OURS = catalogues.load(ROOT / "checks" / "requirements.toml").version


def bundle(folder, name, *results, ended="2026-11-21T11:59:58+00:00", catalogue=OURS, **changes):
    made = run(*(results or (result("relay.route"),)), ended=ended, catalogue_version=catalogue)
    (folder / name).write_bytes(packed(signed(made, **changes)))


def judged(folder, *words):
    rooms = SimpleNamespace(root=ROOT)
    standard = ["--key", str(folder / "keys"), "--criteria", str(folder / "mine.toml")]
    return CliRunner().invoke(review.command, [*words, *standard], obj=rooms)


def records(folder, *words):
    return json.loads(judged(folder, *words, "--json").stdout)["records"]


def test_a_bundle_that_meets_every_criterion_is_compatible_and_exit_0(desk):
    bundle(desk, "a.tar")
    done = judged(desk, str(desk / "a.tar"))
    assert done.exit_code == 0, done.output
    assert done.stdout.startswith("COMPATIBLE: Exampleshire Council\n")
    assert "source         Paper" in done.stdout


def test_a_failure_is_not_compatible_with_the_result_that_says_so(desk):
    bundle(desk, "a.tar", result("relay.route", Status.FAIL, observed="goes by MX"))
    done = judged(desk, str(desk / "a.tar"))
    assert done.exit_code == 1
    assert done.stdout.startswith("NOT COMPATIBLE")
    assert "relay.route-check on relay, seen from host: fail: goes by MX" in done.stdout


def changed(data):
    """A byte inside results.json."""
    return data.replace(b'"observed": "what is"', b'"observed": "what Is"', 1)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "no end mark"),
        (changed(genuine()), "results.json was changed after signing"),
        (packed(signed(by=other_key())), "signed by a key that is not among the 1 given"),
        (
            packed(signed(run(organisation="Elsewhere Council"))),
            "another organisation: the key is that of Exampleshire",
        ),
    ],
)
def test_what_cannot_be_relied_on_is_not_judged_at_all(desk, content, said):
    (desk / "a.tar").write_bytes(content)
    (record,) = records(desk, str(desk / "a.tar"))
    assert record["decision"] == "not judged"
    assert said in record["problems"][0]
    assert record["reasons"] == []


def test_two_bundles_of_one_organisation_are_compared_in_their_order_in_time(desk):
    bundle(desk, "later.tar", result("relay.route", Status.FAIL), ended="2026-11-21T11:59:59+00:00")
    bundle(desk, "earlier.tar")
    later, earlier = records(desk, str(desk / "later.tar"), str(desk / "earlier.tar"))
    assert earlier["compared_with"] == ""
    assert later["compared_with"] == "earlier.tar"
    assert later["changes"] == ["changed: relay.route-check on relay: was pass, is fail"]


def test_a_folder_stands_for_its_bundles_and_the_records_are_kept(desk):
    (desk / "in").mkdir()
    bundle(desk / "in", "a.tar")
    bundle(desk / "in", "b.tar", result("relay.route", Status.WARN, observed="<script>alert(1)</script>"))
    done = judged(desk, str(desk / "in"), "--out", str(desk / "out"))
    assert done.exit_code == 1
    assert json.loads((desk / "out/b.json").read_text())["decision"] == "compatible with conditions"
    assert (desk / "out/a.txt").read_text().startswith("COMPATIBLE")
    page = (desk / "out/overview.html").read_text()
    assert "compatible with conditions" in page


def test_hostile_text_of_a_bundle_stays_text_on_the_page(desk):
    (desk / "in").mkdir()
    (desk / "in" / "<img src=x onerror=alert(1)>.tar").write_bytes(b"")
    judged(desk, str(desk / "in"), "--out", str(desk / "out"))
    page = (desk / "out/overview.html").read_text()
    assert "&lt;img src=x" in page
    assert "<img" not in page


def test_decision_records_are_never_replaced(desk):
    bundle(desk, "a.tar")
    assert judged(desk, str(desk / "a.tar"), "--out", str(desk / "out")).exit_code == 0
    again = judged(desk, str(desk / "a.tar"), "--out", str(desk / "out"))
    assert isinstance(again.exception, CjsmError)  # exit code 2, at the edge
    assert "expected a new folder" in str(again.exception)


def test_many_bundles_go_through_several_processes_and_keep_their_order(desk):
    for number in range(12):
        bundle(desk, f"{number:02}.tar")
    found = records(desk, *(str(desk / f"{number:02}.tar") for number in range(12)))
    assert [record["bundle"] for record in found] == [f"{number:02}.tar" for number in range(12)]


@pytest.mark.parametrize(
    "catalogue", ["9999.0123456789ab", "1.0123456789ab", "", "nonsense", OURS.partition(".")[0] + ".0123456789ab"]
)
def test_what_was_judged_by_another_catalogue_is_not_judged(desk, catalogue):
    bundle(desk, "a.tar", catalogue=catalogue)
    (record,) = records(desk, str(desk / "a.tar"))
    assert record["decision"] == "not judged"
    assert "catalogue" in record["problems"][0]


def forged(name, public, by):
    """A certificate about somebody's public key, made by somebody who has not the private one."""
    subject = x509.Name([x509.NameAttribute(NameOID.ORGANIZATION_NAME, name)])
    made = x509.CertificateBuilder(subject, subject, public, 7, NOW, NOW + timedelta(days=30))
    return keys.certificate_text(made.sign(by, hashes.SHA256()), name)


@pytest.mark.parametrize("file", ["aaa.pub", "zzz.pub"])
def test_a_certificate_with_another_organisations_key_stands_in_nobodys_way(desk, file):
    bundle(desk, "a.tar")
    text = forged("Mallory Council", key().private.public_key(), other_key().private)
    (desk / "keys" / file).write_bytes(text)
    done = judged(desk, str(desk / "a.tar"))
    assert done.stdout.startswith("COMPATIBLE: Exampleshire Council")
    assert f"{file}: the certificate says that the key" in done.stderr
    assert "that of Mallory Council, but was not made with that key; left out" in done.stderr


def test_one_key_under_two_names_is_nobodys_and_both_are_named(desk):
    bundle(desk, "a.tar")
    (desk / "keys" / "other.pub").write_bytes(forged("Mallory Council", key().private.public_key(), key().private))
    done = judged(desk, str(desk / "a.tar"))
    assert "one key under two names" in str(done.exception)
    for said in ("Mallory Council", "other.pub", "Exampleshire Council", "exampleshire.pub"):
        assert said in str(done.exception)


@pytest.mark.parametrize(
    "content", [b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"]
)
def test_a_file_that_is_no_key_among_the_keys_stands_in_nobodys_way(desk, content):
    bundle(desk, "a.tar")
    (desk / "keys" / "broken.pub").write_bytes(content)
    done = judged(desk, str(desk / "a.tar"), "--json")
    assert done.exit_code == 0
    [sentence] = json.loads(done.stdout)["keys_left_out"]
    assert "broken.pub: expected a PEM certificate or public key" in sentence


def test_a_plain_public_key_beside_its_certificate_is_one_key(desk):
    bundle(desk, "a.tar")
    plain = key().private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (desk / "keys" / "aaa.pub").write_bytes(plain)
    done = judged(desk, str(desk / "a.tar"), "--json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["keys_left_out"] == []
