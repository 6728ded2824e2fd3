"""A patching system that is not ours, for tests, as a program on a host of the lab (standard library of Python 3.9):

own_patching.py run       fetch lists, install what is pending, note when that was done
own_patching.py status    what is still pending, as docs/hooks.md wants it
"""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from pathlib import Path

STAMP = Path("/var/lib/own-patching")
REBOOT = Path("/run/reboot-required")


def apt(*arguments):
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    argv = ["apt-get", "-q", "-o", "DPkg::Options::=--force-confold", *arguments]
    return subprocess.run(argv, env=environment, check=True, capture_output=True, text=True).stdout


def run():
    apt("update")
    apt("-y", "dist-upgrade")
    STAMP.touch()


def status():
    pending = [line for line in apt("-s", "dist-upgrade").splitlines() if line.startswith("Inst ")]
    security = [line for line in pending if "Debian-Security" in line]
    reboot = REBOOT.exists()
    return {
        "updates_pending": len(pending),
        "security_pending": len(security),
        "oldest_security": moment(STAMP) if security else None,  # not there when it ran last
        "last_run": moment(STAMP),
        "reboot_required": reboot,
        "reboot_since": moment(REBOOT) if reboot else None,
    }


def moment(path):
    changed = datetime.datetime.fromtimestamp(path.stat().st_mtime, datetime.UTC)
    return changed.strftime("%Y-%m-%dT%H:%M:%SZ")


if __name__ == "__main__":
    if sys.argv[1] == "run":
        run()
    else:
        print(json.dumps(status()))
