"""What APT and needrestart say, taken apart."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cjsm_connect.remote import updates
from cjsm_connect.remote.observe import patching, system

SIMULATED = """\
Reading package lists...
The following packages will be upgraded:
Inst libssl3t64 [3.5.1-1] (3.5.1-1+deb13u1 Debian-Security:13/stable-security [amd64])
Inst newly-needed (1.0-1 Debian:13.2/stable [all]) []
Conf libssl3t64 (3.5.1-1+deb13u1 Debian-Security:13/stable-security [amd64])
"""
DUMP = """\
APT::Periodic "";
APT::Periodic::Unattended-Upgrade "1";
Unattended-Upgrade::Origins-Pattern "";
Unattended-Upgrade::Origins-Pattern:: "origin=Debian,codename=trixie,label=Debian";
Unattended-Upgrade::Origins-Pattern:: "origin=Debian,codename=trixie-security,label=Debian-Security";
DPkg::Options:: "--force-confold";
Dir::State "var/lib/apt";
"""
BATCH = """\
NEEDRESTART-VER: 3.11
NEEDRESTART-KCUR: 6.12.48+deb13-amd64
NEEDRESTART-KEXP: 6.12.57+deb13-amd64
NEEDRESTART-KSTA: 3
NEEDRESTART-SVC: postfix.service
NEEDRESTART-SVC: chrony.service
"""


def says(monkeypatch: pytest.MonkeyPatch, out: str, code: int = 0, err: str = "") -> None:
    monkeypatch.setattr(patching, "attempt", lambda argv, **_: (code, out, err))
    monkeypatch.setattr(patching, "replaced", lambda: True)


def has(monkeypatch: pytest.MonkeyPatch, files: dict[str, str]) -> None:
    monkeypatch.setattr(patching, "read", lambda path, default="": files.get(path, default))


def test_an_apt_that_cannot_say_is_not_a_host_without_updates(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken() -> dict[str, object]:
        raise updates.NoAnswer("apt-cache policy: E: The package lists could not be parsed")

    monkeypatch.setattr(updates, "look", broken)
    assert patching.pending()["why"] == "apt-cache policy: E: The package lists could not be parsed"


def test_lists_in_apts_configuration_are_lists(monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, DUMP)
    found = patching.configuration()
    assert len(found["Unattended-Upgrade::Origins-Pattern"]) == 2
    assert found["DPkg::Options"] == ["--force-confold"]
    assert "Dir::State" not in found


def test_services_with_old_libraries_and_a_kernel_that_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, BATCH)
    found = patching.restart()
    assert found["services"] == ["chrony.service", "postfix.service"]
    assert (found["kernel"], found["kernel_expected"]) == (3, "6.12.57+deb13-amd64")


def test_a_missing_needrestart_is_not_an_empty_list(monkeypatch: pytest.MonkeyPatch) -> None:
    says(monkeypatch, "", 127, "needrestart: not installed")
    assert patching.restart()["answered"] is False


@pytest.mark.parametrize(
    "option", ["Trusted: yes", "Allow-Insecure: yes", "deb [trusted=yes] http://mirror.example x y"]
)
def test_an_archive_believed_without_a_signature_is_named(monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    has(monkeypatch, {"/etc/apt/sources.list": f"# a comment\n{option}\n"})
    monkeypatch.setattr(patching.glob, "glob", lambda pattern: [])
    assert len(patching.believed()) == 1


def test_a_commented_option_does_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, {"/etc/apt/sources.list": "# deb [trusted=yes] http://mirror.example x y\n"})
    monkeypatch.setattr(patching.glob, "glob", lambda pattern: [])
    assert patching.believed() == []


def test_the_later_file_of_needrestart_wins(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    main, own = "/etc/needrestart/needrestart.conf", "/etc/needrestart/conf.d/99-own.conf"
    has(monkeypatch, {main: "#$nrconf{restart} = 'i';\n$nrconf{restart} = 'a';\n", own: "$nrconf{restart} = 'l';\n"})
    monkeypatch.setattr(patching.os.path, "isdir", lambda path: True)
    monkeypatch.setattr(patching.os, "listdir", lambda path: ["99-own.conf", "README"])
    assert patching.needrestart() == "l"


def test_the_end_of_support_comes_from_the_release_that_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    table = "version,codename,series,created,release,eol,eol-lts\n13,Trixie,trixie,,2025-08-09,2028-08-09,2030-06-30\n"
    has(monkeypatch, {"/etc/os-release": "VERSION_CODENAME=trixie\n", "/usr/share/distro-info/debian.csv": table})
    assert patching.support() == {"codename": "trixie", "eol": "2028-08-09", "lts": "2030-06-30"}


def test_an_unknown_release_has_no_end(monkeypatch: pytest.MonkeyPatch) -> None:
    has(monkeypatch, {"/etc/os-release": "VERSION_CODENAME=sid\n"})
    assert patching.support() == {"codename": "sid", "eol": "", "lts": ""}


@pytest.fixture
def container(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A host without a kernel of its own, whose packages were last changed before it was started."""
    (tmp_path / "status").write_text("")
    (tmp_path / "maps").write_text("7f00-7f01 r-xp 00000000 08:01 1 /usr/lib/libssl.so.3\n")
    monkeypatch.setattr(patching, "PACKAGES", str(tmp_path / "status"))
    monkeypatch.setattr(patching, "started", lambda pid: (tmp_path / "status").stat().st_ctime + 60)
    monkeypatch.setattr(patching.glob, "glob", lambda pattern: [str(tmp_path / "maps")] if "maps" in pattern else [])
    monkeypatch.setattr(patching, "installed", lambda name: True)
    return tmp_path


