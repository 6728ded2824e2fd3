"""`cjsm application` as it is typed: before any host exists, after a check, from a bundle."""

from __future__ import annotations

import json
import shutil
from datetime import UTC, datetime
from html.parser import HTMLParser
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from click.testing import CliRunner, Result

from cjsm_connect.evidence import contents, keys
from cjsm_connect.organisation import read
from cjsm_connect.results import Status
from cjsm_connect.results.catalogue import load
from cjsm_connect.verbs import _example, _last
from cjsm_connect.verbs import application as verb
from tests.evidence import samples
from tests.made_up import ROOT, organisation

NOW = datetime(2026, 11, 22, 9, 0, tzinfo=UTC)
REQUIREMENTS = load(ROOT / "checks/requirements.toml").requirements
HOSTILE = '<script>alert(1)</script>"><img src=x onerror=alert(1)>'


class Rooms:
    root = ROOT


class Place(NamedTuple):
    """An organisation's folder, and what was said."""

    folder: Path

    def run(self, *arguments: object) -> Result:
        return CliRunner().invoke(verb.command, [*map(str, arguments), "--org", str(self.folder)], obj=Rooms())

    def told(self, *arguments: object) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(self.run("--json", *arguments).stdout)
        return found

    def field(self, words: str, *arguments: object) -> dict[str, Any]:
        rows = [row for form in self.told(*arguments)["forms"] for row in form["fields"]]
        return next(row for row in rows if words in row["question"])

    def file(self, name: str) -> str:
        return (self.folder / "application" / name).read_text()

    def edit(self, old: str, new: str, name: str = "organisation.toml") -> None:
        text = (self.folder / name).read_text()
        assert old in text
        (self.folder / name).write_text(text.replace(old, new))

    def checked(self, failing: dict[str, Status] | None = None, **changes: Any) -> None:
        """As if `cjsm check` had run: each requirement passed, but for what fails."""
        state = failing or {}
        rows = [samples.result(one, state.get(one, Status.PASS)) for one in REQUIREMENTS]
        said = {"organisation_digest": read(self.folder, require_files=False).digest, **changes}
        _last.keep(samples.run(*rows, **said), self.folder)


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The lab's organisation, as somebody's own."""
    monkeypatch.setattr(verb, "_now", lambda: NOW)
    monkeypatch.setattr(_example, "left_over", lambda _folder: ())  # lab and example have the same reserved addresses
    folder = tmp_path / "council"
    folder.mkdir()
    for name in ("organisation.toml", "users.csv"):
        shutil.copy(ROOT / "inventories/lab" / name, folder / name)
    return Place(folder)


def test_with_everything_declared_nothing_is_missing_before_any_host_exists(place: Place) -> None:
    text = (place.folder / "organisation.toml").read_text()
    (place.folder / "organisation.toml").write_text(
        text[: text.index("[hub]")] + text[text.index("[[declarations]]") :]
    )
    done = place.run()
    assert done.exit_code == 0, done.output
    assert "22 answered (0 observed, 22 declared), 0 missing, 1 empty, not needed" in done.stdout
    assert "more in organisation.toml are for later: cjsm plan names them" in done.stderr


def test_what_is_missing_is_told_with_what_to_do_and_is_exit_1(place: Place) -> None:
    place.edit('users_file = "users.csv" ', "")
    place.edit('id = "antivirus-policy"', 'id = "something-else"')
    done = place.run()
    assert done.exit_code == 1
    assert "anti-virus policy?: cjsm apply and cjsm check; before there are hosts, [[declarations]]" in done.stdout
    assert "List of users: application.users_file in organisation.toml" in done.stdout
    assert "Not ready: 2 things are missing" in place.file("index.txt")


def test_after_a_check_practice_is_observed_with_the_digest_of_what_proves_it(place: Place) -> None:
    place.checked()
    found = place.field("anti-virus policy")
    assert (found["from"], found["answer"], found["todo"]) == ("observed", ["Yes"], "")
    assert len(found["proofs"]) >= 2
    assert all(len(one["sha256"]) == 64 for one in found["proofs"])
    assert "antivirus.scanner: 1 pass (SHA-256 " in place.file("2009-checklist.txt")


def test_declared_and_seen_otherwise_is_shown_as_a_contradiction(place: Place) -> None:
    place.checked({"antivirus.scanner": Status.FAIL})
    done = place.run()
    assert done.exit_code == 1
    assert "Declared, and seen otherwise" in done.stdout
    assert "Chris Technical declared on 2026-11-01: Every server and workstation has a scanner" in done.stdout
    assert '<span class="origin contradiction">contradiction</span>' in place.file("2009-checklist.html")


def test_nothing_rests_on_old_results_or_on_those_of_another_file(place: Place) -> None:
    place.checked()
    assert place.run().exit_code == 0
    place.edit("staff = 1200", "staff = 1201")
    assert place.run().exit_code == 1
    assert "organisation.toml has changed since" in place.told()["missing"][0]["what"]
    place.checked(ended="2026-10-01T00:00:00+00:00")
    assert "it is more than 31 days old" in place.told()["missing"][0]["what"]


def test_of_results_of_a_laboratory_it_is_said(place: Place) -> None:
    place.checked(laboratory="test")
    assert "it was made on the test laboratory test: it says nothing" in place.told()["notes"][0]


def test_a_check_of_another_organisation_is_refused(place: Place) -> None:
    place.checked(organisation="Other Council")
    done = place.run()
    assert "is about Other Council; organisation.toml is about Exampleshire Council" in str(done.exception)
    assert not (place.folder / "application").exists()


def with_key(place: Place) -> str:
    made = samples.key()
    text = keys.certificate_text(made.certificate, "Exampleshire Council")
    (place.folder / keys.PUBLIC).write_bytes(text)
    return keys.fingerprint(made.private.public_key())


def test_a_genuine_bundle_answers_with_the_versions_that_were_seen(place: Place, tmp_path: Path) -> None:
    with_key(place)
    (tmp_path / "evidence.tar").write_bytes(samples.genuine())
    found = place.field("operating system", "--from", tmp_path / "evidence.tar")
    assert "relay.council.example: Debian GNU/Linux 13 (trixie), release 13.2" in found["answer"]
    assert place.told("--from", tmp_path / "evidence.tar")["observed"]["source"] == "evidence.tar"


def test_a_bundle_that_somebody_changed_answers_nothing(place: Place, tmp_path: Path) -> None:
    with_key(place)
    (tmp_path / "evidence.tar").write_bytes(samples.genuine().replace(b'"status": "pass"', b'"status": "fail"', 1))
    done = place.run("--from", tmp_path / "evidence.tar")
    assert "is not relied on" in str(done.exception)
    assert not (place.folder / "application").exists()


def test_the_sheet_for_the_hand_signature_has_the_fingerprint_of_the_key(place: Place) -> None:
    place.run()
    assert "cjsm evidence init" in place.file("key-sheet.txt")
    fingerprint = with_key(place)
    place.run()
    assert fingerprint in place.file("key-sheet.html")
    assert "Signature: ____" in place.file("key-sheet.txt")


def test_joiners_and_leavers_are_those_since_the_last_pack(place: Place) -> None:
    place.run()
    place.edit("Court clerk,clerk@council.example\n", "New Clerk,new.clerk@council.example\n", "users.csv")
    done = place.run()
    assert "5; 1 joined, 1 left, 0 renamed; since the pack of 2026-11-22" in done.stdout
    assert '"left","Court clerk","clerk@council.example"' in place.file("users-changes.csv")


def test_nobody_leaves_because_of_a_line_that_cannot_be_used(place: Place) -> None:
    place.run()
    place.edit("clerk@council.example", "clerk@counsil.example", "users.csv")
    done = place.run()
    assert done.exit_code == 1
    assert 'line 2: found "clerk@counsil.example"; expected an address in one of [domains] (did you mean' in done.stdout
    assert not (place.folder / "application/users.csv").exists()
    place.edit("clerk@counsil.example", "clerk@council.example", "users.csv")
    assert "5; 0 joined, 0 left" in place.run().stdout


def test_a_list_in_another_encoding_is_not_guessed(place: Place) -> None:
    (place.folder / "users.csv").write_bytes("name,address\nÅsa,asa@council.example\n".encode("latin-1"))
    assert "byte 13 is not UTF-8; expected the list of users" in place.run().stdout


def test_one_user_more_than_declared_is_a_contradiction(place: Place) -> None:
    place.edit("users = 5", "users = 4")
    done = place.run()
    assert done.exit_code == 1
    assert "How many users?: organisation.users says 4; the list of users has 5" in done.stdout


def test_terms_that_were_accepted_more_than_a_year_ago_are_to_be_accepted_again(place: Place) -> None:
    place.edit(
        'id = "terms-accepted"\nstatement = "The terms, version 10.2, were signed and accepted in the portal."\n'
        'owner = "Robin Signatory"\ndate = 2026-11-01',
        'id = "terms-accepted"\nstatement = "Accepted."\nowner = "Robin Signatory"\ndate = 2025-11-01',
    )
    done = place.run()
    assert done.exit_code == 1
    assert "Terms: a signatory accepts them again: due since 2026-11-01" in done.stdout
    assert "to be accepted again by 2026-11-01; THAT DAY IS OVER" in place.file("terms.txt")


def test_users_are_in_their_own_files_and_nowhere_else(place: Place) -> None:
    place.edit("Court clerk,clerk@", "Canary Person,canary.person@", "users.csv")
    done = place.run("--json")
    holding = {path.name for path in (place.folder / "application").iterdir() if b"anary" in path.read_bytes()}
    assert holding == {"users.csv", "users-changes.csv", "users.json"}
    assert "anary" not in done.output


def test_no_user_is_in_a_bundle_of_evidence(place: Place) -> None:
    place.edit("Court clerk,clerk@", "Canary Person,canary.person@", "users.csv")
    held = read(place.folder, require_files=False)
    ours = organisation().model_copy(update={"folder": place.folder, "files": held.files})
    made = contents.gather(samples.run(), samples.observation(), ours)
    assert not [name for name, data in made.files.items() if b"anary" in data]


class Tags(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.found: list[tuple[str, list[str]]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, [name for name, _ in attrs]))


def test_hostile_text_in_any_answer_stays_text(place: Place) -> None:
    quoted = HOSTILE.replace('"', '\\"')
    place.edit('name = "Robin Signatory"', f'name = "{quoted}"')
    place.edit('reason = "Youth', f'reason = "{quoted}\u202eYouth')
    place.edit("Every server and", f"{quoted} and")
    place.run()
    pages = list((place.folder / "application").glob("*.html"))
    assert len(pages) == 7
    for page in pages:
        tags = Tags()
        tags.feed(page.read_text())
        assert not {"script", "img"} & {tag for tag, _ in tags.found}, page.name
        assert "\u202e" not in page.read_text()
    assert "\u202e" not in place.file("2017-form.txt")


def test_a_mistake_in_the_file_is_told_where_it_matters(place: Place) -> None:
    place.edit('email = "it.helpdesk@council.example"', 'email = "helpdesk"')
    done = place.run()
    assert done.exit_code == 1
    assert 'contacts.helpdesk.email: found "helpdesk"' in done.stdout
    assert "[contacts] has mistakes and is left out" in place.file("contacts.txt")


def test_each_page_is_printed_when_asked_for_and_gone_when_not(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cjsm_connect.reports.pdf.printed", lambda page: b"%PDF-" + page.encode())  # laying out is slow
    place.run("--pdf")
    pages = {path.stem: path.read_bytes() for path in (place.folder / "application").glob("*.pdf")}
    assert pages.keys() == {path.stem for path in (place.folder / "application").glob("*.html")}
    assert all(data.startswith(b"%PDF-") for data in pages.values())
    place.run()
    assert not list((place.folder / "application").glob("*.pdf"))


def test_the_pack_goes_where_it_is_told_to(place: Place, tmp_path: Path) -> None:
    done = place.run("--output", tmp_path / "pack")
    assert (tmp_path / "pack/index.html").is_file()
    assert not (place.folder / "application").exists()
    assert str(tmp_path / "pack") in done.stdout


@pytest.fixture
def copied(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """The example as it was copied by the README's second step, and not touched."""
    monkeypatch.setattr(verb, "_now", lambda: NOW)
    return Place(Path(shutil.copytree(ROOT / "inventories/example", tmp_path / "copied")))


def test_what_was_copied_from_the_example_is_missing_and_named(copied: Place) -> None:
    told = copied.told()
    missing = {one["where"] for one in told["missing"]}
    assert {
        "organisation.toml: organisation.name",
        "organisation.toml: contacts.helpdesk.telephone",
        'organisation.toml: declarations["terms-accepted"]',
        "hub/ca.pem: the certificate",
        "users.csv: 6 lines",
    } <= missing
    assert not told["complete"]
    rows = [row for form in told["forms"] for row in form["fields"]]
    assert not [row for row in rows if row["from"] == "declared" and "Toni Technical" in " ".join(row["answer"])]


def test_what_was_replaced_is_no_longer_missing(copied: Place) -> None:
    before = len(copied.told()["missing"])
    copied.edit('name = "Riley Signatory"', 'name = "R. S. Real"')
    copied.edit("020 7946 0103", "01632 960103")
    after = copied.told()["missing"]
    assert len(after) < before
    assert "contacts.helpdesk.telephone" not in json.dumps(after)
