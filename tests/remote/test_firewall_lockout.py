"""On real hosts: whoever locks himself out is let in again, and neither a boot nor a stopped unit opens a host."""

import subprocess
import sys
import time

import pytest

from cjsm_connect import remote
from cjsm_connect.desired import Desired, File, Firewall, Service
from cjsm_connect.desired.change import Change, FileChange, ServiceChange
from cjsm_connect.lab import Lab
from cjsm_connect.lab.entry import controller
from cjsm_connect.operations import programs
from cjsm_connect.operations.ssh import Program
from cjsm_connect.remote.firewall import BOOT, TABLE

pytestmark = pytest.mark.lab
SECONDS = 6
CONNECT = "import socket, sys; socket.create_connection((sys.argv[1], 22), 2).close()"


def run(lab: Lab, host: str, program: Program) -> object:
    """Run a program on a host, as an apply does."""
    return remote.answer(lab.exec(host, ["python3", "-I", "-"], input=program.text).stdout)


def load(lab: Lab, host: str, ruleset: str) -> None:
    """Install other rules and leave them unconfirmed, as an apply whose controller dies then."""
    rules = (Firewall(TABLE, BOOT, ruleset),)
    errand = programs.Errand({"who": "test", "apply": "test"}, SECONDS)
    run(lab, host, programs.install(Change(firewalls=rules), Desired(firewalls=rules), errand))


def lets_administrators_in(lab: Lab, host: str) -> bool:
    """Does a fresh connection from the controller reach SSH?"""
    argv = ["nsenter", f"--net={controller(lab.name)}", sys.executable, "-c", CONNECT, lab.address(host)]
    return subprocess.run(argv, capture_output=True, check=False).returncode == 0


def live(lab: Lab, host: str) -> str:
    return lab.exec(host, ["nft", "-s", "list", "table", "inet", "cjsm"]).stdout


def wait_for_admission(lab: Lab, host: str, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if lets_administrators_in(lab, host):
            return True
        time.sleep(0.5)
    return False


@pytest.mark.touches("mail")
def test_a_host_that_locks_everybody_out_lets_them_in_again(lab: Lab) -> None:
    before, boot = live(lab, "mail"), lab.exec("mail", ["cat", BOOT]).stdout
    load(lab, "mail", boot.replace("tcp dport 22 ", "tcp dport 2222 "))
    assert not lets_administrators_in(lab, "mail")
    assert wait_for_admission(lab, "mail", SECONDS + 5)
    assert live(lab, "mail") == before
    assert lab.exec("mail", ["cat", BOOT]).stdout == boot


@pytest.mark.touches("mail")
def test_tables_of_other_programs_survive_a_change_of_ours(lab: Lab) -> None:
    lab.exec("mail", ["nft", "add", "table", "ip", "monitoring"])
    boot = lab.exec("mail", ["cat", BOOT]).stdout
    load(lab, "mail", boot.replace("burst 20 packets", "burst 21 packets"))
    run(lab, "mail", programs.put_back("test"))
    assert "table ip monitoring" in lab.exec("mail", ["nft", "list", "tables"]).stdout


@pytest.mark.touches("mail")
def test_a_host_whose_sshd_lets_nobody_in_lets_them_in_again(lab: Lab) -> None:
    """sshd's files are changed in the same way: read at once, and put back when nobody comes in anew."""
    path = "/etc/ssh/sshd_config.d/10-cjsm.conf"
    before = lab.exec("mail", ["cat", path]).stdout
    new = FileChange(File(path, "AllowUsers nobody\n"), before, exists=True, why="content")
    ssh = Service("ssh.service", on_change="reload", watches=(path,), access=True)
    change = Change(files=(new,), services=(ServiceChange(ssh, (path,), "reload"),))
    errand = programs.Errand({"who": "test", "apply": "test", "trust": ""}, SECONDS)
    run(lab, "mail", programs.install(change, Desired(services=(ssh,)), errand))
    assert not logs_in(lab, "mail")
    end = time.monotonic() + SECONDS + 15
    while not (admitted := logs_in(lab, "mail")) and time.monotonic() < end:
        time.sleep(0.5)
    assert admitted
    assert lab.exec("mail", ["cat", path]).stdout == before


def logs_in(lab: Lab, host: str) -> bool:
    """Does OpenSSH's own client get a session from the controller?"""
    folder = lab.organisation_folder
    options = ["BatchMode=yes", f"UserKnownHostsFile={folder / 'known_hosts'}", "ConnectTimeout=3"]
    argv = [
        "ssh",
        "-F",
        "none",
        "-i",
        str(folder / "ssh/id_ed25519"),
        *(word for one in options for word in ("-o", one)),
    ]
    enter = ["nsenter", f"--net={controller(lab.name)}"]
    done = subprocess.run([*enter, *argv, f"operator@{lab.address(host)}", "true"], capture_output=True, check=False)
    return done.returncode == 0


@pytest.mark.touches("relay")
def test_stopping_the_nftables_unit_does_not_open_the_host(lab: Lab) -> None:
    before = live(lab, "relay")
    assert "policy drop" in before
    for action in ("start", "stop"):
        assert lab.exec("relay", ["systemctl", action, "nftables.service"]).returncode == 0
    assert live(lab, "relay") == before


@pytest.mark.touches("relay")
def test_the_rules_are_loaded_at_boot(lab: Lab) -> None:
    before = live(lab, "relay")
    lab.reset(["relay"])
    assert "policy drop" in before
    assert live(lab, "relay") == before


def test_ipv6_is_no_way_round(lab: Lab) -> None:
    """The organisation file knows no IPv6 addresses; the lab's hosts have some, and forward."""
    counter = ["nft", "list", "counter", "inet", "cjsm", "drop_forward"]
    before = lab.exec("firewall", counter).stdout
    connect = "import socket; socket.create_connection(('2001:db8:2::10', 22), 2)"
    assert "TimeoutError" in lab.exec("outside", ["python3", "-c", connect]).stderr
    assert lab.exec("firewall", counter).stdout != before
    assert lab.exec("firewall", ["ping", "-6", "-c", "1", "-W", "2", "2001:db8:3::30"]).returncode == 0