def never(argv: list[str], **_: object) -> tuple[int, str, str]:
    raise AssertionError(f"{argv} was run")


def test_needrestart_is_spared_where_nothing_was_replaced_since_the_start(
    container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patching, "attempt", never)
    assert patching.restart()["answered"] and patching.restart()["services"] == []


def test_needrestart_is_asked_where_a_program_executes_a_deleted_library(container: Path) -> None:
    (container / "maps").write_text("7f00-7f01 r-xp 00000000 08:01 1 /usr/lib/libssl.so.3 (deleted)\n")
    assert patching.replaced()


def test_deleted_data_is_no_replaced_program(container: Path) -> None:
    (container / "maps").write_text("7f00-7f01 rw-s 00000000 00:01 1 /memfd:journal (deleted)\n")
    assert not patching.replaced()


def test_needrestart_is_asked_where_packages_were_changed_since_the_start(
    container: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patching, "started", lambda pid: (container / "status").stat().st_ctime - 60)
    assert patching.replaced()


def test_needrestart_is_asked_where_there_is_a_kernel(container: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patching.glob, "glob", lambda pattern: ["/boot/vmlinuz-6"] if "boot" in pattern else [])
    assert patching.replaced()


def test_a_needrestart_that_is_missing_is_never_spared(container: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(patching, "attempt", lambda argv, **_: (127, "", "needrestart: not installed"))
    monkeypatch.setattr(patching, "installed", lambda name: False)
    assert not patching.restart()["answered"]


def test_a_reboot_that_is_asked_for_again_waits_since_it_was_first_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mark = tmp_path / "reboot-required"
    mark.write_text("")
    os.utime(mark, (2_000_000, 2_000_000))
    for born, since in (("1000000\n", 1_000_000), ("0\n", 2_000_000), ("-\n", 2_000_000), ("3000000\n", 2_000_000)):
        says(monkeypatch, born)
        assert patching.first_written(str(mark)) == since


def test_a_file_that_is_not_there_was_never_written(tmp_path: Path) -> None:
    assert patching.first_written(str(tmp_path / "nothing")) == 0


def test_packages_that_are_held_are_told_whether_installed_or_not(monkeypatch: pytest.MonkeyPatch) -> None:
    listed = "ii \tpostfix\t3.10\nhi \tclamav\t1.4\nhn \tnever\t\nrc \tgone\t1\n"
    monkeypatch.setattr(system, "run", lambda argv: listed)
    assert patching.held() == ["clamav", "never"]
    assert system.packages() == {"postfix": "3.10", "clamav": "1.4"}


def test_a_program_is_installed_when_it_can_be_run_from_the_usual_folders(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(patching, "ENVIRONMENT", {"PATH": f"/nowhere:{tmp_path}"})
    assert not patching.installed("needrestart")
    (tmp_path / "needrestart").write_text("")
    (tmp_path / "needrestart").chmod(0o755)
    assert patching.installed("needrestart")
