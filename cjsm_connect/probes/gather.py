"""Gather one observation: all hosts and all live tries at once, each host over one connection."""

from __future__ import annotations

import secrets
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.routes import SELF_TEST_RECIPIENT
from cjsm_connect.probes import recording
from cjsm_connect.probes.arguments import topics
from cjsm_connect.probes.connections import Connections, Place, Unreachable, opened, places
from cjsm_connect.probes.tries import Try, all_tries
from cjsm_connect.remote import RemoteError
from cjsm_connect.remote import tries as remote_tries
from cjsm_connect.results import CjsmError, Impact

LOOK_SECONDS = 10
OBSERVE_SECONDS = 25
TRY_SECONDS = 30
PERMISSION = "moj-permission-automated-mail"  # terms v10.2, clause 9

Talk = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How far a look may go on a real estate; on the lab everything is tried."""

    hub: bool = False  # also handshakes with the hub
    send_test_to: str = ""  # also a message through the hub, to this address


def gather(organisation: Organisation, options: Options = Options(), say: Talk = lambda text: None) -> dict[str, Any]:
    """One observation of the whole estate as plain data; a host that cannot be asked is part of what was seen.

    Raises:
        CjsmError: it may not begin: no pinned host keys, or mail through the hub without MoJ's permission.
    """
    _refuse_unpermitted_mail(organisation, options)
    started = _now()
    with opened(organisation) as connections, ThreadPoolExecutor(max_workers=32) as pool:
        say(f"looking at {', '.join(host.name for host in organisation.hosts)}")
        looks = {host.name: pool.submit(_look, connections, host) for host in organisation.hosts}
        found = {name: look.result() for name, look in looks.items()}
        laboratory = _laboratory(found.values())
        wanted, refused = _sort(all_tries(_writing_to(organisation, options)), found, _allowed(options, laboratory))
        say(f"trying {len(wanted)} connections, and reading the hosts")
        tries = _start_tries(pool, connections, wanted)
        hosts = {host.name: pool.submit(_observe, connections, host, found[host.name]) for host in organisation.hosts}
        outcomes = {identifier: outcome for future in tries for identifier, outcome in future.result().items()}
        facts = {name: future.result() for name, future in hosts.items()}
    return {
        "version": recording.VERSION,
        "started": started,
        "ended": _now(),
        "organisation": organisation.slug,
        "lab": laboratory,
        "hosts": facts,
        "tries": {**refused, **outcomes},
        "notes": [],
    }


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")


def _refuse_unpermitted_mail(organisation: Organisation, options: Options) -> None:
    if options.send_test_to and organisation.declaration(PERMISSION) is None:
        raise CjsmError(
            "--send-test-to: clause 9 of the terms forbids automated mail through CJSM without the Ministry of "
            f"Justice's permission. Once you have it, add a [[declarations]] entry with id = {PERMISSION!r}"
        )


def _writing_to(organisation: Organisation, options: Options) -> Organisation:
    """The organisation, its test message addressed as the person wished."""
    if not options.send_test_to:
        return organisation
    tests = organisation.tests.model_copy(update={"external": options.send_test_to})
    return organisation.model_copy(update={"tests": tests})


def _look(connections: Connections, host: Host) -> dict[str, Any]:
    try:
        arguments = {"recipient": SELF_TEST_RECIPIENT}
        look: dict[str, Any] = connections.ask(host, ("look",), "look:look", arguments, LOOK_SECONDS)
    except (Unreachable, RemoteError) as error:
        return {"unreachable": str(error)}
    return look


def _laboratory(looks: Iterable[Mapping[str, Any]]) -> str:
    """The lab's name if every managed host carries its marker; a single host without it makes a real estate."""
    markers = {look.get("marker", "") for look in looks}
    return str(markers.pop()) if len(markers) == 1 else ""


