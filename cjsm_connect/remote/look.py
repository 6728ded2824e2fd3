"""The first, quick look at a host: it decides what may be tried at all, before anything is tried."""

from __future__ import annotations

from typing import Any

from cjsm_connect.remote.common import attempt, read

MARKER = "/etc/cjsm-lab"


def look(arguments: dict[str, Any]) -> dict[str, Any]:
    """{"marker": the lab's name or "", "discards": is mail to `arguments["recipient"]` thrown away here}."""
    return {"marker": read(MARKER).strip(), "discards": discards(arguments["recipient"])}


def discards(recipient: str) -> bool:
    """Does Postfix route this address to its discard(8) transport? Asked as trivial-rewrite(8) would ask the maps."""
    _, maps, _ = attempt(["postconf", "-h", "transport_maps"])
    for table in maps.replace(",", " ").split():
        for key in (recipient, recipient.rpartition("@")[2]):
            code, route, _ = attempt(["postmap", "-q", key, table])
            if code == 0 and route.strip():
                return route.strip().split(":")[0] == "discard"
    return False
