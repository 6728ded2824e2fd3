"""What starts at boot on the lab's hosts is what was decided, and nothing of it fails."""

from __future__ import annotations

from pathlib import Path

import pytest

from cjsm_connect.lab import Lab

pytestmark = pytest.mark.lab

KEPT = Path(__file__).with_name("enabled-units.txt")
ENABLED = ["systemctl", "list-unit-files", "--state=enabled", "--no-legend", "--plain"]
FAILED = ["systemctl", "list-units", "--state=failed", "--no-legend", "--plain"]
MANAGED = ("relay", "mail", "firewall")


def names(lab: Lab, host: str, argv: list[str]) -> set[str]:
    done = lab.exec(host, argv)
    assert done.returncode == 0, done.stderr
    return {line.split()[0] for line in done.stdout.splitlines()}


def decided(host: str) -> set[str]:
    rows = [line.partition(":") for line in KEPT.read_text().splitlines() if not line.startswith("#")]
    return {unit for hosts, _, units in rows if host in hosts.split() for unit in units.split()}


@pytest.mark.parametrize("host", MANAGED)
def test_a_host_starts_at_boot_what_was_decided_and_nothing_that_a_package_brought_since(lab: Lab, host: str) -> None:
    found = names(lab, host, ENABLED)
    undecided, missing = found - decided(host), decided(host) - found
    assert not undecided, f"decide these in deploys/, then write them down in {KEPT.name}: {', '.join(undecided)}"
    assert not missing, f"{host} does not start these any more: {', '.join(missing)}"


@pytest.mark.touches(*MANAGED)
def test_no_boot_leaves_a_failed_unit_and_freshclam_has_its_log_for_itself(lab: Lab) -> None:
    for _ in range(3):
        lab.restart(MANAGED)
        assert not {f"{host}: {unit}" for host in MANAGED for unit in names(lab, host, FAILED)}
        asked = ["systemctl", "is-active", "clamav-freshclam.service", "clamav-freshclam-once.service"]
        assert lab.exec("relay", asked).stdout.split() == ["active", "inactive"]
