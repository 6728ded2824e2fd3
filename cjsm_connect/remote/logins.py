"""Which ways to log in an SSH server offers, asked without logging in. Standard library of Python 3.9."""

from __future__ import annotations

import re
from typing import Any

from cjsm_connect.printable import SAID, shown
from cjsm_connect.remote import common

SECONDS = 15

# Nothing of this host's own client configuration, keys or known hosts: only what the server offers counts (ssh(1))
CLIENT = (
    *("ssh", "-F", "/dev/null", "-n", "-T", "-a", "-x", "-o", "BatchMode=yes", "-o", "LogLevel=ERROR"),
    *("-o", "PreferredAuthentications=none", "-o", "PubkeyAuthentication=no", "-o", "IdentityAgent=none"),
    *("-o", "StrictHostKeyChecking=no", "-o", "UserKnownHostsFile=/dev/null", "-o", "GlobalKnownHostsFile=/dev/null"),
    *("-o", "ConnectTimeout=5", "-o", "ControlPath=none"),
)


def offered(arguments: dict[str, Any]) -> dict[str, Any]:
    """Ask by the method "none" (RFC 4252, 5.2): {"methods": [...]}, ["none"] when that alone lets somebody in.

    Arguments: user, address, port. It is asked from the host itself, so that nobody else's address is counted as one
    that fails to log in.
    """
    where = ["-p", str(arguments["port"]), "-l", arguments["user"], "--", arguments["address"], "true"]
    code, _, said = common.attempt([*CLIENT, *where], seconds=SECONDS)
    if code == 0:
        return {"methods": ["none"]}
    refused = re.search(r"Permission denied \(([a-z0-9@.,-]*)\)", said)
    if not refused:
        return {"could_not_tell": "ssh: %s" % shown(said.strip() or "ended with %d" % code, SAID)}
    return {"methods": sorted(filter(None, refused.group(1).split(",")))}
