"""No value is written into a configuration but as its language writes values."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path

import pytest
from jinja2 import TemplateSyntaxError

from cjsm_connect.desired import Map, Settings, languages
from cjsm_connect.desired.languages import APT, NFT, POSTFIX, SHELL, Language, Unwritable, Written, ssh_value, table_row
from cjsm_connect.desired.render import TEMPLATES, _environment, template
from deploys.connection import desired
from tests.made_up import lab_file, organisation

LANGUAGES = {language.name: language for language in languages.TEMPLATES.values()}
REFUSING = [language for language in LANGUAGES.values() if not language.quoted]
PAGES = {"application", "report"}  # HTML, which escapes by itself
HOSTILE = [
    "a\nb",
    "a\rb",
    "a\0b",
    "a b",
    "a\tb",
    'a"b',
    "a'b",
    "a;b",
    "a#b",
    "a$b",
    "a${b}",
    "a`b",
    "a\\b",
    "a{b",
    "a}b",
    "a%b",
    "a!b",
    "a\u2028b",
    "a\u0085b",
    "a\u200bb",
    "a\u202eb",
    "à",
    "٣",
    None,
    True,
    ("a", "b\n"),
    ["a b"],
    {"a": "b"},
    b"a",
]


def test_every_template_of_a_configuration_has_its_language() -> None:
    found = {path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.j2")}
    assert {name for name in found if name.split("/")[0] not in PAGES} == set(languages.TEMPLATES)


@pytest.mark.parametrize("language", REFUSING, ids=lambda one: one.name)
@pytest.mark.parametrize("value", HOSTILE, ids=repr)
def test_a_value_that_could_mean_more_is_refused(language: Language, value: object) -> None:
    with pytest.raises(Unwritable, match="expected"):
        language.value(value)


@pytest.mark.parametrize("value", HOSTILE, ids=repr)
@pytest.mark.parametrize("language", LANGUAGES.values(), ids=lambda one: one.name)
def test_any_text_can_stand_in_a_comment_and_stays_on_its_line(language: Language, value: object) -> None:
    written = language.comment(value)
    assert len(written.splitlines()) <= 1 and written.isprintable()


@pytest.mark.parametrize("value", [text for text in HOSTILE if isinstance(text, str) and not set(text) & set("\n\r\0")])
def test_a_shell_reads_back_what_was_written(value: str) -> None:
    done = subprocess.run(["sh", "-c", f"printf %s {SHELL.value(value)}"], capture_output=True, text=True, check=True)
    assert done.stdout == value


@pytest.mark.parametrize("value", ["a\nb", "a\0b"])
def test_what_no_shell_word_should_hold_is_refused(value: str) -> None:
    with pytest.raises(Unwritable):
        SHELL.value(value)


def test_what_one_language_has_written_is_a_value_to_another() -> None:
    match = NFT.written("ip saddr { 192.0.2.1 }")
    assert NFT.value(match) is match
    with pytest.raises(Unwritable):
        POSTFIX.value(match)


def test_several_values_are_written_each_by_itself() -> None:
    assert POSTFIX.value(("a", POSTFIX.words("b", "c"))) == "a, b c"
    with pytest.raises(Unwritable):
        POSTFIX.value(("a", "b, c"))
    with pytest.raises(Unwritable):  # a language without lists
        APT.value(("a", "b"))


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy, lambda one: pickle.loads(pickle.dumps(one))])
def test_a_copy_is_written_in_the_same_language(copied: Callable[[Written], Written]) -> None:
    """An apply takes what is desired apart (dataclasses.asdict), which copies."""
    found = copied(NFT.written("a b"))
    assert (found, type(found), found.language) == ("a b", Written, NFT.name)


def test_everything_that_is_desired_can_be_sent_to_a_host() -> None:
    made = organisation()
    for host in made.hosts:
        assert json.loads(json.dumps(asdict(desired(made, host))))["files"]


def test_a_changed_text_has_to_pass_again() -> None:
    """Only the object that a language gave counts as written, not what is made from it."""
    assert not isinstance(POSTFIX.written("a b").replace("a", "c"), Written)


@pytest.mark.parametrize("body", ["{{ x | safe }}", "{{ x | join }}", "{{ x | replace('a', '\\n') }}", "{{ x | e }}"])
def test_a_template_has_no_way_around_its_language(body: str) -> None:
    with pytest.raises(TemplateSyntaxError):
        _environment(POSTFIX.name).from_string(body)


MACRO = "{% macro m() %}{{ x }}{% endmacro %}{{ m() }}"


@pytest.mark.parametrize("body", ["{{ x }}", "{{ x ~ 'b' }}", "{% set y = x %}{{ y }}", MACRO])
def test_every_expression_passes_through_the_language(body: str) -> None:
    with pytest.raises(Unwritable):
        _environment(POSTFIX.name).from_string(body).render(x="a\nb")


def test_a_hostile_value_stops_at_the_template_even_if_every_judge_let_it_through() -> None:
    with pytest.raises(Unwritable, match="apt"):
        template(
            "patching/apt.conf.j2",
            reboot_time="04:00",
            proxy='http://192.0.2.80:3128/";APT::Update::Pre-Invoke{"id";};//',
        )
    with pytest.raises(Unwritable, match="chrony"):
        template("logging/chrony.conf.j2", servers=["fe80::1%x\nbindcmdaddress 0.0.0.0"])


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("a b", "OK", "lmdb"),
        ("#a@council.example", "OK", "lmdb"),
        ("", "OK", "lmdb"),
        ("a\n", "OK", "lmdb"),
        (" a", "OK", "lmdb"),
        ("a", "", "lmdb"),
        ("a", " OK", "lmdb"),
        ("a", "OK ", "lmdb"),
        ("a", "O\nK", "lmdb"),
        ("a", "O\u2028K", "lmdb"),
        ("if", "192.0.2.0/24", "cidr"),
        ("endif", "x", "cidr"),
        ("!192.0.2.0/24", "OK", "cidr"),
        ("fe80::1%\nx", "permit", "cidr"),
    ],
)
def test_a_row_of_a_table_is_one_row(key: str, value: str, kind: str) -> None:
    with pytest.raises(Unwritable):
        table_row(key, value, kind)
    if kind != "texthash":
        with pytest.raises(Unwritable):
            Map("x", ((key, value),), kind)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("form", "name", "value"),
    [
        ("main.cf", "a", "b\nc = d"),
        ("main.cf", "a b", "c"),
        ("main.cf", "a\n", "c"),
        ("main.cf", "a", "$b"),
        ("master.cf", "a/inet", "a inet n - n - - smtpd"),
        ("master.cf", "a/inet", NFT.written("a inet n - n - - smtpd")),
    ],
)
def test_a_setting_for_an_administrators_file_is_one_setting(form: str, name: str, value: str) -> None:
    with pytest.raises(Unwritable):
        Settings("/etc/postfix/x", form, ((name, value),))  # type: ignore[arg-type]


@pytest.mark.parametrize("value", ["", "a\nb", 'a"b', "a\\b", "${HOME}", "a\u0085b"])
def test_what_ssh_cannot_quote_is_refused(value: str) -> None:
    with pytest.raises(Unwritable):
        ssh_value(value)


@pytest.mark.skipif(not shutil.which("ssh"), reason="needs ssh")
@pytest.mark.parametrize("value", ["plain", "with space", "%d%h", "a#b", "'", "$HOME", "a=b", "à"])
def test_ssh_reads_back_what_was_written(value: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(f"Host x\n  UserKnownHostsFile {ssh_value(f'/k/{value}')}\n")
    argv = ["ssh", "-G", "-F", str(tmp_path / "config"), "x"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    assert f"userknownhostsfile /k/{value}\n" in said.replace("%%", "%")


@pytest.mark.parametrize("name", ["in*", "in?", "in[1]", "in{a}", "in%d"])
def test_a_path_that_ssh_would_take_for_a_pattern_is_refused(name: str) -> None:
    with pytest.raises(Unwritable):
        ssh_value(f"/tmp/{name}/ssh_config", pattern=True)


@pytest.mark.parametrize(
    ("key", "value"),
    [("/^a$/", "error:no"), ("if", "/[^ -~]/"), ("endif", ""), (r"/a\.b/", "IGNORE"), ("/\u3002/", "error:no")],
)
def test_a_table_of_regular_expressions_has_patterns_and_conditions(key: str, value: str) -> None:
    table_row(key, value, "regexp")


@pytest.mark.parametrize(
    ("key", "value"),
    [
        *[("cjsm.net", "x"), ("/a", "x"), ("/a/b/", "x"), ("/a\nb/", "x"), ("/a/", ""), ("/a/", "x\ny"), ("!/a/", "x")],
        *[("if", "cjsm.net"), ("if", "/a/ b"), ("endif", "x"), ("/a/i", "x"), ("/a\tb/", "x"), ("/a\\/", "x")],
    ],
)
def test_and_nothing_else(key: str, value: str) -> None:
    with pytest.raises(Unwritable):
        table_row(key, value, "regexp")


@pytest.mark.parametrize("name", ["", "a b", "a|b", "a/b", "a$", "a\\", "(a)", "a\nb", "a\u200bb"])
def test_what_means_more_in_a_regular_expression_is_no_name(name: str) -> None:
    with pytest.raises(Unwritable):
        languages.regexp_literal(name)


def test_the_dots_of_a_name_are_dots() -> None:
    assert languages.regexp_literal("m\u00f4n.example") == "m\u00f4n" + r"\.example"


def test_a_host_whose_name_has_a_hyphen_is_written_everywhere() -> None:
    hosts = [{**host, "fqdn": f"{host['name']}-1.council.example"} for host in lab_file()["hosts"]]
    made = organisation(hosts=hosts)
    for host in made.hosts:
        assert desired(made, host).files
