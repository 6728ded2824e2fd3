"""Where a host has drifted from Desired, one by one and in words. Pure.

Derived from the one comparison (`cjsm_connect.desired.change`): there is drift exactly when there is a change. A
service that would only take up what is about to be written has not drifted by itself.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from cjsm_connect.desired import Desired, Directory, File, Firewall, Key, Service
from cjsm_connect.desired.change import MASKED, Change, FileChange, Need, as_wanted, service_actions, state_of
from cjsm_connect.desired.settings import shown
from cjsm_connect.desired.snapshot import MAPS, Snapshot, map_set, sha256

Kind = Literal[
    "package",
    "missing-directory",
    "missing-file",
    "file",
    "setting",
    "owner-or-mode",
    "unwanted-file",
    "maps",
    "key",
    "certificate",
    "firewall-live",
    "firewall-boot",
    "firewall-disabled",
    "service-masked",
    "service-stopped",
    "service-running",
    "service-disabled",
    "service-enabled",
    "older-configuration",
]

SHOWN_RULES = 4  # changed lines of the live rules that a sentence repeats; `cjsm plan` has all


@dataclass(frozen=True, slots=True)
class Drift:
    """One thing that is not as wanted. `found` and `expected` complete "SUBJECT is ..."; neither is ever secret."""

    kind: Kind
    subject: str
    expected: str
    found: str

    def __str__(self) -> str:
        return f"{self.subject} is {self.found}; expected {self.expected}"


def drift(desired: Desired, change: Change, snapshot: Snapshot) -> tuple[Drift, ...]:
    """Everything that differs on one host; `change` is the comparison of the same Desired with the same snapshot."""
    if not change:
        return ()
    files = snapshot["files"]
    return (
        *(Drift("package", f"package {item.name}", "installed", "not installed") for item in change.packages),
        *(part for item in change.directories for part in _directory(item, files[item.path])),
        *(part for item in change.files for part in _file(item, files[item.file.path])),
        *(Drift("unwanted-file", path, "absent", "there") for path in change.absent),
        *(_maps(change, snapshot)),
        *(_key(item.key, need) for item in change.keys for need in item.needs),
        *(part for wall in change.firewalls for part in _firewall(wall, snapshot["firewalls"][wall.table])),
        *(part for item in desired.services for part in _service(item, state_of(item, snapshot))),
    )


def _directory(item: Directory, found: dict[str, Any]) -> Iterator[Drift]:
    if found["kind"] == "absent":
        yield Drift("missing-directory", item.path, "a directory", "missing")
    elif found["kind"] != "directory":
        yield Drift("missing-directory", item.path, "a directory", f"a {found['kind']}")
    else:
        yield _owner(item, found)


def _owner(item: Directory | File, found: dict[str, Any]) -> Drift:
    seen = f"{found.get('owner')}:{found.get('group')} {found.get('mode', 0):04o}"
    return Drift("owner-or-mode", item.path, f"{item.owner}:{item.group} {item.mode:04o}", seen)


def _file(item: FileChange, found: dict[str, Any]) -> Iterator[Drift]:
    file = item.file
    if found["kind"] == "absent":
        yield Drift("missing-file", file.path, "a file", "missing")
    elif found["kind"] != "file":
        yield Drift("file", file.path, "a file", f"a {found['kind']}")
    else:
        if item.why == "content":
            yield from tuple(_settings(item)) or (Drift("file", file.path, "as `cjsm plan` shows it", "changed"),)
        if not as_wanted(file, found):
            yield _owner(file, found)


def _settings(item: FileChange) -> Iterator[Drift]:
    """Each setting of a main.cf or master.cf whose value differs; none where only comments do."""
    form = item.file.path.rpartition("/")[2]
    for name, found, wanted in item.settings:
        yield Drift("setting", f"{form}: {name}", shown(wanted), shown(found))


def _maps(change: Change, snapshot: Snapshot) -> Iterator[Drift]:
    if change.maps:
        edited = "edited by hand" if snapshot.get("map_sources") else "missing"
        found = "another set" if snapshot["maps"] else edited
        yield Drift("maps", MAPS, f"the set {map_set(change.maps)}", found)


def _key(key: Key, need: Need) -> Drift:
    """What apply has to do about a key, as what is the matter with it."""
    if need == "certificate":
        return Drift("certificate", f"the certificate of the {key.name} key", "the returned one", "missing or another")
    told = {
        "key": ("made on the host", "missing"),
        "mode": ("root's alone, mode 0600", "open to others than root"),
        "request": ("a request beside it", "without its certificate request"),
    }
    return Drift("key", f"the {key.name} key {key.path}", *told[need])


def _firewall(wall: Firewall, state: dict[str, Any]) -> Iterator[Drift]:
    if not state["boot"]:
        yield Drift("firewall-boot", wall.boot_path, "the rules for boot", "missing")
    elif state["boot"] != sha256(wall.ruleset):
        yield Drift("firewall-boot", wall.boot_path, "as `cjsm plan` shows it", "changed")
    if not state["live_is_boot"]:
        yield Drift("firewall-live", f"table {wall.table}", f"loaded as in {wall.boot_path}", _live(state))
    if not state["enabled"]:
        yield Drift("firewall-disabled", f"table {wall.table}", "loaded by nftables.service", "not loaded at boot")


def _live(state: dict[str, Any]) -> str:
    """What is the matter with the live rules: not there, or the lines that differ."""
    told = [line for line in state.get("live", "").splitlines() if not line.startswith(("---", "+++", "@@"))]
    rows = [f"{line[0]}{line[1:].strip()}" for line in told if line[:1] in ("+", "-")]
    if not rows or rows[0].startswith("-table "):
        return "not loaded"
    more = f" and {len(rows) - SHOWN_RULES} more lines" if len(rows) > SHOWN_RULES else ""
    return f"changed live ({'; '.join(rows[:SHOWN_RULES])}{more})"


def _service(service: Service, unit: dict[str, Any]) -> Iterator[Drift]:
    """One sentence a unit, with everything that is the matter."""
    if not any(service_actions(service, unit)):
        return
    at_boot = "masked" if service.masked else "enabled" if service.enabled else "disabled"
    wanted = f"{'active' if service.running else 'inactive'} and {at_boot}"
    active, enabled = unit["active"], unit["enabled"] or "not installed"
    wrong: list[tuple[Kind, str]] = []
    if service.enabled and enabled in MASKED:
        wrong.append(("service-masked", enabled))
    if service.running and active not in ("active", "reloading"):
        wrong.append(("service-stopped", active))
    if not service.running and active in ("active", "activating", "reloading", "failed"):
        wrong.append(("service-running", active))
    if service.enabled and enabled in ("disabled", "not installed"):
        wrong.append(("service-disabled", enabled))
    if (not service.enabled and enabled == "enabled") or (service.masked and enabled != "masked"):
        wrong.append(("service-enabled", enabled))
    if wrong:
        yield Drift(wrong[0][0], service.unit, wanted, " and ".join(text for _, text in wrong))
    else:
        newer = "running what its files say now"
        yield Drift("older-configuration", service.unit, newer, "running an older configuration")
