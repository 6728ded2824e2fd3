"""How a host is now, beside what it should have: mail that waits, and how long its certificates last. Reads only."""

from __future__ import annotations

import json
import os
import ssl
import time
from typing import Any

from cjsm_connect.remote import collect as collector
from cjsm_connect.remote import common, freshclam, refusals, unknown_keys

SPOOL = "/var/spool/postfix"
QUEUES = ("maildrop", "incoming", "active", "deferred", "hold")  # QSHAPE_README; maildrop: pickup(8) has not come by
DAY = 86400
MILTER = "/run/clamav/clamav-milter.ctl"


def collect(arguments: dict[str, Any]) -> dict[str, Any]:
    """The snapshot with `condition` added, so that both come with one command."""
    return dict(collector.collect(arguments), condition=observe(arguments))


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """`queue`: see `queue`, None without Postfix. `certificates`: {name: days left}, None for one that is awaited.
    `unknown_keys`: those that the hub's listener put off. `refused`: what the scanner refused, None without ClamAV's.
    `signatures`: what stands in the way of new ones, or {}."""
    return {
        "queue": queue() if os.path.isdir(SPOOL + "/deferred") else None,
        "certificates": {key["chain_path"]: days_left(key["chain_path"]) for key in arguments["keys"]},
        "unknown_keys": unknown_keys.observe(),
        "refused": refusals.observe() if os.path.exists(MILTER) else None,
        "signatures": freshclam.updates(freshclam.log())["trouble"],
    }


def queue() -> dict[str, Any]:
    """Messages in each queue, and since when the oldest waits, in seconds (None: none waits, or nobody can tell)."""
    found: dict[str, Any] = {name: messages(SPOOL + "/" + name) for name in QUEUES}
    found["oldest_seconds"] = oldest() if any(found.values()) else None
    return found


def messages(folder: str) -> int:
    """Queue files below a folder; Postfix spreads them over subdirectories (hash_queue_names)."""
    return sum(len(files) for _, _, files in os.walk(folder))


def oldest() -> Any:
    """A queue file's own times say when it is tried next, so Postfix is asked; postqueue(1) -j."""
    code, out, _ = common.attempt(["postqueue", "-j"], seconds=20)
    if code:
        return None
    times = [json.loads(line)["arrival_time"] for line in out.splitlines()]
    return max(0, int(time.time() - min(times))) if times else None


def days_left(chain: str) -> Any:
    """Whole days until the first certificate of a chain file ends, negative when it has; None without one."""
    if "BEGIN CERTIFICATE" not in common.read(chain):
        return None
    code, out, _ = common.attempt(["openssl", "x509", "-noout", "-enddate", "-in", chain])
    if code:
        return None
    return int((ssl.cert_time_to_seconds(out.strip().partition("=")[2]) - time.time()) // DAY)
