"""The first, quick look at a host: it decides what may be tried at all, before anything is tried."""

from __future__ import annotations

from typing import Any

from cjsm_connect.remote import firewall, settling
from cjsm_connect.remote.common import attempt, read

MARKER = "/etc/cjsm-lab"
READINGS = {"counters": firewall.counted}


def look(arguments: dict[str, Any]) -> dict[str, Any]:
    """{"marker": the lab's name or "", "starting": is it still on its way up, "discards": is mail to `recipient` thrown
    away here, "readings": see there}."""
    return {
        "marker": read(MARKER).strip(),
        "starting": settling.starting(settling.system_state()),
        "discards": discards(arguments["recipient"]),
        "readings": readings(arguments),
    }


def readings(arguments: dict[str, Any]) -> dict[str, Any]:
    """What is read before all tries and after them: the outcome of each of `around` ({"id", "kind", "arguments"})."""
    return {one["id"]: reading(one) for one in arguments["around"]}


def reading(one: dict[str, Any]) -> dict[str, Any]:
    """One outcome; `could_not_tell` says why there is none."""
    try:
        return READINGS[one["kind"]](one["arguments"])
    except Exception as error:  # one reading that fails must not keep the host from being looked at
        return {"could_not_tell": "%s: %s" % (type(error).__name__, error)}


def discards(recipient: str) -> bool:
    """Does Postfix route this address to its discard(8) transport? Asked as trivial-rewrite(8) would ask the maps."""
    _, maps, _ = attempt(["postconf", "-hx", "transport_maps"])
    for table in maps.replace(",", " ").split():
        for key in (recipient, recipient.rpartition("@")[2]):
            code, route, _ = attempt(["postmap", "-q", key, table])
            if code == 0 and route.strip():
                return route.strip().split(":")[0] == "discard"
    return False
