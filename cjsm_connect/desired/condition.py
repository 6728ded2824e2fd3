"""What the condition of a host asks for: mail that waits too long, certificates that end soon, a change not yet
confirmed. Pure."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any

from cjsm_connect.desired import Desired
from cjsm_connect.desired.certificate import WHOSE
from cjsm_connect.desired.snapshot import Snapshot
from cjsm_connect.organisation import Organisation
from cjsm_connect.organisation.renewal import WHAT_TO_DO, renewed, undeclared


def queue(snapshot: Snapshot) -> dict[str, Any] | None:
    """Messages in each of Postfix's queues, and how long the oldest has waited; None without Postfix."""
    found = snapshot.get("condition", {}).get("queue")
    return dict(found) if found else None


def certificates(desired: Desired, snapshot: Snapshot) -> list[dict[str, Any]]:
    """Each key's name and its certificate's days left; None while it is awaited."""
    found = snapshot.get("condition", {}).get("certificates", {})
    return [{"name": key.name, "days": found.get(key.chain_path)} for key in desired.keys]


def attention(organisation: Organisation, desired: Desired, snapshot: Snapshot) -> Iterator[str]:
    """Sentences for what is beyond the organisation's own thresholds."""
    if snapshot.get("pending"):
        yield "a change waits to be confirmed; if nobody does, the host goes back by itself. Look again in two minutes"
    unknown = undeclared(organisation, snapshot.get("condition", {}).get("unknown_keys", ()))
    yield from (f"the hub's mail waits: {renewed(row)}" for row in unknown)
    if unknown:
        yield WHAT_TO_DO
    yield from failed_units(snapshot)
    yield from _signatures(snapshot)
    yield from _mail_waits(organisation, queue(snapshot) or {})
    for row in certificates(desired, snapshot):
        yield from _ends(organisation, row["name"], row["days"])


def failed_units(snapshot: Snapshot) -> Iterator[str]:
    """Units that have failed, ours or not."""
    for unit in snapshot.get("failed", ()):
        yield f"{unit} has failed. Look why: systemctl status {unit} on that host"


def _signatures(snapshot: Snapshot) -> Iterator[str]:
    """What stands in the way of new virus signatures (remote/freshclam.py)."""
    if found := snapshot.get("condition", {}).get("signatures"):
        until = f"; on cool-down until {moment(found['until'])}" if found["until"] else ""
        yield (
            f"virus signatures are not renewed since {moment(found['since'])}: {found['told']}{until}. "
            "Look why: less /var/log/clamav/freshclam.log on that host"
        )


def moment(seconds: float) -> str:
    """A time as it is told."""
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds))


def counted(number: int, one: str, several: str = "") -> str:
    """A number with its word: 1 message, 2 messages."""
    return f"{number} {one if number == 1 else several or one + 's'}"


def _mail_waits(organisation: Organisation, found: dict[str, Any]) -> Iterator[str]:
    limit = organisation.policy.queue_minutes
    minutes = (found.get("oldest_seconds") or 0) // 60
    if minutes > limit.value:
        number = sum(found[name] for name in found if name != "oldest_seconds")
        yield (
            f"{counted(number, 'message waits', 'messages wait')}, the oldest for {counted(minutes, 'minute')}; "
            f"expected at most {limit.value} "
            "(queue_minutes). Look why: postqueue -p on that host"
        )


def _ends(organisation: Organisation, name: str, days: int | None) -> Iterator[str]:
    limit = organisation.policy.certificate_warning_days
    if days is not None and days < 0:
        yield f"the certificate of the {name} key has expired: no mail passes. Ask {WHOSE[name]} for a new one"
    elif days is not None and days < limit.value:
        yield (
            f"the certificate of the {name} key ends in {counted(days, 'day')}; expected at least {limit.value} "
            f"(certificate_warning_days). Ask {WHOSE[name]} for a new one"
        )


def said(desired: Desired, snapshot: Snapshot) -> Iterator[str]:
    """The condition in words, whatever it is."""
    found = queue(snapshot)
    if found:
        minutes = (found["oldest_seconds"] or 0) // 60
        age = f", the oldest for {counted(minutes, 'minute')}" if found["oldest_seconds"] else ""
        under_way = sum(found[name] for name in ("maildrop", "incoming", "active"))
        yield f"{counted(found['deferred'], 'message')} deferred, {under_way} under way{age}"
    for row in certificates(desired, snapshot):
        if row["days"] is not None:
            yield f"the certificate of the {row['name']} key lasts {counted(row['days'], 'day')}"
    if refused := snapshot.get("condition", {}).get("refused"):
        yield f"in the last day the scanner refused {_refused(refused)}"


WHOLE = {
    "malware": "as malware",
    "limits": "over a limit of size, depth, number or time",
    "encrypted": "as encrypted",
    "unopened": "in a format that it cannot open",
}


def _refused(found: dict[str, Any]) -> str:
    """Malware, and what could not be looked at whole, each apart."""
    kinds = ", ".join(f"{found[kind]} {words}" for kind, words in WHOLE.items() if found[kind])
    names = ", ".join(f"{name} {number}" for name, number in found["names"].items())
    return f"{kinds} ({names})" if kinds else "nothing"
