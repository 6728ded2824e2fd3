"""Checks, requirements and results to judge with."""

from __future__ import annotations

from typing import Any

from cjsm_connect.results import Check, Impact, Requirement, Result, Severity, Status
from cjsm_connect.results.judge import result

REQUIREMENT = Requirement(
    "firewall.default-deny", "firewall", "Default deny", "Why", "Terms v10.2 clause 21", Severity.HIGH, "firewall"
)
CHECK = Check("firewall.input", REQUIREMENT.id, "Input is dropped", "relay", "host", Impact.PASSIVE, "cjsm apply")


def made(status: Status, **changes: Any) -> Result:
    """A result of that status on the relay."""
    return result(CHECK, REQUIREMENT, "relay", status, "policy drop", "policy accept", **changes)
