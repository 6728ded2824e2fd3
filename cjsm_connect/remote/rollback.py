"""Back to how a host was after generation N, as far as a generation may bring something back.

A rollback is an apply: staged, validated, recorded as a generation of its own, confirmed over a new connection. It
brings back no key, certificate or trust anchor, and nothing that names the hub when the hub has changed since.
"""

from __future__ import annotations

import os
from typing import Any

from cjsm_connect.remote import collect, common, firewall, generation, install, lock

HUB_CHANGED = "it names the hub or the inner hop, whose addresses, names or certificates have changed since"


def look(arguments: dict[str, Any]) -> dict[str, Any]:
    """All generations of this host, the newest first, and whether somebody is at work on it. Reads only."""
    found = [{key: one[key] for key in one if key != "wanted"} for one in generation.recorded()]
    busy = {"lock": lock.holder(), "pending": firewall.armed()}
    return {"generations": found, "lab": common.read("/etc/cjsm-lab").strip(), **busy}


def plan(arguments: dict[str, Any]) -> dict[str, Any]:
    """What a rollback to generation `to` would do: {"back": [...], "left": [...]} with path, why, difference."""
    back, left = sorted_out(generation.recorded(), arguments["to"])
    shown = [{"path": row["path"], "difference": towards(folder, row)} for folder, row in back]
    return {"back": [row for row in shown if row["difference"] is not None], "left": left}


def sorted_out(
    recorded: list[dict[str, Any]], to: int
) -> tuple[list[tuple[str, dict[str, Any]]], list[dict[str, str]]]:
    """What comes back, as (folder of the generation that kept it, row), and what does not, with why.

    A host that an apply did not change has no generation of that number: then the one before it counts.

    Raises:
        Failed: the host has nothing as old as that any more.
    """
    kept = [one for one in recorded if one["state"] == "kept"]
    target = next((one for one in kept if one["number"] <= to), None)
    if target is None:
        there = ", ".join(str(one["number"]) for one in kept) or "none"
        raise common.Failed(f"no generation {to} to go back to; this host has: {there}")
    same_hub = target["trust"] == kept[0]["trust"]
    first: dict[str, tuple[str, dict[str, Any]]] = {}
    for one in kept:  # the newest first: the oldest after the target stays
        if one["number"] > to:
            folder = f"{generation.root()}/{one['number']}"
            first.update((row["path"], (folder, row)) for row in one["replaced"])
    reasons = {path: stays(row, same_hub) for path, (_, row) in first.items()}
    left = [{"path": path, "why": why} for path, why in reasons.items() if why]
    return [found for path, found in first.items() if not reasons[path]], left


def stays(row: dict[str, Any], same_hub: bool) -> str:
    """Why a path is left as it is now; "" when it comes back."""
    if row["secret"]:
        return "keys, certificates and secrets are never kept"
    if row["returns"] == "never":
        return "who is trusted is never taken back by a rollback"
    if row["returns"] == "same hub" and not same_hub:
        return HUB_CHANGED
    if row["path"] == firewall.MAIN or (row["path"] == firewall.BOOT and not row["existed"]):
        return "a host that has a firewall keeps one"
    if row["path"] == collect.MAPS and not (row["link"] and os.path.isdir(row["link"])):
        return "the maps of that time are not on the host any more"
    return ""


def towards(folder: str, row: dict[str, Any]) -> Any:
    """The difference from now to then; None when there is none."""
    path = row["path"]
    if row["link"] is not None:
        found = os.path.realpath(path)
        return (
            None
            if found == row["link"]
            else generation.unified(path, generation.tables(found), generation.tables(row["link"]))
        )
    then = common.read(f"{folder}/{row['kept']}") if row["kept"] else ""
    if not row["existed"]:
        return generation.unified(path, common.read(path), "") if os.path.lexists(path) else None
    return (
        None
        if os.path.lexists(path) and common.read(path) == then
        else generation.unified(path, common.read(path), then)
    )


def back(arguments: dict[str, Any]) -> dict[str, Any]:
    """Install what was there after generation `to`. Arguments: to; about, claim, undo, seconds, flows (see install)."""
    recorded = generation.recorded()
    found, left = sorted_out(recorded, arguments["to"])
    changed = [(folder, row) for folder, row in found if towards(folder, row) is not None]
    belongs = belonging(recorded, arguments["to"])
    ours = {row["path"] for _, row in changed}
    nothing: dict[str, Any] = {"directories": [], "maps": [], "map_set": "", "keys": []}
    wanted = {
        "files": [file(folder, row) for folder, row in changed if row["kept"] and row["path"] != firewall.BOOT],
        "absent": [row["path"] for _, row in changed if not row["existed"]],
        "table_set": next((row["link"] for _, row in changed if row["path"] == collect.MAPS), ""),
        "firewalls": [wall for wall in belongs["firewalls"] if wall["boot_path"] in ours],
        "access": [one["unit"] for one in belongs["services"] if one["access"] and ours.intersection(one["watches"])],
        "wanted": {**belongs, "services": [*belongs["services"], *ended(recorded, belongs)]},
    }
    done = install.install({**arguments, **nothing, **wanted})
    return {**done, "left": left}


def file(folder: str, row: dict[str, Any]) -> dict[str, Any]:
    """A kept file as install wants it: with its content, owner and mode of that time."""
    kept = f"{folder}/{row['kept']}"
    status = os.stat(kept)
    owner = {"owner": collect.owner(status.st_uid), "group": collect.group(status.st_gid)}
    rest = {"secret": False, "returns": row["returns"], "mode": status.st_mode & 0o7777}
    return {"path": row["path"], "text": common.read(kept), **owner, **rest}


def belonging(recorded: list[dict[str, Any]], to: int) -> dict[str, Any]:
    """The services, tries and rules that belonged to a host after generation `to`.

    An apply of one concern notes only its own; what it did not note is as the apply before it said.
    """
    names = {"services": "unit", "health": "name", "firewalls": "table"}
    found: dict[str, dict[str, Any]] = {kind: {} for kind in names}
    for one in (one for one in recorded if one["state"] == "kept" and one["number"] <= to):
        for kind, name in names.items():
            found[kind] = {**{item[name]: item for item in one["wanted"][kind]}, **found[kind]}
        if not one.get("only"):
            break
    services = sorted(found["services"].values(), key=lambda service: service["order"])
    return {"services": services, **{kind: list(found[kind].values()) for kind in ("health", "firewalls")}}


def ended(recorded: list[dict[str, Any]], belongs: dict[str, Any]) -> list[dict[str, Any]]:
    """Services that came later: they are stopped, and no longer start at boot."""
    known = {one["unit"] for one in belongs["services"]}
    newest = recorded[0]["number"]
    later = [one for one in belonging(recorded, newest)["services"] if one["unit"] not in known]
    return [dict(one, running=False, enabled=False) for one in later]
