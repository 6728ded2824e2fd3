"""One apt transaction: answers first, services kept from starting half-configured, conffiles kept as they are."""

from __future__ import annotations

import os
from typing import Any

from cjsm_connect.remote import common

POLICY = "/usr/sbin/policy-rc.d"
APT = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120", "-o", "APT::Install-Recommends=false"]
KEEP = ["-o", "Dpkg::Options::=--force-confdef", "-o", "Dpkg::Options::=--force-confold"]


def install(arguments: dict[str, Any]) -> dict[str, Any]:
    """Install packages. Arguments: packages, answers (debconf-set-selections(1) rows).

    Raises:
        Failed: apt could not; the message has the end of what it said.
    """
    answers = "".join(" ".join(row) + "\n" for row in arguments["answers"])
    if answers:
        common.run(["debconf-set-selections"], answers)
    made = forbid_starts()
    try:
        common.run([*APT, "update"], seconds=300)
        common.run([*APT, *KEEP, "install", *arguments["packages"]], seconds=1500)
    finally:
        if made:
            os.unlink(POLICY)
    return {"installed": arguments["packages"]}


def forbid_starts() -> bool:
    """Keep new services from starting before they are configured (invoke-rc.d(8)); an administrator's file stays."""
    if os.path.lexists(POLICY):
        return False
    common.write_private(POLICY, "#!/bin/sh\n# cjsm-connect, only while packages are installed\nexit 101\n", 0o755)
    return True
