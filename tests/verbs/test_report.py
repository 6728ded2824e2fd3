"""`cjsm report` as it is typed: any form from a bundle that is genuine, nothing from one that is not."""

from __future__ import annotations

import json
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.serialization import Encoding

from cjsm_connect.reports import html
from cjsm_connect.results import CjsmError, Status
from cjsm_connect.verbs import report
from tests.evidence.samples import ALL_PASS, NOW, genuine, key, material, packed, result, run, signed
from tests.made_up import ROOT


class _Rooms:
    root = ROOT


@pytest.fixture(autouse=True)
def _today(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(report, "_now", lambda: NOW)


def typed(folder: Path, bundle: bytes, *words: str) -> Result:
    (folder / "b.tar").write_bytes(bundle)
    (folder / "evidence.pub").write_bytes(key().certificate.public_bytes(Encoding.PEM))
    argv = [str(folder / "b.tar"), "--key", str(folder / "evidence.pub"), *words]
    return CliRunner().invoke(report.command, argv, obj=_Rooms())


def failure(done: Result) -> str:
    assert isinstance(done.exception, CjsmError), repr(done.exception)
    return str(done.exception)


def test_every_form_comes_from_the_results_of_the_bundle(tmp_path: Path) -> None:
    made = run(*ALL_PASS, result("tls.inner", Status.FAIL, observed="in clear text", subject="mail"))
    names = {"--html": "r.html", "--summary": "s.html", "--junit": "j.xml", "--oscal": "oscal"}
    words = [word for option, name in names.items() for word in (option, str(tmp_path / name))]
    done = typed(tmp_path, packed(signed(made)), *words)
    assert done.exit_code == 0, done.output + repr(done.exception)
    assert "in clear text" in (tmp_path / "r.html").read_text()
    assert "There are findings" in (tmp_path / "s.html").read_text()
    assert len(ElementTree.parse(tmp_path / "j.xml").findall(".//failure")) == 1
    found = json.loads((tmp_path / "oscal/assessment-results.json").read_text())
    assert len(found["assessment-results"]["results"][0]["observations"]) == len(made.results)
    assert len(done.stdout.splitlines()) == 6


def test_what_the_bundle_calls_its_report_is_not_believed(tmp_path: Path) -> None:
    lie = packed(signed(extra={"report.html": b"<h1>Everything is fine</h1>"}))
    assert typed(tmp_path, lie, "--html", str(tmp_path / "r.html")).exit_code == 0
    assert "Everything is fine" not in (tmp_path / "r.html").read_text()


def test_the_organisation_is_drawn_as_the_bundle_tells_it(tmp_path: Path) -> None:
    typed(tmp_path, genuine(), "--html", str(tmp_path / "r.html"))
    page = (tmp_path / "r.html").read_text()
    assert "relay.council.example to CJSM hub: TCP 4545" in page
    assert "Robin Signatory" in page


def test_a_bundle_that_was_changed_gives_no_report(tmp_path: Path) -> None:
    changed = signed() | {"domains.txt": b"other.example\n"}
    told = failure(typed(tmp_path, packed(changed), "--html", str(tmp_path / "r.html")))
    assert "no report of what is not genuine" in told and "domains.txt" in told
    assert not (tmp_path / "r.html").exists()


def test_a_report_is_never_replaced(tmp_path: Path) -> None:
    (tmp_path / "r.html").write_text("mine")
    assert "is there already" in failure(typed(tmp_path, genuine(), "--html", str(tmp_path / "r.html")))
    assert (tmp_path / "r.html").read_text() == "mine"


def test_nothing_asked_for_is_said(tmp_path: Path) -> None:
    assert "expected --html, --pdf" in failure(typed(tmp_path, genuine()))


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("organisation.json", b"{}"),
        ("organisation.json", b'{"hosts": 1, "vantage": [], "hub": {}}'),
        ("organisation.json", b"[]"),
        ("certificates.json", b'[{"subject": {"a": 1}}]'),
        ("host_keys.json", b'{"a": 1}'),
        ("versions.json", b'{"hosts": {"relay": {"release": "x"}}}'),
    ],
)
def test_a_signed_file_of_another_form_is_told_without_a_traceback(name: str, content: bytes, tmp_path: Path) -> None:
    told = failure(typed(tmp_path, packed(signed(extra={name: content})), "--html", str(tmp_path / "r.html")))
    assert name in told


def test_an_organisation_comes_back_as_it_was_but_for_secrets() -> None:
    from cjsm_connect.organisation.recorded import recorded
    from tests.made_up import organisation

    back = recorded(json.loads(material().files["organisation.json"]))
    kept = {"folder", "files"}
    ours, theirs = organisation().model_dump(mode="json"), back.model_dump(mode="json")
    for section in ours.keys() - kept - {"hosts", "vantage", "hub", "inner", "syslog"}:
        assert theirs[section] == ours[section], section
    assert html.diagram.drawing(back) == html.diagram.drawing(organisation())
