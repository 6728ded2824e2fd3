"""Gather one observation: all hosts and all live tries at once, each host over one connection."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.routes import SELF_TEST_RECIPIENT
from cjsm_connect.probes import attempts, chains, example, recording
from cjsm_connect.probes.arguments import topics
from cjsm_connect.probes.connections import Connections, Unreachable, opened, places
from cjsm_connect.probes.lists import Lists
from cjsm_connect.probes.tries import Try, all_tries
from cjsm_connect.remote import RemoteError
from cjsm_connect.results import CjsmError, Impact

LOOK_SECONDS = 10
STARTING_SECONDS = 60  # in which a host that has just started comes up; a real scanner loads its signatures meanwhile
STARTING_EVERY = 1
OBSERVE_SECONDS = 25
HEAD_START = (
    0.3  # seconds; then the tries wait three for answers that must not come, and the hosts have time to be read
)
PERMISSION = "moj-permission-automated-mail"  # terms v10.2, clause 9

Talk = Callable[[str], None]


@dataclass(frozen=True)
class Options:
    """How far a look may go on a real estate; on the lab everything is tried."""

    hub: bool = False  # also handshakes with the hub
    send_test_to: str = ""  # also a message through the hub, to this address
    tries: bool = True  # without, the hosts are only read
    texts: bool = False  # also the configuration in effect, which nobody judges: for evidence, and for a recording
    hosts: tuple[str, ...] = ()  # only these; empty for all. A try needs the others too


def gather(organisation: Organisation, options: Options = Options(), say: Talk = lambda text: None) -> dict[str, Any]:
    """One observation of the whole estate as plain data; a host that cannot be asked is part of what was seen.

    Raises:
        CjsmError: it may not begin: no pinned host keys, or mail through the hub without MoJ's permission.
    """
    _refuse_unpermitted_mail(organisation, options)
    started = _now()
    everything = all_tries(_writing_to(organisation, options)) if options.tries else []
    hosts = [host for host in organisation.hosts if not options.hosts or host.name in options.hosts]
    workers = 3 * len(places(organisation)) + 3  # a look, tries and an observation of every host may overlap
    with opened(organisation) as connections, ThreadPoolExecutor(workers) as pool:
        say(f"looking at {', '.join(host.name for host in hosts)}")
        # a look decides what may be tried
        looks = {host.name: pool.submit(_look, connections, host, everything, say) for host in hosts if everything}
        for place in organisation.vantage if everything else ():
            pool.submit(connections.open, place)  # meanwhile
        found = {name: look.result() for name, look in looks.items()}
        laboratory = _laboratory(found.values())
        wanted, refused = attempts.sort(everything, found, _forbidden(options, laboratory))
        if young := next((look["starting"] for look in found.values() if look.get("starting")), ""):
            wanted, refused = [], refused | attempts.put_off(wanted, young)  # a try crosses several hosts
        say(f"trying {len(wanted)} connections, and reading the hosts")
        tries = pool.submit(attempts.make, pool, connections, wanted, found)
        time.sleep(HEAD_START if wanted else 0)
        observing = {
            host.name: pool.submit(_observe, connections, host, found.get(host.name, {}), options) for host in hosts
        }
        lists = Lists()
        listed = pool.submit(_ask_ahead, organisation, observing, lists) if options.tries else None
        outcomes = tries.result()
        facts = {name: future.result() for name, future in observing.items()}
        if listed:
            listed.result()
            outcomes |= chains.outcomes(organisation, facts, refused | outcomes, lists)
    if not everything:
        laboratory = _laboratory(entry["facts"].get("system", {}) for entry in facts.values())
    return {
        "version": recording.VERSION,
        "started": started,
        "ended": _now(),
        "organisation": organisation.slug,
        "lab": laboratory,
        "unmade": [] if laboratory else example.unmade(organisation.folder),
        "hosts": facts,
        "tries": {**refused, **outcomes},
        "notes": [],
    }


def _ask_ahead(organisation: Organisation, observing: Mapping[str, Future[dict[str, Any]]], lists: Lists) -> None:
    """As soon as the hosts have told which certificates they present, while the tries go on."""
    chains.ask_ahead(organisation, {name: future.result() for name, future in observing.items()}, lists)


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


def _look(connections: Connections, host: Host, everything: Iterable[Try], say: Talk) -> dict[str, Any]:
    """The first look at a host. One that has just started is waited for: nobody is accused of being young.

    `starting`: a sentence if it is still on its way up after that; then it is not judged.
    """
    end, look = time.monotonic() + STARTING_SECONDS, _looked(connections, host, everything)
    if _starting(look):
        say(f"{host.name} has just started: waiting until it has started everything")
    while _starting(look) and time.monotonic() < end:
        time.sleep(STARTING_EVERY)
        look = _looked(connections, host, everything)
    return (
        look | {"starting": f"{host.name} is still starting: first look at {_in_a_minute()}"}
        if _starting(look)
        else look
    )


def _starting(look: Mapping[str, Any]) -> bool:
    """By its own word; or by that of pam_nologin(8), which lets nobody but root in meanwhile."""
    return bool(look.get("starting")) or "pam_nologin" in look.get("unreachable", "")


def _in_a_minute() -> str:
    return f"{datetime.now(UTC) + timedelta(minutes=2):%H:%M} UTC"  # a minute, rounded up


def _looked(connections: Connections, host: Host, everything: Iterable[Try]) -> dict[str, Any]:
    """What is read at a host before anything is tried."""
    around = attempts.asked((one for one in everything if one.around), host.name)
    try:
        arguments = {"recipient": SELF_TEST_RECIPIENT, "around": around}
        look: dict[str, Any] = connections.ask(host, ("look",), "look:look", arguments, LOOK_SECONDS)
    except (Unreachable, RemoteError) as error:
        return {"unreachable": str(error)}
    return look


def _laboratory(looks: Iterable[Mapping[str, Any]]) -> str:
    """The lab's name if every managed host carries its marker; a single host without it makes a real estate."""
    markers = {look.get("marker", "") for look in looks}
    return str(markers.pop()) if len(markers) == 1 else ""


def _forbidden(options: Options, laboratory: str) -> dict[Impact, str]:
    """For each impact the reason why it may not be tried, or "" (DESIGN decision 3)."""
    hub = "a handshake with the hub is only made with --hub"
    mail = "a message through the hub is only sent with --send-test-to ADDRESS"
    return {
        Impact.PASSIVE: "",
        Impact.LOCAL_ACTIVE: "",
        Impact.HUB_HANDSHAKE: "" if laboratory or options.hub else hub,
        Impact.HUB_MAIL: "" if laboratory or options.send_test_to else mail,
    }


def _observe(connections: Connections, host: Host, look: Mapping[str, Any], options: Options) -> dict[str, Any]:
    """The facts of one host; asked only if a first look at it, where there was one, came through."""
    if look.get("starting"):
        return {"facts": {}, "starting": look["starting"]}
    if "unreachable" in look:
        return {"facts": {}, "unreachable": look["unreachable"]}
    wanted = topics(connections.organisation, host)
    if not options.texts:
        del wanted["configuration"]
    names = tuple(f"observe.{topic}" for topic in wanted)
    arguments = {"topics": wanted, "seconds": OBSERVE_SECONDS - 5}
    asked = time.time()
    try:
        facts = connections.ask(host, (*names, "observe.host"), "observe.host:observe", arguments, OBSERVE_SECONDS)
    except (Unreachable, RemoteError) as error:
        return {"facts": {}, "unreachable": str(error)}
    return {"facts": facts, "asked": asked, "answered": time.time()}
