"""Whatever a stranger wrote, each way out of this program shows letters only, and no line that it did not make."""

from __future__ import annotations

import io
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from contextlib import redirect_stdout
from datetime import UTC, datetime, timedelta
from pathlib import Path
from xml.etree import ElementTree

import click
import pytest
from click.testing import CliRunner
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cjsm_connect import printable, remote, terminal
from cjsm_connect.engineer.described import described
from cjsm_connect.organisation import reading
from cjsm_connect.organisation.problems import OrganisationError
from cjsm_connect.reports import html, junit, nagios, oscal, table
from cjsm_connect.results import CjsmError, Run, Status, WaiverEntry
from cjsm_connect.results import catalogue as catalogues
from cjsm_connect.results.catalogue import Catalogue
from cjsm_connect.rooms import Rooms
from cjsm_connect.verbs._group import cjsm
from tests.evidence import samples
from tests.evidence.samples import REQUIREMENTS, key, packed, result, run, signed
from tests.made_up import ROOT
from tests.reports.test_html import report

# line ends, ESC, BEL, C1, direction marks, without width or shape, half a character, half of UTF-8
HOSTILE = (
    "a\nFORGED: ok\r\x1b[2J\x1b[31;1m\x1b]0;t\x07\x9b1m\x85"
    "\u202e\u2066\u200b\ufeff\u00ad\u2028\u3164\ufe0f\udc9b\udfff|z"
)
HARMLESS = "Größe, 日本, é, naïve - 5 % <b> \\x1b"


def assert_shown(text: str, *, line_of_its_own: str = "FORGED") -> None:
    """Nothing that a terminal obeys or an eye does not see, and no line that the text itself began."""
    for letter in text:
        assert letter in "\n\t" or (letter.isprintable() and printable.escaped(letter) == letter), (
            hex(ord(letter)),
            text,
        )
    assert not [line for line in text.splitlines() if line.lstrip().startswith(line_of_its_own)], text


def hostile_run() -> Run:
    """Every text of a run from a stranger."""
    each = dict.fromkeys(("check", "title", "subject", "expected", "observed", "remedy", "why"), HOSTILE)
    rows = [result("tls.inner", status, **each, reason=HOSTILE) for status in Status]
    waiver = WaiverEntry(HOSTILE, HOSTILE, HOSTILE, HOSTILE, "2026-11-01", "2026-12-01", HOSTILE, 1)
    made = run(*rows, organisation=HOSTILE, notes=(HOSTILE,), waivers=(waiver,))
    assert made.results[0].observed == HOSTILE
    return made


def told_by_table(made: Run) -> str:
    out = io.StringIO()
    with redirect_stdout(out):
        table.show(made, Catalogue(REQUIREMENTS, "1.0123456789ab"), terminal=False)
    return out.getvalue()


FORMS: dict[str, Callable[[Run], str]] = {
    "check, on a terminal": told_by_table,
    "check --nagios": lambda made: nagios.line(made, 1.0),
    "check --nagios, when it could not run": lambda made: nagios.unknown(made.organisation),
    "report --junit": junit.xml,
    "report --html": lambda made: html.render(report(made)),
    "report --pdf": lambda made: html.render(report(made), paper=True),
    "report --oscal": lambda made: "".join(
        printable.as_json(one) for one in oscal.documents(made, REQUIREMENTS).values()
    ),
    "probe": lambda made: "\n".join(map(printable.escaped, described(answered(made.organisation)))),
}


def answered(said: str) -> dict[str, object]:
    return {"target": said, "outcome": "answered", "seconds": 1, "ptr": said, "said": said}


@pytest.mark.parametrize("form", FORMS)
def test_a_run_of_hostile_texts_is_harmless_in_each_form(form: str) -> None:
    page = form in ("report --html", "report --pdf")  # a line end in HTML is a space
    assert_shown(FORMS[form](hostile_run()), line_of_its_own="\0" if page else "FORGED")


def test_hostile_texts_make_neither_xml_nor_json_that_nobody_can_read() -> None:
    ElementTree.fromstring(junit.xml(hostile_run()).encode())
    json.dumps(oscal.documents(hostile_run(), REQUIREMENTS)).encode()


