"""Making the live tries: which may be made at all, and all of them at once from where they belong."""

from __future__ import annotations

import re
import secrets
from collections import defaultdict
from collections.abc import Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import replace
from typing import Any

from cjsm_connect.organisation import Organisation
from cjsm_connect.organisation.routes import SELF_TEST_RECIPIENT
from cjsm_connect.probes.connections import Connections, Place, Unreachable, places
from cjsm_connect.probes.tries import Try
from cjsm_connect.remote import RemoteError
from cjsm_connect.remote.common import ON_THE_WAY
from cjsm_connect.results import Impact

SECONDS = 30  # for all tries of one place
READ_SECONDS = 10
CONTROLLER = "controller"

Outcome = dict[str, Any]
Outcomes = dict[str, Outcome]


def sort(
    tries: Iterable[Try], looks: Mapping[str, Mapping[str, Any]], forbidden: Mapping[Impact, str]
) -> tuple[list[Try], Outcomes]:
    """The tries to make, and what is recorded for the others. `forbidden` says why an impact may not be, or ""."""
    wanted: list[Try] = []
    refused: Outcomes = {}
    for one in tries:
        if why := one.lacking or forbidden[Impact(one.impact)] or _unsafe(one, looks):
            refused[one.id] = {"not_tried": why, **_where(one)}
        else:
            wanted.append(one)
    return wanted, refused


def put_off(tries: Iterable[Try], why: str) -> Outcomes:
    """What is recorded for tries that are not made now."""
    return {one.id: {"not_tried": why, **_where(one)} for one in tries}


def _unsafe(one: Try, looks: Mapping[str, Mapping[str, Any]]) -> str:
    """Content only goes where it is thrown away: a scanner that failed open must not let it out to the hub."""
    if not one.discards or looks.get(one.subject, {}).get("discards"):
        return ""
    return f"{one.subject} does not route {SELF_TEST_RECIPIENT} to discard, so no content was sent to it"


def asked(tries: Iterable[Try], at: str = "") -> list[dict[str, Any]]:
    """Tries as the programs on hosts understand them; of one place, if it is named."""
    return [
        {"id": one.id, "kind": one.kind, "arguments": dict(one.arguments)} for one in tries if one.at in (at or one.at)
    ]


def make(
    pool: Executor, connections: Connections, tries: Iterable[Try], looks: Mapping[str, Mapping[str, Any]]
) -> Outcomes:
    """Make all tries at once, then those that follow others. Those that are `around` were read with the look, and are
    read again when nothing more is sent."""
    wanted, token = list(tries), secrets.token_hex(8)  # by which the messages of this run are found again
    around, following = [one for one in wanted if one.around], [one for one in wanted if one.follows]
    found = _made(pool, connections, [one for one in wanted if not (one.around or one.follows)], token)
    after = {at: pool.submit(_read_again, connections, at, around) for at in {one.at for one in around}}
    found |= _made(pool, connections, [_in_haste(one, found) for one in following], token)
    return found | {one.id: _pair(one, _before(one, looks), after[one.at].result()[one.id]) for one in around}


def _in_haste(one: Try, found: Outcomes) -> Try:
    """The try, to look only once if its message stays where it is, or had its time while another waited for it."""
    outcomes = [found.get(other, {}) for other in one.follows]
    if any(_stays(outcome) or outcome.get("seconds", 0) >= ON_THE_WAY for outcome in outcomes):
        return replace(one, arguments={**one.arguments, "seconds": 0})
    return one


def _stays(outcome: Outcome) -> bool:
    """Was a message refused, or put off, and not sent on? A log without a word of it does not say so."""
    lines = "\n".join(outcome.get("log", ()))
    stopped = outcome.get("exit_code") or re.search(r" status=(?!sent)|milter-reject|: reject: ", lines)
    return bool(stopped) and " status=sent" not in lines


def _before(one: Try, looks: Mapping[str, Mapping[str, Any]]) -> Outcome:
    look = looks.get(one.at, {})
    if why := look.get("unreachable"):
        return {"error": f"{one.at} could not be read: {why}"}
    silence = {"error": f"{one.at} said nothing about it"}
    reading: Outcome = look.get("readings", {}).get(one.id, silence)
    return reading


def _read_again(connections: Connections, at: str, around: Iterable[Try]) -> Outcomes:
    group = asked(around, at)
    place = _place(connections.organisation, at)
    assert place  # only managed hosts are read
    try:
        found: Outcomes = connections.ask(place, ("look",), "look:readings", {"around": group}, READ_SECONDS)
    except (Unreachable, RemoteError) as error:
        return {one["id"]: {"error": f"{at} could not be read again: {error}"} for one in group}
    return found


def _made(pool: Executor, connections: Connections, tries: Iterable[Try], token: str) -> Outcomes:
    """What came of tries that are made at the same time, with one program at each place that they leave from."""
    groups: dict[str, list[Try]] = defaultdict(list)
    for one in tries:
        groups[one.at].append(one)
    running = [pool.submit(_try_at, connections, at, group, token) for at, group in groups.items()]
    return {identifier: outcome for future in running for identifier, outcome in future.result().items()}


def _pair(one: Try, first: Outcome, second: Outcome) -> Outcome:
    """Two readings as one outcome; without one of them there is none."""
    for outcome in (first, second):
        if outcome.keys() & {"error", "could_not_tell"}:
            return {**outcome, **_where(one)}
    return {"before": first, "after": second, **_where(one)}


def _where(one: Try) -> Outcome:
    """What kind of try it was, from where, on whom, and the address and port that it went to, if it went anywhere."""
    to = {"to": [str(one.arguments["address"]), one.arguments["port"]]} if "port" in one.arguments else {}
    return {"kind": one.kind, "at": one.at, "subject": one.subject, **to}


def _try_at(connections: Connections, at: str, group: list[Try], token: str) -> Outcomes:
    questions = asked(group)
    for question in questions:
        question["arguments"]["token"] = token
    outcomes = _outcomes(connections, at, questions)
    silence = {"error": f"the program at {at} said nothing about it"}
    return {one.id: {**outcomes.get(one.id, silence), "at": at, "subject": one.subject} for one in group}


def _outcomes(connections: Connections, at: str, questions: list[dict[str, Any]]) -> Outcomes:
    if at == CONTROLLER:
        from cjsm_connect.remote import tries  # when the others have begun

        return tries.run(questions, SECONDS)
    place = _place(connections.organisation, at)
    if place is None:
        why = f"the organisation file declares no vantage host {at!r}"
        return {one["id"]: {"not_tried": why} for one in questions}
    arguments = {"tries": questions, "seconds": SECONDS - 5}
    try:
        found: Outcomes = connections.ask(place, ("tries",), "tries:main", arguments, SECONDS)
    except (Unreachable, RemoteError) as error:
        return {one["id"]: {"error": f"{at} could not try it: {error}"} for one in questions}
    return found


def _place(organisation: Organisation, name: str) -> Place | None:
    return next((place for place in places(organisation) if place.name == name), None)
