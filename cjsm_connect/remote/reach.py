"""Can this host open the connections that the organisation needs? Tried before and after a change, and compared.

Only a TCP connection is opened and closed again: nothing is said on it.
"""

from __future__ import annotations

import socket
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cjsm_connect.remote import undo

PATIENCE = 3.0  # seconds without an answer after which a connection counts as blocked


def tried(arguments: dict[str, Any]) -> dict[str, str]:
    """By name: open, refused (it arrived, nobody listens) or blocked. Arguments: flows (name, address, port)."""
    flows = arguments["flows"]
    with ThreadPoolExecutor(max_workers=max(1, min(32, len(flows)))) as pool:
        return dict(zip((flow["name"] for flow in flows), pool.map(one, flows)))


def one(flow: dict[str, Any]) -> str:
    """One connection; a lost packet must not look like a firewall, so a blocked one is tried again."""
    for _ in range(2):
        try:
            socket.create_connection((flow["address"], flow["port"]), timeout=PATIENCE).close()
        except ConnectionRefusedError:
            return "refused"
        except OSError:  # no answer, no route, or not permitted
            continue
        return "open"
    return "blocked"


def compared(arguments: dict[str, Any]) -> dict[str, Any]:
    """Try again what was tried before the change: {"blocked": names of what got through then and does not now}."""
    before = undo.pending().get("reached", {})
    after = tried({"flows": [flow for flow in arguments["flows"] if before.get(flow["name"]) != "blocked"]})
    return {"blocked": [name for name, found in after.items() if found == "blocked" and name in before], "after": after}
