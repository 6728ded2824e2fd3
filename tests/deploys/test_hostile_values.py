"""Hostile values that a field accepts change no structure of any file; those it does not accept are refused."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cjsm_connect.organisation import secret
from cjsm_connect.remote.keys import escaped
from cjsm_connect.results import CjsmError
from deploys.connection import desired
from deploys.patching import APT
from tests.deploys.hostile import SNIPPETS, SPECIAL, accepted, bases, differences, parsed, places, replaced

PLACES = [(number, path) for number, base in enumerate(bases()) for path in places(base)]
HOSTILE = st.one_of(st.sampled_from(SNIPPETS), st.text(SPECIAL, min_size=1, max_size=8))
PROPERTY = settings(deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck))


@pytest.fixture(autouse=True)
def password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTILE_PASSWORD", "correct horse")


def at(where: float, text: str) -> int:
    return int(where * len(text))


def changes_nothing_else(place: tuple[int, tuple[str | int, ...]], hostile: str, where: float) -> None:
    number, path = place
    base = bases()[number]
    made = parsed(
        replaced(base, path, lambda text: text[: int(where * len(text))] + hostile + text[int(where * len(text)) :])
    )
    if made:
        whole = parsed(base)
        assert whole
        assert differences(whole, made) == []


CASES = {"place": st.sampled_from(PLACES), "hostile": HOSTILE, "where": st.floats(0, 1)}


@settings(PROPERTY, max_examples=30)
@given(**CASES)
def test_no_value_makes_a_directive(place: tuple[int, tuple[str | int, ...]], hostile: str, where: float) -> None:
    changes_nothing_else(place, hostile, where)


@pytest.mark.slow
@settings(PROPERTY, max_examples=300)
@given(**CASES)
def test_no_value_of_thousands_makes_a_directive(
    place: tuple[int, tuple[str | int, ...]], hostile: str, where: float
) -> None:
    changes_nothing_else(place, hostile, where)


@pytest.mark.slow
@pytest.mark.parametrize("number", range(len(bases())))
@pytest.mark.parametrize("turn", [0, 29])
def test_hostile_values_in_every_field_at_once_make_none(number: int, turn: int) -> None:
    whole, made = parsed(bases()[number]), parsed(accepted(bases()[number], turn))
    assert whole and made and whole != made
    assert differences(whole, made) == []


@pytest.mark.parametrize("found", ["a\nb", "a\r\nb", "\n", "a\0", "a\u2028b", "a\x1bb", ""])
@pytest.mark.parametrize("kind", ["env", "file"])
def test_a_secret_is_one_line(found: str, kind: str, tmp_path: Path) -> None:
    (tmp_path / "it").write_bytes(found.encode())
    with pytest.raises(CjsmError) as refused:
        secret(f"{kind}:it", tmp_path, {"it": found})
    assert found.strip() == "" or found not in str(refused.value)


@pytest.mark.parametrize("found", ["hunter2 ", "hunter2\t", "hunter2\nb OK", "hunter2\u2028x"])
def test_a_password_that_postfix_would_read_otherwise_is_refused(found: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOSTILE_PASSWORD", found)
    made = parsed(bases()[1])
    assert made
    with pytest.raises(CjsmError) as refused:
        desired(made, made.host("relay"))
    assert "hunter2" not in str(refused.value)


@pytest.mark.parametrize("user", ["a:b", "a\nb", "", ":", "a b", "a\u00a0b"])
def test_a_log_in_with_a_colon_is_refused(user: str) -> None:
    assert parsed(replaced(bases()[1], ("hub", "auth", "user"), lambda _: user)) is None


@pytest.mark.parametrize("user", ["-oProxyCommand=id", 'a"b', "a b", "a\nb", "%u", "${HOME}", "a\\b", "", "a" * 65])
def test_a_user_for_ssh_is_a_name(user: str) -> None:
    assert parsed(replaced(bases()[0], ("hosts", 0, "ssh", "user"), lambda _: user)) is None


@pytest.mark.skipif(not shutil.which("openssl"), reason="needs openssl")
@pytest.mark.parametrize("name", ["a/CN=b", "a+b", "a\\b", "a\\/CN=b", "a=b", "a#b", '"a"', "é & <b>", "a,b;c", "a\\"])
def test_a_name_is_one_part_of_a_certificate_request(name: str) -> None:
    subject = f"/O={escaped(name)}/CN=relay.council.example"
    key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", "/dev/null"]
    made = ["openssl", "req", "-new", "-utf8", *key, "-subj", subject]
    request = subprocess.run(made, capture_output=True, text=True, check=True).stdout
    shown = ["openssl", "req", "-noout", "-subject", "-nameopt", "multiline,utf8,-esc_ctrl,-esc_msb"]
    told = subprocess.run(shown, input=request, capture_output=True, text=True, check=True).stdout
    assert re.findall(r"^ +(\w+) += (.*)$", told, re.MULTILINE) == [
        ("organizationName", name),
        ("commonName", "relay.council.example"),
    ]


@pytest.mark.skipif(not shutil.which("apt-config"), reason="needs apt")
def test_apt_finds_the_same_settings_in_a_hostile_organisation(tmp_path: Path) -> None:
    listed = []
    for mapping in (bases()[1], accepted(bases()[1], 5)):
        made = parsed(mapping)
        assert made
        [text] = [file.content for file in desired(made, made.host("relay")).files if file.path == APT]
        (tmp_path / "apt.conf").write_text(text)
        argv = ["apt-config", "-c", str(tmp_path / "apt.conf"), "dump"]
        said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
        listed.append([line.partition(" ")[0] for line in said.splitlines()])
    assert listed[0] == listed[1]
