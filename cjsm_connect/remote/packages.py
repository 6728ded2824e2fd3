"""One apt transaction: answers first, services kept from starting half-configured, conffiles kept as they are."""

from __future__ import annotations

import os
from typing import Any

from cjsm_connect.remote import collect, common, lock

POLICY = "/usr/sbin/policy-rc.d"
NO_STARTS = "#!/bin/sh\n# cjsm-connect, only while packages are installed\nexit 101\n"
APT = ["apt-get", "-q", "-y", "-o", "DPkg::Lock::Timeout=120", "-o", "APT::Install-Recommends=false"]
CONFFILES = ["--force-confdef", "--force-confold"]
KEEP = [word for option in CONFFILES for word in ("-o", "Dpkg::Options::=" + option)]


def install(arguments: dict[str, Any]) -> dict[str, Any]:
    """Install packages; returns a new snapshot of the host.

    Arguments: packages, answers (debconf-set-selections(1) rows), questions (see collect), claim (see lock).

    Raises:
        Failed: apt could not; the message has the end of what it said.
    """
    with lock.held(arguments["claim"]):
        transaction(arguments)
        return {"installed": arguments["packages"], "snapshot": collect.collect(arguments["questions"])}


def transaction(arguments: dict[str, Any]) -> None:
    """Answers, lists, packages."""
    answers = "".join(" ".join(row) + "\n" for row in arguments["answers"])
    if answers:
        common.run(["debconf-set-selections"], answers)
    made = forbid_starts()
    try:
        common.run(["dpkg", *CONFFILES, "--configure", "-a"], seconds=600)  # what an interrupted run left half-way
        common.run([*APT, "update"], seconds=300)
        common.run([*APT, *KEEP, "install", *arguments["packages"]], seconds=1500)
    finally:
        if made:
            os.unlink(POLICY)


def forbid_starts() -> bool:
    """Keep new services from starting before they are configured (invoke-rc.d(8)); an administrator's file stays."""
    if common.read(POLICY) == NO_STARTS:  # of a run that was interrupted
        return True
    if os.path.lexists(POLICY):
        return False
    common.write_private(POLICY, NO_STARTS, 0o755)
    return True
