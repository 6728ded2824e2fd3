"""Done means settled, on real hosts: no pause is needed after an apply, and nobody is accused after a restart."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from cjsm_connect.lab import Lab, entry
from cjsm_connect.lab.machine import wait_until

pytestmark = pytest.mark.lab

FIRST_SEEN = "/var/lib/cjsm/patching/first-seen.json"
Cjsm = Callable[..., subprocess.CompletedProcess[str]]


def accused(done: subprocess.CompletedProcess[str]) -> list[str]:
    """What a check found wrong, could not tell, or left untested without naming the time of the next look."""
    results = json.loads(done.stdout)["results"]
    counted = [row for row in results if row["status"] in ("fail", "error") or _unnamed(row)]
    return [f"{row['check']} on {row['subject']}: {row['observed']} {row['reason']}" for row in counted]


def _unnamed(row: dict[str, str]) -> bool:
    untested = (
        row["status"] == "not_tested" and row["check"] != "estate.disks-encrypted"
    )  # the lab's hosts are containers
    return untested and not re.search(r"first look at \d\d:\d\d UTC", row["reason"])


@pytest.mark.touches("firewall", "relay", "mail")
def test_check_finds_nothing_right_after_an_apply_that_made_a_host_anew(lab: Lab, cjsm: Cjsm) -> None:
    lab.reset(["firewall"], "bare")
    applied = cjsm("apply", "--yes", "--json")
    assert applied.returncode == 0, applied.stderr
    found = json.loads(applied.stdout)
    assert found["settling"] == {} and found["settling_seconds"] > 0
    assert "settling: firewall: the first look for pending updates" in applied.stderr
    checked = cjsm("check", "--json")
    assert accused(checked) == [] and checked.returncode == 0


@pytest.mark.touches("mail")
def test_what_does_not_settle_is_named_and_the_apply_is_done(lab: Lab, cjsm: Cjsm) -> None:
    """The program that looks cannot start, and the file of the last look is gone."""
    unit = "/etc/systemd/system/cjsm-pending-updates.service.d"
    lab.exec("mail", ["sh", "-c", f"mkdir {unit} && printf '[Service]\\nExecCondition=/bin/false\\n' > {unit}/no.conf"])
    lab.exec("mail", ["sh", "-c", f"systemctl daemon-reload && rm {FIRST_SEEN}"])
    done = cjsm("apply", "--yes", "--json")
    rows = {row["name"]: row for row in json.loads(done.stdout)["settling"]["mail"]}  # a clock may be young, too
    row = rows["the first look for pending updates"]
    assert done.returncode == 0
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", row["until"])
    assert "mail: not settled yet: the first look for pending updates" in cjsm("apply", "--yes").stderr


@pytest.mark.touches("relay", "mail", "firewall")
@pytest.mark.parametrize("host", ["relay", "mail", "firewall"])
def test_check_at_the_moment_ssh_answers_after_a_restart_accuses_nobody(lab: Lab, cjsm: Cjsm, host: str) -> None:
    with ThreadPoolExecutor(1) as pool:
        restarted = pool.submit(lab.restart, [host])
        assert wait_until(lambda: not answers_ssh(lab, host), 60) and wait_until(lambda: answers_ssh(lab, host), 60)
        checked = cjsm("check", "--json")
        restarted.result()
    assert accused(checked) == []


def answers_ssh(lab: Lab, host: str) -> bool:
    """Does its port answer, seen from where the administrator sits?"""
    line = ["timeout", "1", "bash", "-c", f"exec 3<>/dev/tcp/{lab.address(host)}/22 && head -c 4 <&3"]
    inside = ["nsenter", f"--net={entry.controller(lab.name)}", *line]
    return subprocess.run(inside, capture_output=True, text=True, check=False).stdout == "SSH-"


SLOW = 10  # bytes a second: more than the twenty seconds that an apply gives signatures, less than it waits in the end


@pytest.mark.touches("relay", "outside")
def test_a_slow_mirror_of_signatures_holds_up_the_scanner_and_nothing_else(lab: Lab, cjsm: Cjsm) -> None:
    slow = f"echo 'limit_rate {SLOW};' > /etc/nginx/conf.d/slow.conf && systemctl reload nginx"
    assert not lab.exec("outside", ["sh", "-c", slow]).returncode
    units = "clamav-daemon.socket clamav-daemon clamav-milter clamav-freshclam"
    lab.exec("relay", ["sh", "-c", f"systemctl stop {units}; rm -r /var/lib/clamav/*"])
    applied = cjsm("apply", "--yes", "--json")
    assert applied.returncode == 0, applied.stderr
    found = json.loads(applied.stdout)
    assert "settling: relay: clamav-daemon.service, virus signatures" in applied.stderr
    assert found["left"] == {} and found["settling"] == {} and found["settling_seconds"] > 0
    assert lab.exec("relay", ["systemctl", "is-active", *units.split()]).stdout.split() == ["active"] * 4
    checked = cjsm("check", "--only", "antivirus", "--json")
    assert accused(checked) == []
