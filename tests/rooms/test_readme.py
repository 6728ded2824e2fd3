"""What README tells somebody to type does what it says: signing with one's own CA, completion by the shell."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest

from cjsm_connect.desired import Key
from cjsm_connect.desired.certificate import certificate_problems
from cjsm_connect.remote import keys
from tests.made_up import ROOT

pytestmark = pytest.mark.slow

README = (ROOT / "README.md").read_text()
NAME = "relay.council.example"


def openssl(folder: Path, line: str) -> str:
    argv = ["openssl", *shlex.split(line)]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=True).stdout


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A request as a host makes it, and a CA as somebody may have it."""
    asked = {
        "path": str(tmp_path / "relay-inner.key"), "request_path": str(tmp_path / "relay-inner.csr"),
        "organisation": "Council", "common_name": NAME, "names": [NAME], "algorithm": "ec-p256",
    }  # fmt: skip
    keys.make(asked)
    keys.request(asked)
    openssl(
        tmp_path,
        "req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout your-ca.key -out your-ca.pem "
        "-subj '/O=Council/CN=our own CA' -days 3650 -addext basicConstraints=critical,CA:TRUE",
    )
    return tmp_path


def wrong_with(folder: Path) -> list[str]:
    """What plan would say of the answer."""
    public = openssl(folder, "pkey -in relay-inner.key -pubout")
    authority, answer = ((folder / name).read_text() for name in ("your-ca.pem", "relay-inner.pem"))
    key = Key("inner", "/k", "/k.csr", "/k.chain", NAME, (NAME,), "Council", authority, answer)
    return certificate_problems(key, public, datetime.now(UTC))


def test_the_printed_command_signs_a_request_with_its_names_and_uses(folder: Path) -> None:
    [printed] = re.findall(r"^ +openssl (x509 -req .*\\\n.*)$", README, re.MULTILINE)
    openssl(folder, printed.replace("\\\n", " "))
    assert wrong_with(folder) == []


def test_without_what_it_copies_the_names_are_lost(folder: Path) -> None:
    openssl(folder, "x509 -req -in relay-inner.csr -out relay-inner.pem -CA your-ca.pem -CAkey your-ca.key")
    [problem] = wrong_with(folder)
    assert f"lacks the name {NAME}" in problem


def test_each_step_names_what_the_example_leaves_open() -> None:
    steps = README.partition("## Your first real connection")[2].partition("\n## ")[0]
    for word in (
        "ssh-keyscan",
        "ssh-keygen -lf",
        "-copy_extensions copy",
        "placeholders",
        "signature_files",
        "hub/ca.pem",
    ):
        assert word in steps


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_printed_line_makes_a_shell_complete(shell: str) -> None:
    [line] = [line for line in README.splitlines() if f"_CJSM_COMPLETE={shell}_source cjsm" in line]
    assert line.startswith("    ")
    asked = {**os.environ, "_CJSM_COMPLETE": f"{shell}_source"}
    script = subprocess.run([sys.executable, "cli.py"], cwd=ROOT, env=asked, capture_output=True, text=True, check=True)
    assert f"_CJSM_COMPLETE={shell}_complete" in script.stdout


def test_verbs_and_options_complete() -> None:
    for words, meant in (("cjsm hist", "history"), ("cjsm plan --sum", "--summary")):
        asked = {"_CJSM_COMPLETE": "bash_complete", "COMP_WORDS": words, "COMP_CWORD": str(len(words.split()) - 1)}
        done = subprocess.run(
            [sys.executable, "cli.py"],
            cwd=ROOT,
            env={**os.environ, **asked},
            capture_output=True,
            text=True,
            check=True,
        )
        assert done.stdout.split() == [f"plain,{meant}"]
