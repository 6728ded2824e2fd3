"""How SSH asks who somebody is, on every managed host."""

from __future__ import annotations

from cjsm_connect.organisation import Organisation
from cjsm_connect.probes.tries import Try


def tries(organisation: Organisation) -> list[Try]:
    """Each host asks itself: an administrator's address must not be counted as one that fails to log in."""
    return [
        Try(
            f"access.ssh:{host.name}",
            host.name,
            host.name,
            "local-active",
            "ssh",
            {"user": host.ssh.user, "address": str(host.address), "port": host.ssh.port},
        )
        for host in organisation.hosts
    ]
