"""A sample of the fault matrix on real hosts, one fault of each concern; `cjsm lab matrix` does all of it."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable

import pytest

from cjsm_connect.lab import Lab
from faults import every_fault

pytestmark = pytest.mark.lab

SAMPLE = (
    "antivirus.scanner-down",
    "connection.any-member-is-the-hub",
    "domains.forgotten-route",
    "estate.failed-unit",
    "firewall.port-23-open",
    "logging.thirty-days",
    "patching.overdue",
    "relay.policy-may",
    "tls.expired",
)


def test_the_sample_has_a_fault_of_each_concern() -> None:
    assert {name.partition(".")[0] for name in SAMPLE} == {name.partition(".")[0] for name in every_fault()}


@pytest.mark.touches("relay", "mail", "firewall")
def test_each_fault_of_the_sample_is_named_and_nothing_else_is_accused(
    lab: Lab, cjsm: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    done = cjsm("lab", "matrix", "--lab", lab.name, "--json", *SAMPLE)
    rows = {row["fault"]: row for row in json.loads(done.stdout)}
    assert {name: (row["found"], row["also_accused"]) for name, row in rows.items()} == {
        name: (True, []) for name in SAMPLE
    }
    assert done.returncode == 0, done.stderr
