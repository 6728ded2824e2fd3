"""What was started on a host and has yet to run once: looked at, never waited for. Reads only.

A row says what (`name`), how it is (`why`), and when it is looked at or tried next: `until`, seconds since 1970, 0 when
nobody knows.
"""

from __future__ import annotations

import glob
import json
import os
from typing import Any

from cjsm_connect.remote import common, freshclam

STARTING = ("initializing", "starting")  # systemctl(1), is-system-running
SIGNATURES = "/var/lib/clamav"
STILL_STARTING = "the host is still starting"


def rows(
    wanted: list[dict[str, Any]], states: dict[str, dict[str, Any]], system: dict[str, str]
) -> list[dict[str, Any]]:
    """Everything that is not settled: the start of the host, units that are starting, and what is `wanted`."""
    found = [row(STILL_STARTING, "systemd has not started everything yet")] if starting(system) else []
    found += [row(unit, "it is starting") for unit, state in states.items() if state["active"] == "activating"]
    looked = ((item["name"], PROBES[item["probe"]](dict(item["arguments"]))) for item in wanted)
    return found + [row(name, *told) for name, told in looked if told[0]]


def row(name: str, why: str, until: float = 0) -> dict[str, Any]:
    """One thing that is not settled."""
    return {"name": name, "why": why, "until": until}


def system_state() -> dict[str, str]:
    """What systemd says of the host as a whole (org.freedesktop.systemd1(5)): SystemState, NFailedUnits."""
    out = common.attempt(["systemctl", "show", "--property=SystemState,NFailedUnits"])[1]
    return dict(line.partition("=")[::2] for line in out.splitlines())


def starting(system: dict[str, str]) -> bool:
    """Is the host still on its way up?"""
    return system.get("SystemState") in STARTING


def failed_units(system: dict[str, str]) -> list[str]:
    """Units that have failed, by systemd's word; what is masked was ended on purpose."""
    if system.get("NFailedUnits") == "0":
        return []
    listing = ["systemctl", "list-units", "--state=failed", "--no-legend", "--no-pager", "--plain"]
    fields = (line.split(None, 4) for line in common.attempt(listing)[1].splitlines())
    return [one[0] for one in fields if len(one) > 2 and one[1] != "masked"]


def first_look(arguments: dict[str, Any]) -> tuple[str, float]:
    """Has the program that a timer starts written its file? Arguments: path, timer. (why not, when it is next)."""
    if '"looked"' in common.read(arguments["path"]):
        return "", 0
    return "has not happened yet", next_elapse(arguments["timer"])


def next_elapse(timer: str) -> float:
    """When a timer elapses next, seconds since 1970; 0 when nobody can tell. systemctl(1), list-timers."""
    code, out, _ = common.attempt(["systemctl", "list-timers", "--all", "--output=json", timer])
    try:
        return int(json.loads(out)[0]["next"]) / 1e6 if not code else 0
    except (ValueError, LookupError, TypeError):
        return 0


def clock(_arguments: dict[str, Any]) -> tuple[str, float]:
    """Has chrony compared the clock with a time server's (chronyc(1), tracking)? No arguments."""
    code, out, _ = common.attempt(["chronyc", "-n", "-c", "tracking"], seconds=5)
    if code:
        return "chrony does not answer", 0
    return ("no time server has been heard yet" if out.strip().endswith("Not synchronised") else ""), 0


def signatures(arguments: dict[str, Any]) -> tuple[str, float]:
    """Are all virus databases there? Arguments: databases (patterns of file names), source (who is asked for them)."""
    missing = [name for name in arguments["databases"] if not any(map(os.path.getsize, _files(name)))]
    if not missing:
        return "", 0
    found = freshclam.updates(freshclam.log())["trouble"]
    why = "%s has not brought %s yet" % (arguments["source"], " and ".join(missing))
    return ("%s: %s" % (why, found["told"]), found["until"]) if found else (why, 0)


def _files(pattern: str) -> list[str]:
    return glob.glob(os.path.join(SIGNATURES, pattern))


PROBES = {"first_look": first_look, "clock": clock, "signatures": signatures}
