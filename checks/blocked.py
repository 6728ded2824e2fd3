"""The judgement of connections that must be blocked: three facts of one session, never silence alone."""

from __future__ import annotations

from collections.abc import Sequence

from cjsm_connect.probes.seen import Seen
from cjsm_connect.probes.tries.firewall import Blocked, blocked
from cjsm_connect.results.judge import NotTested, Verdict

EXPECTED = "no answer, while permitted connections between the same hosts work and the drop counter rises"


def are_blocked(seen: Seen, verdict: Verdict, direction: str) -> None:
    """Every undeclared connection to ("in") or from ("out") the subject was dropped by the host that should drop it."""
    tried = [one for one in blocked(seen.organisation) if (one.subject, one.direction) == (seen.name, direction)]
    if not tried:
        verdict.not_tested("no host is declared from which, or to which, it could be tried")
    for one in tried:  # an answer is a failure, whatever else could not be told
        outcome = told(seen, one.id)
        verdict(outcome in ("no_answer", ""), expected=EXPECTED, observed=f"{route(one)}: {outcome}")
    for one in tried:
        seen.tried(one.id)
        if not any(told(seen, control.id) == "open" for control in one.controls):
            verdict.not_tested(f"{route(one)}: no answer, but no permitted connection between them worked either")
    for place in sorted({(one.dropper, one.counter) for one in tried}):
        counter_rose(seen, verdict, [one for one in tried if (one.dropper, one.counter) == place])
    verdict(True, expected=EXPECTED, observed=f"{len(tried)} connections, all dropped and counted")


def route(one: Blocked) -> str:
    """From where to where."""
    return f"{one.at} to {one.address} port {one.port}"


def told(seen: Seen, identifier: str) -> str:
    """What became of a TCP try: open, refused or no_answer; "" when it could not tell."""
    try:
        return str(seen.tried(identifier)["connection"])
    except NotTested:
        return ""


def counter_rose(seen: Seen, verdict: Verdict, dropped: Sequence[Blocked]) -> None:
    """By a packet for each try at least; else something else on the way dropped them, and not these rules."""
    dropper, counter = dropped[0].dropper, dropped[0].counter
    counted = seen.tried(f"firewall.counters:{dropper}")
    risen = counted["after"].get(counter, 0) - counted["before"].get(counter, 0)  # a missing counter has not risen
    observed = f"{counter} on {dropper} rose by {risen} in {len(dropped)} tries"
    verdict(risen >= len(dropped), expected=EXPECTED, observed=observed)
