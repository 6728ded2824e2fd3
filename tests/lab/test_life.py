"""The lab's life: up, down, save, reset; and what each leaves behind."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cjsm_connect.lab import cgroups, entry, hosts, kept, labels
from cjsm_connect.lab.laboratory import Lab
from cjsm_connect.results import CjsmError
from tests.lab import traces

pytestmark = pytest.mark.lab
CLI = [sys.executable, str(entry.CLONE / "cli.py"), "lab"]


@pytest.fixture
def second() -> Iterator[Lab]:
    laboratory = Lab("tests-lab-2")
    laboratory.down()
    yield laboratory
    laboratory.down()


def processes(lab: Lab) -> dict[str, int]:
    return {state.host: state.process for state in lab.status()}


def failed_units(lab: Lab, host: str) -> str:
    return lab.exec(host, ["systemctl", "--failed", "--no-legend", "--plain"]).stdout


def test_every_host_settles_to_running_with_the_lab_marker(lab: Lab) -> None:
    for state in lab.status():
        assert state.state == "running", failed_units(lab, state.host)
        assert lab.exec(state.host, ["cat", "/etc/cjsm-lab"]).stdout == "tests-lab\n"


def test_up_twice_changes_nothing(lab: Lab) -> None:
    before = processes(lab)
    lab.up()
    assert processes(lab) == before


def test_managed_hosts_start_bare(lab: Lab) -> None:
    for host in ("relay", "mail", "firewall"):
        found = lab.exec(host, ["sh", "-c", "command -v postconf clamd unattended-upgrade rsyslogd ulogd"])
        assert found.stdout == ""
    assert lab.exec("firewall", ["nft", "list", "ruleset"]).stdout == ""


def test_two_labs_stand_side_by_side_and_down_takes_only_its_own(lab: Lab, second: Lab) -> None:
    before = processes(lab)
    second.up()
    assert second.running()
    assert lab.exec("relay", ["hostname"]).stdout == second.exec("relay", ["hostname"]).stdout
    second.down()
    assert traces.of_lab("tests-lab-2") == []
    assert processes(lab) == before


def test_down_ends_what_runs_in_the_labs_network(second: Lab) -> None:
    second.up()
    server = subprocess.Popen([*CLI, "shell", "--lab", second.name, "--", "sleep", "600"])
    time.sleep(2)
    second.down()
    assert server.wait(timeout=15) == -signal.SIGKILL


@pytest.mark.parametrize("seconds", [0.3, 0.8, 1.5])
def test_down_clears_a_killed_up(second: Lab, seconds: float) -> None:
    start = subprocess.Popen([*CLI, "up", "--lab", second.name], stderr=subprocess.DEVNULL, start_new_session=True)
    time.sleep(seconds)
    os.kill(start.pid, signal.SIGKILL)
    start.wait()
    second.down()
    assert traces.of_lab(second.name) == []


def test_down_ends_a_container_whose_supervisor_is_gone(second: Lab) -> None:
    orphan = subprocess.Popen(cgroups.joining(f"cjsm-{second.name}-relay", ["sleep", "600"]))
    time.sleep(0.3)
    second.down()
    assert orphan.wait(timeout=5) == -signal.SIGKILL
    assert traces.of_lab(second.name) == []


def test_up_repairs_a_lab_that_lost_a_host(second: Lab) -> None:
    second.up()
    os.kill(processes(second)["mail"], signal.SIGKILL)
    time.sleep(0.5)
    assert not second.running()
    second.up()
    assert second.running()


def test_reset_brings_back_files_and_certificates_of_the_label(lab: Lab) -> None:
    certificates = lab.organisation_folder / "certificates"
    certificates.mkdir(exist_ok=True)
    (certificates / "relay.csr").write_text("as saved\n")
    lab.exec("relay", ["touch", "/root/saved"])
    lab.save("state-a")
    lab.exec("relay", ["sh", "-c", "rm /root/saved; touch /root/later"])
    (certificates / "relay.csr").write_text("later\n")
    (certificates / "relay-inner.pem").write_text("later\n")

    lab.reset(label="state-a")

    assert lab.exec("relay", ["ls", "/root"]).stdout == "saved\n"
    assert (certificates / "relay.csr").read_text() == "as saved\n"
    assert not (certificates / "relay-inner.pem").exists()


def test_reset_of_one_host_leaves_the_others_running(lab: Lab) -> None:
    before = processes(lab)
    lab.reset(["mail"], label="bare")
    after = processes(lab)
    assert after["mail"] != before["mail"]
    assert {name for name in before if before[name] == after[name]} == {"relay", "firewall", "hub", "outside"}


def test_a_restart_keeps_files_and_forgets_rules_that_were_only_loaded(lab: Lab) -> None:
    lab.exec("firewall", ["sh", "-c", "nft add table inet loaded; touch /root/kept"])
    lab.restart(["firewall"])
    assert "loaded" not in lab.exec("firewall", ["nft", "list", "ruleset"]).stdout
    assert lab.exec("firewall", ["ls", "/root/kept"]).returncode == 0


def test_a_host_that_is_told_to_look_for_updates_is_not_saved_before_it_has_looked(lab: Lab, monkeypatch) -> None:
    monkeypatch.setattr(hosts, "REST_SECONDS", 1)
    timer = f"/{hosts.LOOKS_FOR_UPDATES}"
    lab.exec("mail", ["sh", "-c", f"mkdir -p {Path(timer).parent} && ln -s /dev/null {timer}"])
    with pytest.raises(CjsmError, match=r"nothing was saved.* mail: the first look for pending updates"):
        lab.save("half-way")
    assert "half-way" not in labels.saved(lab.name)
    lab.exec("mail", ["systemd-run", "--no-block", "--unit=slow", "--property=Type=oneshot", "sleep", "5"])
    lab.exec("mail", ["rm", timer])
    with pytest.raises(CjsmError, match=r"nothing was saved.* mail: slow.service"):
        lab.save("half-way")


def test_an_unknown_label_is_named_with_those_there_are(lab: Lab) -> None:
    with pytest.raises(CjsmError, match=r"has no state 'nowhere'; it has bare"):
        lab.reset(label="nowhere")


def test_a_kept_state_starts_another_lab(lab: Lab, second: Lab, tmp_path: Path) -> None:
    lab.exec("hub", ["touch", "/root/kept"])
    lab.save("state-k")
    folder = lab.keep("state-k", "test-digest")
    try:
        second.up("state-k", "test-digest")
        assert second.exec("hub", ["ls", "/root"]).stdout == "kept\n"
        assert second.exec("hub", ["cat", "/etc/cjsm-lab"]).stdout == "tests-lab-2\n"
    finally:
        second.down()
        subprocess.run(["rm", "-r", str(folder)], check=True)
    assert not kept.is_kept("state-k", "test-digest")


def test_a_state_that_is_not_kept_starts_nothing(second: Lab) -> None:
    with pytest.raises(CjsmError, match="no state 'state-x' of the present sources is kept"):
        second.up("state-x", "no-digest")
    assert not second.running()
