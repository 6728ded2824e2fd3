"""patching as Desired, and the script that notes the age of each pending update."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cjsm_connect.desired import Desired
from cjsm_connect.desired.render import template
from cjsm_connect.remote import updates
from deploys.patching import APT, LIBRARY, UNITS, desired, earlier
from tests.made_up import organisation

PENDING = [
    {"package": "libssl3t64", "version": "3.5.1-1+deb13u1", "origin": "Debian-Security:13/stable-security", "kept": ""},
    {"package": "held", "version": "1.0-1", "origin": "Debian:13.2/stable", "kept": "on hold (apt-mark showhold)"},
]


def wanted(name: str, **changes: object) -> Desired:
    where = organisation(**changes)
    return desired(where, where.host(name))


def content(state: Desired, path: str) -> str:
    return next(file.content for file in state.files if file.path == path)


def test_each_host_reboots_in_its_own_window() -> None:
    for name, time in (("relay", "04:00"), ("mail", "03:30"), ("firewall", "04:30")):
        assert f'Automatic-Reboot-Time "{time}"' in content(wanted(name), APT)


def test_fixes_are_installed_an_hour_before_the_reboot_window() -> None:
    assert "OnCalendar=*-*-* 03:00\n" in content(wanted("relay"), f"{UNITS}/apt-daily-upgrade.timer.d/50-cjsm.conf")
    assert "OnCalendar=*-*-* 02:00\n" in content(wanted("relay"), f"{UNITS}/apt-daily.timer.d/50-cjsm.conf")


@pytest.mark.parametrize(("time", "minutes", "expected"), [("04:00", 60, "03:00"), ("00:30", 60, "23:30")])
def test_a_time_some_minutes_earlier_may_be_on_the_day_before(time: str, minutes: int, expected: str) -> None:
    assert earlier(time, minutes) == expected


def test_security_fixes_and_point_releases_take_the_place_of_debians_own_list() -> None:
    text = content(wanted("relay"), APT)
    assert text.index("#clear Unattended-Upgrade::Origins-Pattern;") < text.index("Origins-Pattern {")
    assert "codename=${distro_codename}-security,label=Debian-Security" in text
    assert '"origin=Debian,codename=${distro_codename},label=Debian"' in text


@pytest.mark.skipif(not shutil.which("apt-config"), reason="needs apt")
def test_apt_itself_reads_the_proxy_and_nothing_more(tmp_path: Path) -> None:
    proxy = "http://[2001:db8::80]:3128/~a+b=c,d@e//"
    listed = [_apt(tmp_path, wanted("relay", estate={"proxy": address})) for address in ("http://192.0.2.80", proxy)]
    assert listed[0].keys() == listed[1].keys()
    assert listed[1]["Acquire::https::Proxy"] == listed[1]["Acquire::http::Proxy"] == proxy


def _apt(folder: Path, state: Desired) -> dict[str, str]:
    """Every setting as apt-config(8) reads our file beside its own defaults."""
    (folder / "apt.conf").write_text(content(state, APT))
    argv = ["apt-config", "-c", str(folder / "apt.conf"), "dump"]
    said = subprocess.run(argv, capture_output=True, text=True, check=True).stdout
    return {line.partition(" ")[0]: line.partition(" ")[2].strip(' ";') for line in said.splitlines()}


def test_apt_goes_through_the_declared_proxy_only() -> None:
    assert "Acquire" not in content(wanted("relay"), APT)
    text = content(wanted("relay", estate={"proxy": "http://192.0.2.80:3128"}), APT)
    assert 'Acquire::http::Proxy "http://192.0.2.80:3128";' in text


def test_no_mail_is_sent_about_updates() -> None:
    assert 'Unattended-Upgrade::Mail "";' in content(wanted("relay"), APT)


class Script:
    """pending-updates as it is installed, with updates that the test wants, and state in a folder."""

    def __init__(self, folder: Path) -> None:
        self.state = folder / "patching" / "first-seen.json"
        self.folder = folder
        text = template("patching/pending-updates.j2")
        (folder / "pending-updates").write_text(
            text.replace("/var/lib/cjsm/patching/first-seen.json", str(self.state)).replace(LIBRARY, str(folder))
        )

    def run(self, rows: list[dict[str, str]], *arguments: str) -> dict[str, dict[str, dict[str, object]]]:
        (self.folder / "updates.py").write_text(f"def look():\n    return {{'updates': {rows!r}}}\n")
        argv = [sys.executable, "-I", str(self.folder / "pending-updates"), *arguments]
        subprocess.run(argv, check=True, env={"PATH": f"{self.folder}:/usr/bin:/bin"})
        found: dict[str, dict[str, dict[str, object]]] = json.loads(self.state.read_text())
        return found

    def pretend(self, **changes: object) -> None:
        self.state.write_text(json.dumps({**json.loads(self.state.read_text()), **changes}))


@pytest.fixture
def script(tmp_path: Path) -> Script:
    return Script(tmp_path)


def test_the_script_is_what_is_installed() -> None:
    assert content(wanted("relay"), f"{LIBRARY}/pending-updates") == template("patching/pending-updates.j2")


def test_each_pending_update_is_noted_with_its_origin(script: Script) -> None:
    pending = script.run(PENDING)["pending"]
    assert set(pending) == {"libssl3t64 3.5.1-1+deb13u1", "held 1.0-1"}
    assert pending["libssl3t64 3.5.1-1+deb13u1"]["origin"] == "Debian-Security:13/stable-security"
    assert pending["held 1.0-1"]["kept"] == "on hold (apt-mark showhold)"


def test_what_the_script_asks_is_what_the_checks_ask() -> None:
    assert content(wanted("relay"), f"{LIBRARY}/updates.py") == Path(updates.__file__).read_text()


def test_the_first_sight_stays_when_it_is_seen_again(script: Script) -> None:
    script.run(PENDING)
    script.pretend(pending={"libssl3t64 3.5.1-1+deb13u1": {"origin": "x", "first_seen": 1000}})
    assert script.run(PENDING)["pending"]["libssl3t64 3.5.1-1+deb13u1"]["first_seen"] == 1000


def test_an_installed_update_moves_to_the_history(script: Script) -> None:
    script.run(PENDING)
    after = script.run([])
    assert after["pending"] == {}
    assert {row["update"] for row in after["settled"]} == {"libssl3t64 3.5.1-1+deb13u1", "held 1.0-1"}


def test_only_apt_itself_notes_that_the_lists_are_new(script: Script) -> None:
    assert "lists_updated" not in script.run([])
    assert "lists_updated" in script.run([], "updated")


def test_where_another_system_patches_ours_keeps_out_of_its_way_and_notes_the_age_of_fixes() -> None:
    hook = {"units": ["site-patching.timer"], "status": ["/opt/site/patch-status"], "hosts": ["mail"]}
    patched = {"patching": {"system": "hook", "hook": hook}}
    state, other = wanted("mail", **patched), wanted("relay", **patched)
    assert other == wanted("relay")
    assert [service.unit for service in state.services] == ["site-patching.timer", "cjsm-pending-updates.timer"]
    assert "unattended-upgrades" not in {package.name for package in state.packages}
    assert not [file.path for file in state.files if "apt" in file.path] and not state.absent
    assert content(state, f"{LIBRARY}/pending-updates") == content(other, f"{LIBRARY}/pending-updates")
