"""Where mail goes on by itself: settings, tables, home directories and jobs are read; own addresses are not told."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

from cjsm_connect.remote import postconf
from cjsm_connect.remote.observe import access, forwarding

OWN = {"own": ["council.example", "mail.council.example"]}


@pytest.fixture
def host(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host below a folder: what postconf(1) and postmap(1) would say lies in files of it."""

    def attempt(argv: list[str], **options: object) -> tuple[int, str, str]:
        name = "_".join(word.strip("-") for word in argv[:2]) if argv[0] == "postconf" else Path(argv[-1]).name
        file = tmp_path / name
        return (0, file.read_text(), "") if file.exists() else (1, "", "no such thing")

    monkeypatch.setattr(forwarding, "attempt", attempt)
    monkeypatch.setattr(postconf, "attempt", attempt)
    monkeypatch.setattr(forwarding, "JOBS", (f"{tmp_path}/crontab",))
    monkeypatch.setattr(forwarding, "APT", f"{tmp_path}/apt.conf")
    monkeypatch.setattr(forwarding.pwd, "getpwall", lambda: [SimpleNamespace(pw_dir=f"{tmp_path}/home")])
    (tmp_path / "home").mkdir()
    (tmp_path / "postconf_x").write_text("alias_maps = hash:/etc/aliases\nalways_bcc =\n")
    (tmp_path / "aliases").write_text("postmaster\tclerk\nclerk\tclerk@council.example, files@nas.council.example\n")
    return tmp_path


def found(host: Path) -> list[tuple[str, str, str]]:
    rows = forwarding.observe(OWN)["found"]
    return [(row["where"].replace(f"{host}/", ""), row["kind"], row["to"]) for row in rows]


def test_mail_that_stays_is_not_told(host: Path) -> None:
    assert forwarding.observe(OWN) == {"found": [], "unread": []}


def test_an_alias_to_an_outside_address_is_told(host: Path) -> None:
    (host / "aliases").write_text("clerk\tclerk, Holiday@Internet.example\n")
    assert found(host) == [("hash:/etc/aliases", "forward", "Holiday@Internet.example")]


def test_an_included_file_is_looked_into(host: Path) -> None:
    (host / "list").write_text("one@internet.example\ntwo@council.example\n")
    (host / "aliases").write_text(f"all\t:include:{host}/list\n")
    assert found(host) == [("hash:/etc/aliases", "forward", "one@internet.example")]


def test_a_copy_of_everything_is_told_also_where_only_one_service_makes_it(host: Path) -> None:
    (host / "postconf_x").write_text("always_bcc = archive@internet.example\n")
    (host / "postconf_Px").write_text(
        "smtp/inet/always_bcc = other@internet.example\nsmtp/inet/mynetworks = x@y.example\n"
    )
    assert found(host) == [
        ("always_bcc", "forward", "archive@internet.example"),
        ("smtp/inet/always_bcc", "forward", "other@internet.example"),
    ]


def test_an_address_in_the_setting_itself_is_told(host: Path) -> None:
    (host / "postconf_x").write_text("recipient_bcc_maps = static:archive@internet.example\n")
    assert found(host) == [("recipient_bcc_maps", "forward", "archive@internet.example")]


def test_a_table_of_patterns_is_read_as_written_without_its_comments(host: Path) -> None:
    table = host / "virtual"
    table.write_text("# /./ nobody@internet.example\n/^(.*)@council\\.example$/\t$1@internet.example\n")
    (host / "postconf_x").write_text(f"virtual_alias_maps = regexp:{table}, ldap:/etc/postfix/users.cf\n")
    assert found(host) == [(f"regexp:{table}".replace(f"{host}/", ""), "forward", "$1@internet.example")]
    assert forwarding.observe(OWN)["unread"] == ["ldap:/etc/postfix/users.cf"]


def test_a_home_file_and_a_job_are_told_apart(host: Path) -> None:
    (host / "home/.forward").write_text("\\clerk, clerk@internet.example\n")
    (host / "crontab").write_text(
        "# MAILTO=no@internet.example\nMAILTO=court@court.example.cjsm.net\n0 1 * * * root x\n"
    )
    (host / "apt.conf").write_text(
        '//Unattended-Upgrade::Mail "no@a.example";\nUnattended-Upgrade::Mail "yes@a.example";\n'
    )
    assert found(host) == [
        ("home/.forward", "forward", "clerk@internet.example"),
        ("crontab", "automatic", "court@court.example.cjsm.net"),
        ("apt.conf", "automatic", "yes@a.example"),
    ]


def test_sshd_is_asked_as_each_administration_address_would_meet_it(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def run(argv: list[str]) -> str:
        asked.append(argv[-1])
        return "port 22\npasswordauthentication YES\npermitemptypasswords no\n"

    monkeypatch.setattr(access, "run", run)
    monkeypatch.setattr(access, "attempt", lambda argv, **options: (127, "", "not installed"))
    seen = access.observe({"user": "operator", "addresses": ["192.0.2.1", "2001:db8::1"]})
    assert asked == ["user=operator,host=192.0.2.1,addr=192.0.2.1", "user=operator,host=2001:db8::1,addr=2001:db8::1"]
    assert seen["sshd"]["192.0.2.1"] == {"passwordauthentication": "yes", "permitemptypasswords": "no"}
    assert seen["dovecot"] == {}


def test_dovecot_is_asked_by_the_names_of_either_version(monkeypatch: pytest.MonkeyPatch) -> None:
    said = {"auth_allow_cleartext": (0, "no\n", ""), "ssl": (0, "required\n", "")}
    monkeypatch.setattr(access, "attempt", lambda argv, **options: said.get(argv[-1], (89, "", "unknown setting")))
    assert access.dovecot() == {"auth_allow_cleartext": "no", "ssl": "required"}
