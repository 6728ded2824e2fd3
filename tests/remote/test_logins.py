"""What an SSH server offers is taken from its own words; anything else could not tell."""

from __future__ import annotations

import pytest

from cjsm_connect.remote import common, logins

ASKED = {"user": "operator", "address": "192.0.2.10", "port": 22}


@pytest.mark.parametrize(
    ("code", "said", "expected"),
    [
        (255, "operator@192.0.2.10: Permission denied (publickey).", {"methods": ["publickey"]}),
        (
            255,
            "x\r\noperator@192.0.2.10: Permission denied (publickey,password,keyboard-interactive).\r\n",
            {"methods": ["keyboard-interactive", "password", "publickey"]},
        ),
        (255, "operator@192.0.2.10: Permission denied ().", {"methods": []}),
        (0, "", {"methods": ["none"]}),
    ],
)
def test_the_methods_are_those_that_the_server_names(
    monkeypatch: pytest.MonkeyPatch, code: int, said: str, expected: dict[str, list[str]]
) -> None:
    monkeypatch.setattr(common, "attempt", lambda argv, **options: (code, "", said))
    assert logins.offered(ASKED) == expected


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (255, "ssh: connect to host 192.0.2.10 port 22: Connection refused"),
        (127, "ssh: not installed"),
        (124, "ssh: no end within 15 seconds"),
        (255, ""),
    ],
)
def test_silence_is_no_answer(monkeypatch: pytest.MonkeyPatch, code: int, said: str) -> None:
    monkeypatch.setattr(common, "attempt", lambda argv, **options: (code, "", said))
    assert logins.offered(ASKED).keys() == {"could_not_tell"}


def test_no_key_and_no_file_of_the_hosts_own_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []
    monkeypatch.setattr(common, "attempt", lambda argv, **options: (seen.append(argv), (255, "", ""))[1])
    logins.offered({**ASKED, "user": "-oProxyCommand=x"})
    [argv] = seen
    assert argv[argv.index("-l") + 1] == "-oProxyCommand=x"  # the value of an option, never an option
    assert argv[-3:] == ["--", "192.0.2.10", "true"]
    assert {"PubkeyAuthentication=no", "IdentityAgent=none", "UserKnownHostsFile=/dev/null"} <= set(argv)
