"""The configuration texts of the evidence: complete, without passwords, never endless."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cjsm_connect.remote.observe.configuration import LARGEST, clean, generation, observe


def texts(*commands: list[str], files: tuple[str, ...] = ()) -> dict[str, str]:
    found: dict[str, str] = observe({"commands": list(commands), "files": list(files), "generations": "/absent"})[
        "configuration"
    ]
    return found


def test_a_program_tells_its_configuration_under_its_own_name() -> None:
    assert texts(["printf", "relayhost ="]) == {"printf relayhost =": "relayhost ="}


def test_a_program_that_is_not_installed_is_left_out() -> None:
    assert texts(["no-such-program", "-n"]) == {}


def test_a_program_that_fails_says_so() -> None:
    assert texts(["ls", "/no-such-file"])["ls /no-such-file"].startswith("ended with 2: ")


def test_files_are_found_by_pattern_and_folders_left_out(tmp_path: Path) -> None:
    (tmp_path / "a.conf").write_text("one\n")
    (tmp_path / "b.conf").mkdir()
    assert texts(files=(f"{tmp_path}/*.conf", f"{tmp_path}/absent")) == {f"{tmp_path}/a.conf": "one\n"}


@pytest.mark.parametrize(
    "line",
    [
        "HTTPProxyPassword hunter2",
        "    DatabasePassword = hunter2",
        'Acquire::http::Password "hunter2";',
        "smtp_passwd: hunter2",
        "smtp_sasl_password_maps = static:relay:hunter2",
        "#HTTPProxyPassword hunter2",
        'action(type="ommysql" uid="log" pwd="hunter2")',
        "machine proxy.example login log password hunter2",
        "-    bind_pw = hunter2",
        'Acquire::http::Proxy "http://user:hunter2@proxy.example:3128";',
        "PrivateMirror https://hunter2@mirror.example/",
    ],
)
def test_passwords_are_taken_out_on_the_host(line: str) -> None:
    shown = clean(f"before\n{line}\nafter\n")
    assert "hunter2" not in shown and "(redacted)" in shown
    assert shown.startswith("before\n") and shown.endswith("\nafter\n")


@pytest.mark.parametrize(
    "line",
    [
        "passwordauthentication no",
        "kerberosorlocalpasswd yes",
        "smtpd_sasl_auth_enable = no",
        "PermitRootLogin without-password",
    ],
)
def test_settings_that_are_no_password_stay_readable(line: str) -> None:
    assert clean(line) == line


def test_an_endless_text_is_cut_and_says_so() -> None:
    assert clean("x" * (LARGEST + 1)).endswith(f"(cut after {LARGEST} characters)\n")


def test_the_generation_is_the_newest_with_the_digest_of_its_manifest(tmp_path: Path) -> None:
    for number in ("9", "10", ".11.new"):
        (tmp_path / number).mkdir()
        (tmp_path / number / "manifest.json").write_text('{"state": "kept"}')
    told = subprocess.run(["sha256sum", tmp_path / "10/manifest.json"], capture_output=True, text=True, check=True)
    assert generation(str(tmp_path)) == {"number": 10, "state": "kept", "manifest_sha256": told.stdout.split()[0]}
    assert generation(f"{tmp_path}/absent") == {}