@pytest.fixture
def desk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A bundle about an organisation with such a name, judged by criteria with such texts; both files are called so."""
    monkeypatch.setattr(samples, "NOW", datetime.now(UTC) - timedelta(minutes=1))
    told = HOSTILE.encode("utf-8", "ignore").decode()  # what JSON can carry
    version = catalogues.load(ROOT / "checks" / "requirements.toml").version
    made = run(organisation=told[:60], notes=(told,), catalogue_version=version)
    (tmp_path / "in").mkdir()
    for name in ("a\nFORGED.tar", "b\x1b[2J\u202e.tar"):
        (tmp_path / "in" / name).write_bytes(packed(signed(made)))
    public = key().private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    (tmp_path / "evidence.pub").write_bytes(public)
    text = json.dumps(told)
    (tmp_path / "mine.toml").write_text(
        f'schema = 1\ntitle = {text}\nversion = "1"\n[[criteria]]\nid = "x"\ntext = {text}\nsource = {text}\n'
        'requirements = ["relay.route"]\n'
    )
    return tmp_path


def typed(*words: str) -> str:
    """What the whole program prints, on both streams."""
    done = CliRunner().invoke(cjsm, list(words), obj=Rooms(ROOT))
    assert done.exit_code in (0, 1, 2), done
    return done.output


def test_verify_shows_a_bundle_of_hostile_texts_harmlessly(desk: Path) -> None:
    first = min((desk / "in").iterdir())
    told = typed("verify", str(first), "--key", str(desk / "evidence.pub"))
    assert "GENUINE" in told
    assert_shown(told)
    data = typed("verify", str(first), "--key", str(desk / "evidence.pub"), "--json")
    assert_shown(data)


@pytest.mark.parametrize("words", [["in"], ["in", "--json"], ["one"], ["in", "--out", "out"]])
def test_review_shows_hostile_organisations_criteria_and_file_names_harmlessly(desk: Path, words: list[str]) -> None:
    first = min((desk / "in").iterdir())
    places = [str(first) if word == "one" else word if word.startswith("--") else str(desk / word) for word in words]
    told = typed("review", *places, "--key", str(desk / "evidence.pub"), "--criteria", str(desk / "mine.toml"))
    assert "FORGED" in told or "out" in words
    assert_shown(told)
    for file in (desk / "out").glob("*"):
        assert_shown(file.name)
        assert_shown(file.read_text(), line_of_its_own="\0" if file.suffix == ".html" else "FORGED")


def test_json_of_a_hostile_text_is_the_very_same_value() -> None:
    value = {HOSTILE: [HOSTILE, HARMLESS, 1, None]}
    told = printable.as_json(value, indent=1)
    assert_shown(told)
    assert json.loads(told) == value
    assert HARMLESS.replace("\\", "\\\\") in told


@pytest.mark.parametrize(
    "words",
    [
        [HOSTILE.replace("\udc9b\udfff", "")],
        ["verify", "x\n FORGED\x1b[2J", "--key", "\x9b"],
        ["report", "\u202e", "--\x07"],
    ],
)
def test_what_was_typed_is_told_back_harmlessly(words: list[str]) -> None:
    assert_shown(typed(*words), line_of_its_own="\0")


@pytest.mark.parametrize("error", [CjsmError(HOSTILE), RuntimeError(HOSTILE), click.ClickException(HOSTILE)])
def test_an_error_with_a_hostile_text_is_told_harmlessly(error: Exception, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_: object) -> None:
        raise error

    monkeypatch.setattr("cjsm_connect.verbs._group.Verbs.get_command", fails)
    assert_shown(typed("verify"), line_of_its_own="\0")


def test_an_organisation_file_with_hostile_keys_and_values_is_told_harmlessly(tmp_path: Path) -> None:
    text = json.dumps(HOSTILE.encode("utf-8", "ignore").decode())
    (tmp_path / "organisation.toml").write_text(
        f"schema = 1\n{text} = {text}\n[hub]\n{text} = 1\nhost = {text}\n[{text}]\n"
    )
    with pytest.raises(OrganisationError) as found:
        reading.load(tmp_path)
    assert_shown(str(found.value))
    for verb in ("check", "plan", "status", "application", "assess", "evidence"):
        assert_shown(typed(verb, "--org", str(tmp_path)))


def test_the_files_of_a_bundle_hold_nothing_that_a_terminal_obeys() -> None:
    """`tar -xO` and `cat` are how an administrator looks."""
    seen = samples.observation()
    seen["hosts"]["relay"]["facts"]["configuration"]["configuration"]["nft --stateless list ruleset"] = HOSTILE
    seen["notes"] = [HOSTILE]
    for name, content in samples.material(hostile_run(), seen).files.items():
        assert_shown(content.decode(), line_of_its_own="\0" if name.endswith((".txt", ".nft")) else "FORGED")


def test_what_a_host_says_of_a_stranger_comes_harmless_from_there() -> None:
    """The same function, in a program as it is sent."""
    text = remote.program(["common", "handshake", "messages", "smtp"], "smtp:shown", HOSTILE)
    done = subprocess.run([sys.executable, "-I", "-S", "-"], input=text, capture_output=True, text=True, check=True)
    assert remote.answer(done.stdout) == printable.shown(HOSTILE)
    assert_shown(remote.answer(done.stdout))


def test_what_can_be_read_stays_as_it_is() -> None:
    for form in (printable.escaped, printable.lines, printable.shown, printable.everywhere):
        assert form(HARMLESS) == HARMLESS


COLOURED = """
import click
from cjsm_connect import terminal
with terminal.guarded():
    click.echo(click.style("ours " + {hostile!r}, fg="red", bold=True))
    click.echo({hostile!r})
    print({hostile!r})
