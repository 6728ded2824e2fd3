"""SSH is strict, shares one connection, and failures are sentences with something to do."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from cjsm_connect.probes import connections
from cjsm_connect.probes.connections import _why, opened, ssh_configuration
from cjsm_connect.results import CjsmError
from tests.made_up import lab_file, organisation


def effective(host: str, text: str, folder: Path) -> dict[str, str]:
    """What ssh itself makes of the configuration."""
    file = folder / "ssh_config"
    file.write_text(text)
    said = subprocess.run(["ssh", "-G", "-F", str(file), host], capture_output=True, text=True, check=True).stdout
    return dict(line.split(" ", 1) for line in said.splitlines() if " " in line)


def test_ssh_verifies_pinned_keys_and_asks_nobody(tmp_path: Path) -> None:
    options = effective("198.51.100.10", ssh_configuration(organisation(), tmp_path), tmp_path)
    assert options["stricthostkeychecking"] == "true"
    assert options["userknownhostsfile"] == "/organisation/known_hosts"
    assert options["globalknownhostsfile"] == "none"
    assert options["batchmode"] == "yes"
    assert options["connecttimeout"] == "5"
    assert options["user"] == "operator"
    assert options["identitiesonly"] == "yes"
    assert options["controlpath"].startswith(str(tmp_path))


def test_a_vantage_host_is_reached_the_same_way(tmp_path: Path) -> None:
    assert effective("203.0.113.20", ssh_configuration(organisation(), tmp_path), tmp_path)["user"] == "operator"


def test_the_organisations_own_file_adds_jump_hosts_but_weakens_nothing(tmp_path: Path) -> None:
    own = tmp_path / "own"
    own.write_text("Host *\n  ProxyJump gateway.example\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n")
    text = ssh_configuration(organisation(), tmp_path) + f'Include "{own}"\n'
    options = effective("198.51.100.10", text, tmp_path)
    assert options["proxyjump"] == "gateway.example"
    assert options["stricthostkeychecking"] == "true"
    assert options["userknownhostsfile"] == "/organisation/known_hosts"


def test_a_cheap_key_exchange_comes_first_and_the_organisations_own_choice_before_that(tmp_path: Path) -> None:
    ours = effective("198.51.100.10", ssh_configuration(organisation(), tmp_path), tmp_path)["kexalgorithms"].split(",")
    assert ours[0] in ("mlkem768x25519-sha256", "curve25519-sha256")
    assert "diffie-hellman-group16-sha512" in ours  # a server that knows only others is still reached
    own = tmp_path / "own"
    own.write_text("Host *\n  KexAlgorithms sntrup761x25519-sha512@openssh.com\n")
    where = organisation()
    with_own = where.model_construct(**{**dict(where), "files": {**where.files, "ssh_config": ""}})
    text = ssh_configuration(with_own, tmp_path).replace('"/organisation/ssh_config"', f'"{own}"')
    assert effective("198.51.100.10", text, tmp_path)["kexalgorithms"] == "sntrup761x25519-sha512@openssh.com"


def test_without_pinned_keys_nobody_is_asked() -> None:
    where = organisation()
    unpinned = where.model_construct(**{**dict(where), "files": {}})
    with pytest.raises(CjsmError, match=r"no known_hosts beside organisation\.toml"), opened(unpinned):
        raise AssertionError("it was opened")


def test_the_folder_of_the_shared_connections_is_private_and_goes_away() -> None:
    with opened(organisation()) as found:
        folder = found.configuration.parent
        assert folder.stat().st_mode & 0o777 == 0o700
    assert not folder.exists()


@pytest.mark.parametrize(
    ("code", "said", "sentence"),
    [
        (255, "Host key verification failed.", "its SSH host key is not the pinned one, so nothing was asked"),
        (255, "operator@h: Permission denied (publickey).", "SSH refused the user or the key"),
        (255, "ssh: connect to host h port 22: Connection timed out", "SSH does not reach it"),
        (255, "ssh: connect to host h port 22: No route to host", "SSH does not reach it"),
        (1, "sudo: a password is required", "sudo refused user operator"),
        (127, "timeout: failed to run command 'python3': No such file or directory", "python3 cannot be run there"),
        (137, "", "it did not answer within 25 seconds"),
        (3, "something odd", "the program on it ended with 3 (something odd)"),
        (255, "Connection timed out during banner exchange", "takes the connection, and no SSH server answers as one"),
        (255, "kex_exchange_identification: read: Connection reset by peer", "no SSH server answers as one"),
        (
            1,
            "sudo: unable to resolve host relay: Name or service not known\nsudo: a password is required",
            "sudo refused user operator (sudo: a password is required)",
        ),
    ],
)
def test_each_way_to_fail_has_its_sentence(code: int, said: str, sentence: str) -> None:
    assert sentence in _why(organisation().host("relay"), code, said, 25)


def test_the_password_for_sudo_goes_in_by_standard_input_only(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[tuple[list[str], str]] = []

    def run(argv: list[str], input: str = "", **_: object) -> subprocess.CompletedProcess[str]:
        calls.append((argv, input))
        return subprocess.CompletedProcess(argv, 0, 'CJSM-ANSWER {"ok": 1}\n', "")

    hosts = lab_file()["hosts"]
    hosts[1]["ssh"] = {**hosts[1]["ssh"], "sudo": "password", "sudo_password_ref": "env:WORD"}
    monkeypatch.setenv("WORD", "open-sesame")
    monkeypatch.setattr(connections, "_exchanges", list)  # asked of ssh once, and kept
    monkeypatch.setattr(connections.subprocess, "run", run)
    where = organisation(hosts=hosts)
    with opened(where) as found:
        assert found.ask(where.hosts[1], ("look",), "look:look", {"recipient": "a@b.example"}, 5) == 1
    argv, text = calls[0]
    assert text == "open-sesame\n"
    assert "open-sesame" not in " ".join(argv)
    assert "sudo -S" in argv[-1]
