"""`cjsm check` on real hosts: what it finds, what it says of hosts in trouble, what it leaves alone in production."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from cjsm_connect.lab import Lab
from tests.made_up import ROOT

pytestmark = pytest.mark.lab

Cjsm = Callable[..., subprocess.CompletedProcess[str]]
CONTENT = {f"connection.{name} relay" for name in ("infected-from-hub", "infected-from-us", "infected-local")}
"""The checks whose tries send the EICAR test file."""

MANAGED = ("relay", "mail", "firewall")


def checked(cjsm: Cjsm, *options: str) -> tuple[int, list[dict[str, Any]]]:
    done = cjsm("check", "--json", *options)
    assert "Traceback" not in done.stderr
    return done.returncode, json.loads(done.stdout)["results"]


def with_status(results: list[dict[str, Any]], status: str) -> set[str]:
    return {f"{one['check']} {one['subject']}" for one in results if one["status"] == status}


def requirements(results: list[dict[str, Any]], status: str) -> set[str]:
    return {one["requirement"] for one in results if one["status"] == status}


UNSEEN_IN_A_CONTAINER = {"estate.disks-encrypted relay", "estate.disks-encrypted mail"}


def test_the_healthy_lab_passes_all_that_a_container_can_show(lab: Lab, cjsm: Cjsm) -> None:
    code, results = checked(cjsm)
    assert with_status(results, "fail") | with_status(results, "error") == set()
    assert with_status(results, "not_tested") == UNSEEN_IN_A_CONTAINER
    assert code == 0
    assert len({one["check"] for one in results}) >= 60


@pytest.mark.touches("relay")
def test_what_changed_since_the_last_run_is_shown_alone_and_the_monitoring_system_hears_of_it(
    lab: Lab, cjsm: Cjsm
) -> None:
    healthy = cjsm("check", "--nagios")
    assert (healthy.returncode, healthy.stdout.partition(" - ")[0]) == (0, "CJSM OK")
    lab.exec("relay", ["postconf", "-e", "authorized_submit_users = static:anyone"])
    lab.exec("relay", ["postfix", "reload"])
    done = cjsm("check", "--since", "last", "--json")
    found = json.loads(done.stdout)
    schema = json.loads((ROOT / "docs/check.schema.json").read_text())
    Draft202012Validator(schema).validate(found)
    changed = {(one["check"], one["subject"]): (one["before"], one["after"]) for one in found["since"]["changes"]}
    assert changed == {("relay.local-submission", "relay"): ("pass", "fail")}
    assert [one["check"] for one in found["results"]] == ["relay.local-submission"]
    assert sum(found["totals"].values()) == sum(found["since"]["unchanged"].values()) + 1
    assert done.returncode == 1


@pytest.mark.touches("relay")
def test_a_host_that_does_not_answer_is_an_error_and_the_others_are_judged(lab: Lab, cjsm: Cjsm) -> None:
    lab.exec("relay", ["systemctl", "stop", "ssh.socket", "ssh.service"])
    code, results = checked(cjsm)
    assert code == 2
    assert all("SSH does not reach it; check that it is up" in why for why in trouble(results, "relay"))
    assert "estate.disk-space mail" in with_status(results, "pass")


def test_a_host_with_another_key_than_the_pinned_one_is_not_asked(lab: Lab, cjsm: Cjsm) -> None:
    with swapped_host_key(lab):
        code, results = checked(cjsm)
    assert code == 2
    assert all(
        "its SSH host key is not the pinned one, so nothing was asked" in why for why in trouble(results, "relay")
    )
    assert "estate.disk-space mail" in with_status(results, "pass")


@pytest.mark.touches("relay")
def test_a_host_that_refuses_sudo_is_an_error_with_the_remedy(lab: Lab, cjsm: Cjsm) -> None:
    lab.exec("relay", ["sh", "-c", "grep -rl operator /etc/sudoers.d | xargs rm"])
    code, results = checked(cjsm)
    assert code == 2
    assert all("sudo refused user operator" in why and "sudoers" in why for why in trouble(results, "relay"))
    assert "estate.disk-space mail" in with_status(results, "pass")


@pytest.mark.touches("mail")
def test_a_full_disk_is_found_and_the_host_is_still_judged(lab: Lab, cjsm: Cjsm) -> None:
    lab.exec("mail", ["mount", "-t", "tmpfs", "-o", "size=64k", "full", "/boot"])
    lab.exec("mail", ["sh", "-c", "cat /dev/zero > /boot/filler"])
    _, results = checked(cjsm, "--only", "estate")
    assert with_status(results, "fail") == {"estate.disk-space mail"}
    [one] = [one for one in results if one["status"] == "fail"]
    assert one["observed"] == "/boot: 0 percent free"


@pytest.mark.touches(*MANAGED)
def test_in_production_nothing_reaches_the_hub_even_when_the_scanner_fails_open(lab: Lab, cjsm: Cjsm) -> None:
    for host in MANAGED:
        lab.exec(host, ["rm", "/etc/cjsm-lab"])
    lab.exec("relay", ["postconf", "-e", "milter_default_action=accept"])
    lab.exec("relay", ["systemctl", "stop", "clamav-milter.socket", "clamav-milter.service"])
    lab.exec("relay", ["postfix", "reload"])
    before = hub_log(lab)
    code, results = checked(cjsm)
    assert code == 1
    assert with_status(results, "fail") >= CONTENT, "infected messages were not sent, so this proves nothing"
    new = hub_log(lab)[len(before) :]
    assert not [line for line in new if "connect from" in line and "198.51.100.10" in line]
    assert not [line for line in new if "client=" in line or "from=<" in line]
    untested = [one for one in results if one["impact"] in ("hub-handshake", "hub-mail")]
    assert untested
    assert {one["status"] for one in untested} == {"not_tested"}


@pytest.mark.touches("relay")
def test_content_is_not_sent_when_the_route_that_discards_it_is_missing(lab: Lab, cjsm: Cjsm) -> None:
    lab.exec("relay", ["postconf", "-e", "transport_maps="])
    lab.exec("relay", ["postfix", "reload"])
    _, results = checked(cjsm)
    untested = {f"{one['check']} {one['subject']}": one["reason"] for one in results if one["status"] == "not_tested"}
    assert untested.keys() >= CONTENT
    assert {untested[name] for name in CONTENT} == {
        "relay does not route discard@selftest.invalid to discard, so no content was sent to it"
    }


def test_a_recording_of_the_lab_is_judged_the_same_without_it(lab: Lab, cjsm: Cjsm, tmp_path: Any) -> None:
    file = str(tmp_path / "seen.json")
    _, live = checked(cjsm, "--record", file)
    _, recorded = checked(cjsm, "--observed", file)
    assert [(one["check"], one["subject"], one["status"]) for one in live] == [
        (one["check"], one["subject"], one["status"]) for one in recorded
    ]


def trouble(results: list[dict[str, Any]], host: str) -> set[str]:
    """Why the checks that look at a host could not tell."""
    errors = [
        one for one in results if one["status"] == "error" and one["subject"] == host and one["vantage"] == "host"
    ]
    assert errors
    return {one["reason"] for one in errors}


def hub_log(lab: Lab) -> list[str]:
    return lab.exec("hub", ["cat", "/var/log/mail.log"]).stdout.splitlines()


@contextmanager
def swapped_host_key(lab: Lab) -> Iterator[None]:
    """Pin the mail server's host key for the relay."""
    known = lab.organisation_folder / "known_hosts"
    kept = known.read_text()
    other = next(line.split(None, 1)[1] for line in kept.splitlines() if line.startswith("192.0.2.10 "))
    lines = [f"198.51.100.10 {other}" if line.startswith("198.51.100.10 ") else line for line in kept.splitlines()]
    known.write_text("\n".join(lines) + "\n")
    try:
        yield
    finally:
        known.write_text(kept)