"""


def test_on_a_terminal_only_our_own_colours_are_colours() -> None:
    """A real terminal: whatever else looks like a colour is written out."""
    hostile = "\x1b[31mred\x1b[8mhidden\x1b]0;title\x07\x9b2J"
    ours, theirs = pty.openpty()
    script = COLOURED.format(hostile=hostile)
    environment = {key: value for key, value in os.environ.items() if key != "NO_COLOR"} | {"PYTHONPATH": str(ROOT)}
    with subprocess.Popen([sys.executable, "-c", script], stdout=theirs, cwd=ROOT, env=environment) as process:
        assert process.wait() == 0
    os.close(theirs)
    told = os.read(ours, 10_000).decode()
    os.close(ours)
    written = "\\x1b[31mred\\x1b[8mhidden\\x1b]0;title\\x07\\x9b2J"
    first, second, third = told.splitlines()
    assert first == f"\x1b[31m\x1b[1mours {written}\x1b[0m"
    assert second == third == written


MAY_ASK = {"printable.py", "terminal.py"}
REFUSE = {"probe.py", "hooks.py", "users.py", "common.py", "hook.py", "languages.py"}
"""These accept a text or refuse it; none shows it in another form."""


def test_nobody_else_decides_what_is_printable() -> None:
    """A second function would differ from the first."""
    asking = {path.name for path in (ROOT / "cjsm_connect").rglob("*.py") if "isprintable" in path.read_text()}
    assert asking <= MAY_ASK | REFUSE, asking - MAY_ASK - REFUSE


def test_a_key_file_with_a_hostile_name_is_told_in_one_line(desk: Path) -> None:
    (desk / "keys").mkdir()
    (desk / "keys" / "a\nFORGED\x1b[2J.pub").write_text("none")
    (desk / "keys" / "good.pub").write_bytes((desk / "evidence.pub").read_bytes())
    told = typed("review", str(desk / "in"), "--key", str(desk / "keys"), "--criteria", str(desk / "mine.toml"))
    assert "left out" in told
    assert_shown(told)


def test_the_door_is_closed_again_behind_a_verb() -> None:
    before = sys.stdout, sys.stderr, click.style
    with terminal.guarded():
        assert sys.stdout is not before[0]
    assert (sys.stdout, sys.stderr, click.style) == before
