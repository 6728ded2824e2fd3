"""Desired and Change -> the programs that look at, change, confirm and take back on a host. Pure."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from cjsm_connect import remote
from cjsm_connect.desired import Desired, Health, Service
from cjsm_connect.desired.change import Change, KeyChange
from cjsm_connect.desired.snapshot import COLLECT, COLLECTOR, awaited, map_set, questions, units, watched
from cjsm_connect.operations.ssh import Program

if TYPE_CHECKING:
    from cjsm_connect.organisation.flows import Flow

UNDOER = (*COLLECTOR, "generation", "undo")
INSTALLER = (*UNDOER, "reach", "keys", "validate", "rehearsal", "staging", "install")
ROLLER = (*INSTALLER, "rollback")
TRIES = ("handshake", "messages", "smtp", "suites", "health_mail", "milter", "health_scanner", "health_host", "health")
ACTIVATOR = (*UNDOER, *TRIES, "activate")


@dataclass(frozen=True, slots=True)
class Errand:
    """One apply: who it is, what its generations note, how long a change waits to be confirmed."""

    about: dict[str, Any]
    seconds: int = 90
    flows: tuple[Flow, ...] = ()

    @property
    def claim(self) -> dict[str, Any]:
        """What the lock on a host notes; the token tells one apply from another of the same person."""
        return {"token": self.about["apply"], "who": self.about["who"]}


def collect(desired: Desired) -> Program:
    """One snapshot of a host."""
    return Program(COLLECTOR, COLLECT, questions(desired), seconds=60)


def condition(desired: Desired) -> Program:
    """One snapshot, with the mail that waits and the days that certificates last."""
    return Program(
        (*COLLECTOR, "unknown_keys", "refusals", "condition"), "condition:collect", questions(desired), seconds=60
    )


def settle(desired: Desired, seconds: int) -> Program:
    """Wait until what was started has run once, some seconds at most; what has not is the answer."""
    arguments = {"seconds": seconds, "awaited": awaited(desired), "units": units(desired)}
    return Program((*COLLECTOR, "settle"), "settle:settle", arguments, seconds=seconds + 30)


def packages(change: Change, desired: Desired, errand: Errand) -> Program:
    """One apt transaction; its answer has a new snapshot."""
    arguments = {
        "packages": [item.name for item in change.packages],
        "answers": [[item.package, item.question, item.kind, item.value] for item in change.answers],
        "questions": questions(desired),
        "claim": errand.claim,
    }
    return Program((*COLLECTOR, "packages"), "packages:install", arguments, seconds=1800, changes=True)


def install(change: Change, desired: Desired, errand: Errand) -> Program:
    """One tree: directories, files, maps, keys and certificates, removals, firewall rules; it waits to be confirmed."""
    arguments = {
        "directories": [asdict(item) for item in change.directories],
        "files": [_file(item.file) for item in change.files],
        "absent": list(change.absent),
        "maps": [asdict(item) for item in change.maps],
        "map_set": map_set(change.maps),
        "keys": [_key(item) for item in change.keys],
        "firewalls": [asdict(item) for item in change.firewalls],
        "access": [item.service.unit for item in change.services if item.service.access],
        "wanted": wanted(desired),
    }
    return Program(INSTALLER, "install:install", arguments | way_back(errand), seconds=300, changes=True)


def way_back(errand: Errand) -> dict[str, Any]:
    """What a host must know to go back by itself, and who is at work."""
    undo = remote.program(UNDOER, "undo:put_back", {"why": "nobody confirmed it in time, or the host restarted"})
    about = {"about": errand.about, "claim": errand.claim, "undo": undo, "seconds": errand.seconds}
    return about | {"flows": flows(errand.flows)}


def wanted(desired: Desired) -> dict[str, Any]:
    """What a generation notes of the services, tries and rules that belong to it."""
    return {
        "services": [_service(item, desired) for item in desired.services],
        "health": [_health(item) for item in desired.health],
        "firewalls": [asdict(item) for item in desired.firewalls],
        "awaited": awaited(desired),
    }


def flows(needed: tuple[Flow, ...]) -> list[dict[str, Any]]:
    """The connections that can be tried without saying anything: TCP to single addresses."""
    ends = [(flow, end) for flow in needed if flow.protocol == "tcp" for end in flow.destinations]
    single = [(flow, end) for flow, end in ends if end.prefixlen == end.max_prefixlen]
    tries = [(flow.name, str(end.network_address), port) for flow, end in single for port in flow.ports]
    return [{"name": f"{name} to {to}:{port}", "address": to, "port": port} for name, to, port in tries]


def reach(errand: Errand) -> Program:
    """Try the connections again that worked before the change."""
    return Program((*UNDOER, "reach"), "reach:compared", {"flows": flows(errand.flows)}, seconds=30)


def activate(desired: Desired, errand: Errand, installed: bool) -> Program:
    """Services as wanted, then tries on the host; `installed`: keep the pending change, or go back if a try fails."""
    arguments = {"claim": errand.claim, "installed": installed, **wanted(desired)}
    return Program(ACTIVATOR, "activate:activate", arguments, seconds=600, changes=True)


def history() -> Program:
    """All generations of a host."""
    return Program(ROLLER, "rollback:look", {}, seconds=60)


def rollback_plan(to: int) -> Program:
    """What going back to a generation would bring back and leave."""
    return Program(ROLLER, "rollback:plan", {"to": to}, seconds=60)


def rollback(to: int, errand: Errand) -> Program:
    """Go back to a generation; like an install, it waits to be confirmed."""
    return Program(ROLLER, "rollback:back", {"to": to} | way_back(errand), seconds=300, changes=True)


def put_back(why: str) -> Program:
    """Take back what is pending, at once."""
    return Program(UNDOER, "undo:put_back", {"why": why}, seconds=300, changes=True)


def _key(item: KeyChange) -> dict[str, Any]:
    """A key; with its certificate only if that is to be installed, so that nothing else is written."""
    return asdict(item.key) | ({} if "certificate" in item.needs else {"certificate": None})


def _file(file: Any) -> dict[str, Any]:
    keys = ("path", "owner", "group", "mode", "secret", "returns")
    return {key: getattr(file, key) for key in keys} | {"text": file.content}


def _service(service: Service, desired: Desired) -> dict[str, Any]:
    return asdict(service) | {"watches": watched(service, desired)}


def _health(health: Health) -> dict[str, Any]:
    told = {"name": health.name, "probe": health.probe, "arguments": dict(health.arguments)}
    return told | {"waits_for": health.waits_for}
