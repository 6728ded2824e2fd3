"""Runs on a lab host: a policy server (SMTPD_POLICY_README) that tells each client once to come again, 421.

Postfix's spawn(8) starts it for each connection; what it has seen is kept in one file for all of them.
"""

import fcntl
import sys
from pathlib import Path

SEEN = Path("/run/busy-once")


def is_new(client: str) -> bool:
    with SEEN.open("a+", encoding="utf-8") as seen:
        fcntl.flock(seen, fcntl.LOCK_EX)
        seen.seek(0)
        new = client not in seen.read().split()
        if new:
            seen.write(client + "\n")
    return new


client = ""
for line in sys.stdin:
    name, _, value = line.strip().partition("=")
    if name == "client_address":
        client = value
    elif not name:
        print(f"action={'421 4.3.2 busy, come again' if is_new(client) else 'DUNNO'}\n", flush=True)
