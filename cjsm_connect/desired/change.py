"""Desired against one snapshot: what differs. Plan, apply and drift all read this and nothing else. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from cjsm_connect.desired import (
    Answer,
    Desired,
    Directory,
    File,
    Firewall,
    Key,
    Map,
    Package,
    Service,
    Settings,
)
from cjsm_connect.desired.settings import FORMS, merged, replaced
from cjsm_connect.desired.snapshot import MAPS, Snapshot, map_set, sha256, watched

Need = Literal["key", "mode", "request", "certificate"]
MASKED = ("masked", "masked-runtime")
NOT_ENABLED = ("disabled", "", *MASKED)  # of UnitFileState; "static" and others have no say in it


@dataclass(frozen=True, slots=True)
class FileChange:
    """One file to write: its new content and what was there before (None: nothing, or not to be shown)."""

    file: File
    before: str | None
    exists: bool
    why: str  # "new", "content", "owner or mode"

    @property
    def settings(self) -> tuple[tuple[str, str | None, str | None], ...]:
        """(name, value before, value after) of each setting of an existing main.cf or master.cf that changes."""
        form = self.file.path.rpartition("/")[2]
        if self.before is None or not self.file.path.startswith("/etc/postfix/") or form not in FORMS:
            return ()
        return tuple(replaced(form, self.before, self.file.content))


@dataclass(frozen=True, slots=True)
class ServiceChange:
    """One unit that is not as wanted, and what systemctl(1) is told about it, in order."""

    service: Service
    watches: tuple[str, ...]
    actions: tuple[str, ...]

    @property
    def why(self) -> str:
        """The actions as words."""
        return ", ".join(self.actions)


@dataclass(frozen=True, slots=True)
class KeyChange:
    """One key to make, to close, to request a certificate for, or to give its returned certificate."""

    key: Key
    needs: tuple[Need, ...]

    @property
    def why(self) -> str:
        """What apply does about it."""
        return ", ".join(_KEY_STEPS[need] for need in self.needs)

    @property
    def writes(self) -> tuple[str, ...]:
        """The paths that this makes or changes."""
        key = self.key
        places = {"key": key.path, "mode": key.path, "request": key.request_path, "certificate": key.chain_path}
        return tuple(places[need] for need in self.needs)


_KEY_STEPS = {
    "key": "make the private key on the host",
    "mode": "close the private key to everybody but root",
    "request": "write the certificate request",
    "certificate": "install the returned certificate",
}


@dataclass(frozen=True, slots=True)
class Change:
    """What must happen on one host; empty when nothing differs."""

    packages: tuple[Package, ...] = ()
    answers: tuple[Answer, ...] = ()
    directories: tuple[Directory, ...] = ()
    files: tuple[FileChange, ...] = ()
    absent: tuple[str, ...] = ()
    maps: tuple[Map, ...] = ()
    keys: tuple[KeyChange, ...] = ()
    firewalls: tuple[Firewall, ...] = ()
    services: tuple[ServiceChange, ...] = ()

    def __bool__(self) -> bool:
        return any(getattr(self, name) for name in self.__slots__)

    @property
    def writes(self) -> bool:
        """Does anything but packages and services change, so that install has something to do?"""
        return bool(self.directories or self.files or self.absent or self.maps or self.keys or self.firewalls)


def change(desired: Desired, snapshot: Snapshot) -> Change:
    """What differs between Desired and a snapshot taken with `questions(desired)`."""
    packages = tuple(item for item in desired.packages if item.name not in snapshot["packages"])
    names = {item.name for item in packages}
    files = tuple(_files(desired, snapshot))
    maps = desired.maps if _maps_differ(desired, snapshot) else ()
    keys = tuple(_keys(desired, snapshot))
    chains = {item.key.chain_path for item in keys if "certificate" in item.needs}
    touched = {item.file.path for item in files} | chains | ({MAPS} if maps else set())
    return Change(
        packages=packages,
        answers=tuple(item for item in desired.answers if item.package in names),
        directories=tuple(item for item in desired.directories if not as_wanted(item, _found(snapshot, item.path))),
        files=files,
        absent=tuple(item.path for item in desired.absent if _found(snapshot, item.path)["kind"] != "absent"),
        maps=maps,
        keys=keys,
        firewalls=tuple(item for item in desired.firewalls if _firewall_differs(item, snapshot)),
        services=tuple(_services(desired, snapshot, touched)),
    )


def _found(snapshot: Snapshot, path: str) -> dict[str, Any]:
    found = snapshot["files"][path]
    assert isinstance(found, dict)
    return found


def as_wanted(item: Directory | File, found: dict[str, Any]) -> bool:
    """Kind, owner, group and mode; not the content."""
    kind = "directory" if isinstance(item, Directory) else "file"
    wanted = (kind, item.owner, item.group, item.mode)
    return wanted == (found["kind"], found.get("owner"), found.get("group"), found.get("mode"))


def _files(desired: Desired, snapshot: Snapshot) -> Iterator[FileChange]:
    for file in (*desired.files, *(_as_file(item, snapshot) for item in desired.settings)):
        found = _found(snapshot, file.path)
        before = None if file.secret else found.get("content")
        if found["kind"] == "absent":
            yield FileChange(file, None, exists=False, why="new")
        elif found.get("sha256") != sha256(file.content):
            yield FileChange(file, before, exists=True, why="content")
        elif not as_wanted(file, found):
            yield FileChange(file, before, exists=True, why="owner or mode")


def _as_file(item: Settings, snapshot: Snapshot) -> File:
    """Settings laid over what the host has now."""
    content = merged(item.form, _found(snapshot, item.path).get("content", ""), item.entries)
    return File(item.path, content, item.owner, item.group, item.mode)


def _maps_differ(desired: Desired, snapshot: Snapshot) -> bool:
    """A set is installed as NAME.SOMETHING; one that was edited on the host is told as none."""
    name = (snapshot["maps"] or "").rpartition("/")[2].partition(".")[0]
    return bool(desired.maps) and name != map_set(desired.maps)


def _keys(desired: Desired, snapshot: Snapshot) -> Iterator[KeyChange]:
    for key in desired.keys:
        if needs := tuple(_needs(key, snapshot["keys"][key.path])):
            yield KeyChange(key, needs)


def _needs(key: Key, found: dict[str, Any]) -> Iterator[Need]:
    """A new key needs a new request, whatever request there is."""
    if not found["exists"]:
        yield "key"
    elif not found["private"]:
        yield "mode"
    if not found["exists"] or not found["request"]:
        yield "request"
    if key.certificate and found.get("chain") != key.certificate_digest:
        yield "certificate"


def _firewall_differs(wall: Firewall, snapshot: Snapshot) -> bool:
    state = snapshot["firewalls"][wall.table]
    return bool(state["boot"] != sha256(wall.ruleset) or not state["live_is_boot"] or not state["enabled"])


def _services(desired: Desired, snapshot: Snapshot, touched: set[str]) -> Iterator[ServiceChange]:
    """Units that differ now, and those that will once the paths in `touched` have changed."""
    for service in desired.services:
        watches = watched(service, desired)
        unit = state_of(service, snapshot)
        current = unit["current"] and not touched.intersection(watches)
        if actions := tuple(service_actions(service, unit | {"current": current})):
            yield ServiceChange(service, tuple(watches), actions)


def state_of(service: Service, snapshot: Snapshot) -> dict[str, Any]:
    """A unit's state; `late`: what it waits for has not come, so that it may still be starting."""
    missing = {row["name"] for row in snapshot.get("unsettled", ())}
    found: dict[str, Any] = snapshot["units"][service.unit]
    return found | {"late": service.waits_for in missing}


