"""What freshclam's log says of the last look for virus signatures: done, or what stood in the way. freshclam(1).

Blocked by the mirror (403, 429: freshclam then asks no more for hours), missing there, not reached, rubbish, and a run
without an end are told apart: each asks for something else. Standard library of Python 3.9.
"""

from __future__ import annotations

import re
import time
from typing import Any

from cjsm_connect.remote.common import read

LOGS = ("/var/log/clamav/freshclam.log.1", "/var/log/clamav/freshclam.log")
LOG_DATE = "%a %b %d %H:%M:%S %Y"
COOL_DOWN_DATE = "%Y-%m-%d %H:%M:%S"
STARTED = "update process started at "
LONGEST_RUN = 900  # seconds: what has begun so lately may still end well
DONE = re.compile(r"up-to-date|up to date| updated \(")
URL = r"(https?://[^\s'\"]+)"
ASKED = re.compile(r"(?:CVD header from|from|custom database URL:|file not found:|Trying to download) " + URL)
SECONDS = 8
BLOCKED = (403, 429)
TOLD = {
    "blocked": "blocked by the mirror",
    "missing": "not on the mirror",
    "unreachable": "the mirror was not reached",
    "rubbish": "the mirror sent what is no signature database",
    "refused": "the mirror answered with an error",
    "failed": "the update failed",
    "unfinished": "the update did not end",
}


def seconds(date: str, form: str = LOG_DATE) -> float:
    """A date as C's ctime prints it, or in another form, in seconds since 1970; 0 when it is none."""
    try:
        return time.mktime(time.strptime(date.strip(), form))
    except ValueError:
        return 0


def log() -> str:
    """The log, with what was rotated last."""
    return "".join(map(read, LOGS))


def updates(text: str, now: float = 0) -> dict[str, Any]:
    """When freshclam last looked, when that last succeeded, and `trouble`: {} or what stood in the way the last time.

    `trouble`: kind (of TOLD), told (a sentence), url, until (freshclam does not ask before; 0: it does), since (when
    the first of the failed runs in a row was).
    """
    runs = [run_of(one) for one in text.split(STARTED)[1:]]
    if len(runs) > 1 and runs[-1]["kind"] == "unfinished" and (now or time.time()) - runs[-1]["at"] < LONGEST_RUN:
        runs.pop()  # it is under way
    succeeded = [run["at"] for run in runs if not run["kind"]]
    failed: list[dict[str, Any]] = []
    for run in reversed(runs):
        if not run["kind"]:
            break
        failed.append(run)
    return {
        "last": runs[-1]["at"] if runs else 0,
        "last_success": succeeded[-1] if succeeded else 0,
        "errors": runs[-1]["errors"] if runs else [],
        "trouble": trouble(failed) if failed else {},
    }


def run_of(text: str) -> dict[str, Any]:
    """One run; it begins with its date. Without a word of success for anything it has not succeeded."""
    first, _, rest = text.partition("\n")
    errors = [line.partition("ERROR: ")[2][:200] for line in rest.splitlines() if "ERROR: " in line]
    until = re.findall(r"cool-down until after: (\S+ \S+)", rest)
    found = {"at": seconds(first), "errors": errors[:3], "until": seconds(until[-1], COOL_DOWN_DATE) if until else 0}
    return {**found, **kind_of(rest, bool(errors))}


def kind_of(text: str, failed: bool) -> dict[str, Any]:
    """What stood in the way, and of which address; kind "" when nothing did."""
    told, text = text, re.sub(URL, "", text)  # a mirror's name and path say nothing of what happened
    blocked = re.search(r"error code (?:429 or 403|403|429)|cool-down", text)
    if not failed and not blocked:
        return {"kind": "" if DONE.search(text) else "unfinished", "url": "", "word": ""}
    code = re.search(r"received error code (\d+(?: or \d+)?)", text)
    answered = re.search(r"Unexpected response \((\d+)\)", text)
    message = re.search(r"Message: (.*)", text)
    rubbish = re.search(r"Malformed[^:\n]*|Test failed|[Vv]erification[^:\n]*|[Bb]roken[^:\n]*|[Ii]nvalid[^:\n]*", text)
    kinds = (
        ("blocked", blocked, "HTTP %s" % code.group(1) if code else ""),
        ("missing", re.search("file not found: ", text), "HTTP 404"),
        ("refused", answered, "HTTP %s" % answered.group(1) if answered else ""),
        ("unreachable", message or "Connection failed" in text, message.group(1) if message else ""),
        ("rubbish", rubbish, rubbish.group(0) if rubbish else ""),
        ("failed", True, ""),
    )
    kind, word = next((name, word) for name, found, word in kinds if found)
    return {"kind": kind, "url": address(told, kind), "word": word[:120]}


def address(text: str, kind: str) -> str:
    """The address that the trouble was with: the last that was named, and of what is missing the one that is."""
    found = re.findall("file not found: " + URL, text) if kind == "missing" else ASKED.findall(text)
    return str(found[-1]).rstrip(".") if found else ""


def trouble(failed: list[dict[str, Any]]) -> dict[str, Any]:
    """The last run's, since the first in the row; `failed` has the last first."""
    last = asked_again(failed[0])
    words = " (%s)" % last["word"] if last["word"] else ""
    place = " %s" % last["url"] if last["url"] else ""
    return {
        "kind": last["kind"],
        "url": last["url"],
        "until": last["until"],
        "since": failed[-1]["at"],
        "told": "%s%s%s" % (TOLD[last["kind"]], place, words),
    }


def asked_again(run: dict[str, Any]) -> dict[str, Any]:
    """freshclam reads the beginning of a database and takes the page of a refusal for a malformed one: a declared
    mirror is asked once, whether it refuses. ClamAV's own servers are not: who is blocked there shall not ask again."""
    from urllib.parse import urlsplit  # here as below: a host that is well need not pay for it

    place = urlsplit(run["url"])
    if run["kind"] != "rubbish" or not place.hostname or place.hostname.endswith(".clamav.net"):
        return run
    status, after = answer(run["url"])
    if status in BLOCKED:
        return {**run, "kind": "blocked", "word": "HTTP %d" % status, "until": time.time() + after if after else 0}
    return {**run, "kind": "refused", "word": "HTTP %d" % status} if status >= 400 else run


def answer(url: str) -> tuple[int, int]:
    """A web server's status for an address, and the seconds of its Retry-After; (0, 0) when it does not answer."""
    import http.client
    from urllib.parse import urlsplit

    place = urlsplit(url)
    kind = http.client.HTTPSConnection if place.scheme == "https" else http.client.HTTPConnection
    try:
        connection = kind(place.hostname or "", place.port, timeout=SECONDS)
        connection.request("HEAD", place.path or "/", headers={"User-Agent": "cjsm-connect"})
        response = connection.getresponse()
    except (OSError, http.client.HTTPException, ValueError):
        return 0, 0
    after = response.getheader("Retry-After", "")
    return response.status, min(int(after), 7 * 86400) if after.isdigit() else 0
