"""The firewall on a host: compare, load with a way back, confirm, undo. Standard library of Python 3.9.

A change is loaded live under a dead man's timer. Only `confirm`, called over a fresh SSH connection, stops the timer
and writes the rules for boot: whoever locks himself out is let in again when the time is over.
The nftables unit is never started, stopped or reloaded by us: its ExecStop flushes the rules of everybody.

Every function takes one dict: {"table": "inet cjsm", "boot_path": ..., "ruleset": text, "seconds": number}.
"""

from __future__ import annotations

import fnmatch
import hashlib
import os
from typing import Any

from cjsm_connect.remote import common

TABLE = "inet cjsm"
BOOT = "/etc/nftables.d/cjsm.nft"
MAIN = "/etc/nftables.conf"  # what nftables.service loads at boot
STATE = "/var/lib/cjsm/firewall"
UNDO = STATE + "/undo.nft"
UNIT = "cjsm-firewall-undo"
NFT = "/usr/sbin/nft"

# Debian's own file holds three empty chains behind a `flush ruleset`; this takes its place. A file that an
# administrator has written is kept and gets only the include line.
FRESH_MAIN = """\
#!/usr/sbin/nft -f
# Loaded at boot by nftables.service. Each file below replaces only its own tables: tables of other programs stay.
# Own tables belong in this file or in files of their own that it includes.
"""


def state(wall: dict[str, Any]) -> dict[str, Any]:
    """How this host stands: the boot file's digest, whether its rules are the live ones, whether they come at boot."""
    boot = common.read(wall["boot_path"])
    return {
        "boot": sha256(boot) if boot else "",
        "live_is_boot": bool(boot) and same(wall["table"], boot),
        "enabled": enabled(wall["boot_path"]),
    }