def _allowed(options: Options, laboratory: str) -> dict[Impact, str]:
    """For each impact "" when it may be tried, else the reason why not (DESIGN decision 3)."""
    hub = "a handshake with the hub is only made with --hub"
    mail = "a message through the hub is only sent with --send-test-to ADDRESS"
    return {
        Impact.PASSIVE: "",
        Impact.LOCAL_ACTIVE: "",
        Impact.HUB_HANDSHAKE: "" if laboratory or options.hub else hub,
        Impact.HUB_MAIL: "" if laboratory or options.send_test_to else mail,
    }


def _sort(
    tries: Iterable[Try], looks: Mapping[str, Mapping[str, Any]], allowed: Mapping[Impact, str]
) -> tuple[list[Try], dict[str, dict[str, Any]]]:
    """The tries to make, and what is recorded for the others."""
    wanted, refused = [], {}
    for one in tries:
        why = allowed[Impact(one.impact)] or _unsafe(one, looks)
        if why:
            refused[one.id] = {"not_tried": why, "at": one.at, "subject": one.subject}
        else:
            wanted.append(one)
    return wanted, refused


def _unsafe(one: Try, looks: Mapping[str, Mapping[str, Any]]) -> str:
    """Content only goes where it is thrown away: a scanner that failed open must not let it out to the hub."""
    if not one.discards or looks.get(one.subject, {}).get("discards"):
        return ""
    return f"{one.subject} does not route {SELF_TEST_RECIPIENT} to discard, so no content was sent to it"


def _start_tries(
    pool: ThreadPoolExecutor, connections: Connections, wanted: Iterable[Try]
) -> list[Future[dict[str, dict[str, Any]]]]:
    groups: dict[str, list[Try]] = defaultdict(list)
    for one in wanted:
        groups[one.at].append(one)
    token = secrets.token_hex(8)  # by which the messages of this run are found again
    return [pool.submit(_try_at, connections, at, group, token) for at, group in groups.items()]


def _try_at(connections: Connections, at: str, group: list[Try], token: str) -> dict[str, dict[str, Any]]:
    asked = [{"id": one.id, "kind": one.kind, "arguments": {**one.arguments, "token": token}} for one in group]
    outcomes = _outcomes(connections, at, asked)
    silence = {"error": f"the program at {at} said nothing about it"}
    return {one.id: {**outcomes.get(one.id, silence), "at": at, "subject": one.subject} for one in group}


def _outcomes(connections: Connections, at: str, asked: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    if at == "controller":
        return remote_tries.run(asked)
    place = _place(connections.organisation, at)
    if place is None:
        why = f"the organisation file declares no vantage host {at!r}"
        return {one["id"]: {"not_tried": why} for one in asked}
    try:
        arguments = {"tries": asked, "seconds": TRY_SECONDS - 5}
        found: dict[str, dict[str, Any]] = connections.ask(place, ("tries",), "tries:main", arguments, TRY_SECONDS)
    except (Unreachable, RemoteError) as error:
        return {one["id"]: {"error": f"{at} could not try it: {error}"} for one in asked}
    return found


def _place(organisation: Organisation, name: str) -> Place | None:
    return next((place for place in places(organisation) if place.name == name), None)


def _observe(connections: Connections, host: Host, look: Mapping[str, Any]) -> dict[str, Any]:
    """The facts of one host; asked only if the first look came through."""
    if "unreachable" in look:
        return {"facts": {}, "unreachable": look["unreachable"]}
    wanted = topics(connections.organisation, host)
    names = tuple(f"observe.{topic}" for topic in wanted)
    arguments = {"topics": wanted, "seconds": OBSERVE_SECONDS - 5}
    asked = time.time()
    try:
        facts = connections.ask(host, (*names, "observe.host"), "observe.host:observe", arguments, OBSERVE_SECONDS)
    except (Unreachable, RemoteError) as error:
        return {"facts": {}, "unreachable": str(error)}
    return {"facts": facts, "asked": asked, "answered": time.time()}