def service_actions(service: Service, unit: dict[str, Any]) -> Iterator[str]:
    """What systemctl(1) must do to a unit, in the order in which it is done; nothing when it is as wanted."""
    if service.enabled and unit["enabled"] in MASKED:
        yield "unmask"
    if service.enabled and unit["enabled"] in NOT_ENABLED:
        yield "enable"
    if not service.enabled and unit["enabled"] == "enabled":
        yield "disable"
    if service.masked and unit["enabled"] != "masked":  # a mask in /run is lost at the next boot
        yield "mask"
    active = unit["active"] in ("active", "reloading")
    if not service.running and (active or unit["active"] == "activating"):
        yield "stop"
    elif not service.running and unit["active"] == "failed":
        yield "reset-failed"
    elif service.running and unit["late"] and unit["active"] == "activating":
        return  # on its way; apply and status name it until it has come
    elif service.running and not active:
        yield "restart" if unit["active"] == "failed" else "start"
    elif service.running and not unit["current"] and service.on_change != "none":
        yield service.on_change


def difference(change: FileChange) -> str:
    """A unified diff of one file, for the plan; a secret file says only that it differs."""
    if change.file.secret:
        return f"(content of {change.file.path} is secret and not shown)\n"
    old = (change.before or "").splitlines(keepends=True)
    new = change.file.content.splitlines(keepends=True)
    path = change.file.path
    return "".join(difflib.unified_diff(old, new, path if change.exists else "/dev/null", path))
