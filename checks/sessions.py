"""How checks read the outcomes of live SMTP tries (cjsm_connect/remote/smtp.py says what is in them). Pure.

A refusal counts only when the other side really said it, and only beside a session that was accepted: a relay that is
down refuses everybody, and proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import NotTested, Verdict

Outcome = Mapping[str, Any]


def answers(outcome: Outcome, command: str) -> list[int]:
    """The codes of all replies to a command, such as "RCPT"."""
    return [reply["code"] for reply in outcome["replies"] if reply["command"].split(" ")[0] == command]


def accepted(outcome: Outcome, command: str = "RCPT") -> bool:
    """Was the command sent, and each time answered with 2yz?"""
    codes = answers(outcome, command)
    return bool(codes) and all(200 <= code < 300 for code in codes)


def refused(outcome: Outcome, command: str = "RCPT") -> bool:
    """Was the command sent, and each time answered with 5yz? 4yz is no refusal: the sender comes again."""
    codes = answers(outcome, command)
    return bool(codes) and all(500 <= code < 600 for code in codes)


def relays_nothing(outcomes: Iterable[Outcome], verdict: Verdict, *, expected: str) -> None:
    """Each recipient is refused: with 5yz, or with 454 4.7.1, Postfix's word for what it does not relay.

    Debian's own smtpd_relay_restrictions ends with defer_unauth_destination (postconf(5)): not friendly, but no relay.

    Raises:
        NotTested: some were neither taken nor refused; the server was busy, or wants to see the sender again.
    """
    doubt = ""
    for outcome in outcomes:
        replies = [reply for reply in outcome["replies"] if reply["command"].split(" ")[0] == "RCPT"]
        taken = [reply for reply in replies if 200 <= reply["code"] < 300]
        verdict(not taken, expected=expected, observed=told({**outcome, "replies": taken or replies}))
        if not replies or not all(map(_not_relayed, replies)):
            doubt = f"neither taken nor refused for good: {told(outcome)}"
    if doubt:
        raise NotTested(doubt)


def _not_relayed(reply: Mapping[str, Any]) -> bool:
    return 500 <= reply["code"] < 600 or (reply["code"] == 454 and str(reply["text"]).startswith("4.7.1"))


def turned_away(outcome: Outcome) -> bool:
    """Did the other side end it: by a TLS alert, 5yz, hanging up, or 421 or 450 4.7.x, Postfix's and our word for a
    certificate?"""
    if (outcome.get("tls") or {}).get("error"):
        return True
    last = _spoken(outcome)[-1:]
    return any(reply["code"] == 0 or reply["code"] >= 500 or _security(reply) for reply in last)


def _security(reply: Mapping[str, Any]) -> bool:
    """421 or 450 with an enhanced code of X.7.X, security and policy (RFC 3463): not a busy server."""
    return bool(reply["code"] in (421, 450) and reply["text"].startswith("4.7."))


def _spoken(outcome: Outcome) -> list[Mapping[str, Any]]:
    return [reply for reply in outcome["replies"] if reply["command"] != "QUIT"]


def told(outcome: Outcome) -> str:
    """What the other side said last, for people."""
    error = (outcome.get("tls") or {}).get("error")
    if error:
        return f"TLS: {error}"
    spoken = _spoken(outcome)
    if not spoken:
        return f"connection {outcome.get('connection', 'unknown')}"
    return "{command}: {code} {text}".format(**spoken[-1])


def none_beyond(verdict: Verdict, outcome: Outcome) -> None:
    """Of all suites that were offered beside those that may be, none was taken."""
    taken, refused = outcome["accepted"], len(outcome["refused"])
    unasked = f"; {len(outcome['not_asked'])} could not be offered" if outcome["not_asked"] else ""
    observed = f"also taken: {', '.join(taken)}" if taken else f"{refused} others refused{unasked}"
    verdict(not taken and refused > 0, expected="only suites that are permitted", observed=observed)


def each(seen: Seen, identifiers: Iterable[str]) -> Iterator[Outcome]:
    """The outcomes in turn. One that could not tell is raised last, so that it hides no failure."""
    silent = None
    for identifier in identifiers:
        try:
            yield seen.tried(identifier)
        except NotTested as why:
            silent = why
    if silent is not None:
        raise silent


def control(seen: Seen, identifier: str, command: str = "RCPT") -> Outcome:
    """The outcome of a session that should be accepted, and was.

    Raises:
        NotTested: it was not, so that nothing beside it proves anything; another check says so of the session itself.
    """
    outcome = seen.tried(identifier)
    if not accepted(outcome, command):
        raise NotTested(f"the session that should be accepted was not ({told(outcome)}), so this proves nothing")
    return outcome


def refusal(seen: Seen, identifier: str, *, beside: str) -> Outcome:
    """The outcome of a try that should be refused, beside a session that was accepted."""
    control(seen, beside)
    return seen.tried(identifier)


def outside_is_online(seen: Seen) -> None:
    """What `outside` cannot reach proves something only if it can reach what is public.

    Raises:
        NotTested: it cannot, or there is nothing public to try.
    """
    public = [host.name for host in seen.organisation.hosts if host.internet_mail]
    if not public:
        raise NotTested("no host with internet_mail: nothing public by which to tell a closed port from a lost network")
    if seen.tried(f"public.own:{public[0]}")["reachable"] is not True:
        raise NotTested(f"outside does not reach port 25 of {public[0]} either, so a closed port proves nothing")
