"""Make the running services what the files say, try them, and go back by ourselves when they fail."""

from __future__ import annotations

import json
import os
import time
from typing import Any

from cjsm_connect.remote import collect, common, health, lock, settling, undo

PATIENCE = 20  # seconds for what may need minutes; after that it is left to come by itself
MASKED = ("masked", "masked-runtime")  # of UnitFileState


def activate(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments: claim, installed (is a change of ours pending?), services, health.

    What was installed says itself which services and tries belong to it. Returns what was done, or
    `{"failed": ..., "restored": [...]}` when a service or a try failed and the host went back.
    """
    with lock.held(arguments["claim"], last=True):
        done: list[str] = []
        try:
            wanted = arguments
            if arguments["installed"]:
                wanted = undo.wanted(undo.confirm())
            missing = settle_all(wanted["services"], done, wanted.get("awaited", []))
            health.all_well([item for item in wanted["health"] if item.get("waits_for") not in missing])
            if arguments["installed"]:
                undo.done()
        except common.Failed as error:
            return {"failed": str(error), "done": done, **undo.put_back({"why": str(error)})}
    return {"done": done}


def settle_all(services: list[dict[str, Any]], done: list[str], awaited: list[dict[str, Any]]) -> set[str]:
    """Bring every unit to its state, in order; the systemd manager first reads changed unit files.

    Returns the names of what is `awaited` and has not come: units that wait for it have been told to start, no more.
    """
    missing: set[str] = set()
    common.run(["systemctl", "daemon-reload"], seconds=60)
    states = collect.units({service["unit"]: service["watches"] for service in services})
    actions = known_at_boot(services, states)
    for service in services:
        state = states[service["unit"]]
        late = needed(service, state) in ("start", "restart") and has_not_come(service.get("waits_for", ""), awaited)
        missing |= {service["waits_for"]} if late else set()
        settled = begin(service["unit"]) if late else settle(service, state)
        taken = [*actions.get(service["unit"], ()), *filter(None, [settled])]
        if taken:
            done.append(f"{service['unit']}: {', '.join(taken)}")
    return missing


def has_not_come(name: str, awaited: list[dict[str, Any]]) -> bool:
    """Has what is awaited under this name not come, though it got PATIENCE seconds?"""
    wanted = [item for item in awaited if item["name"] == name]
    last = time.monotonic() + PATIENCE
    while settling.rows(wanted, {}, {}):
        if time.monotonic() > last:
            return True
        time.sleep(0.2)
    return False


def begin(unit: str) -> str:
    """Tell a unit to start as soon as it can; what keeps it is waited for by its own ExecStartPre."""
    common.run(["systemctl", "--no-block", "restart", unit])
    return "start as soon as it can"


def known_at_boot(services: list[dict[str, Any]], states: dict[str, Any]) -> dict[str, list[str]]:
    """Unmask, enable, disable and mask what needs it, all units at once: each time systemd reads all its files again.

    Returns what was done, by unit.

    Raises:
        Failed: a unit is missing.
    """
    enabled = {service["unit"]: states[service["unit"]]["enabled"] for service in services}
    wanted = [service["unit"] for service in services if service["enabled"]]
    masked = [unit for unit in wanted if enabled[unit] in MASKED]  # neither enable nor start works for these
    off = ("disabled", "", *MASKED)
    changes = {
        "unmask": masked,
        "unmask --runtime": masked,  # the one leaves the other's mask
        "enable": [unit for unit in wanted if enabled[unit] in off],
        "disable": [unit for unit in enabled if unit not in wanted and enabled[unit] not in off],
        "mask": [one["unit"] for one in services if one.get("masked") and enabled[one["unit"]] != "masked"],
    }
    done: dict[str, list[str]] = {}
    for verb, units in changes.items():
        if units:
            common.run(["systemctl", *verb.split(), *units], seconds=60)
        for unit in units:
            done.setdefault(unit, []).append(verb.partition(" ")[0])
    return {unit: list(dict.fromkeys(verbs)) for unit, verbs in done.items()}


def settle(service: dict[str, Any], state: dict[str, Any]) -> str:
    """Start, stop, reload or restart one unit, note what it has loaded; returns what was done, "" for nothing.

    Raises:
        Failed: the unit is missing, or is not active afterwards.
    """
    action = needed(service, state)
    if action:
        act(action, service["unit"])
    if action == "stop":  # what was ended half-way has failed, by systemd's word
        common.attempt(["systemctl", "reset-failed", service["unit"]])
    if service["running"]:
        must_be_active(service["unit"])
        note(service)
    return action


def needed(service: dict[str, Any], state: dict[str, Any]) -> str:
    """start, stop, reload, restart, reset-failed or "" for one unit, decided from its state."""
    active = state["active"] in ("active", "reloading")
    if not service["running"]:
        return "stop" if active or state["active"] == "activating" else "reset-failed" * (state["active"] == "failed")
    if not active:
        return "restart" if state["active"] == "failed" else "start"
    if state["current"] or service["on_change"] == "none":
        return ""
    return str(service["on_change"])


def must_be_active(unit: str) -> None:
    """Wait up to 10 s for a unit to be active.

    Raises:
        Failed: it is not; the message has the last lines of its journal.
    """
    state = {}
    for _ in range(50):
        state = collect.units({unit: []})[unit]
        if state["active"] == "active":
            return
        if state["active"] == "failed" or state["load"] != "loaded":
            break
        time.sleep(0.2)
    raise common.Failed(f"{unit} is {state['active']} ({state['load']}), expected active; it said: {said(unit)}")


def act(action: str, unit: str) -> None:
    """Start, stop, reload or restart a unit, or forget that it failed.

    Raises:
        Failed: systemctl(1) did not succeed; the message has what the unit itself said last.
    """
    code, _, _ = common.attempt(["systemctl", action, unit], seconds=180)
    if code:
        raise common.Failed(f"systemctl {action} {unit} did not succeed; the unit said: {said(unit)}")


def said(unit: str) -> str:
    """The last lines of a unit's journal, as one."""
    _, lines, _ = common.attempt(["journalctl", "--no-pager", "-n", "5", "-o", "cat", "-u", unit])
    return "; ".join(lines.strip().splitlines())[-600:]


def note(service: dict[str, Any]) -> None:
    """Remember what content a unit has loaded, so that the next run need not load it again."""
    if not service["watches"]:
        return
    noted = collect.activations()
    noted[service["unit"]] = {"digest": collect.watched_digest(service["watches"]), "at": time.time()}
    path = collect.STATE + "/activated.json"
    if os.path.exists(path + ".new"):
        os.unlink(path + ".new")
    os.makedirs(collect.STATE, mode=0o711, exist_ok=True)
    common.write_private(path + ".new", json.dumps(noted))
    os.rename(path + ".new", path)
