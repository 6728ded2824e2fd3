"""Wait on the host until what was started there has run once, for some seconds at most. Changes nothing."""

from __future__ import annotations

import time
from typing import Any

from cjsm_connect.remote import collect, settling

LOOK_EVERY = 0.3  # seconds


def settle(arguments: dict[str, Any]) -> list[dict[str, Any]]:
    """What is not settled yet (see settling), empty as soon as everything is. Arguments: seconds, awaited, units."""
    end = time.monotonic() + arguments["seconds"]
    while True:
        found = settling.rows(arguments["awaited"], collect.units(arguments["units"]), settling.system_state())
        if not found or time.monotonic() > end:
            return found
        time.sleep(LOOK_EVERY)
