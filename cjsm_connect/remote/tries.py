"""Live tries, all at once, each in a session of its own. Standard library of Python 3.9.

Postfix slows a client down after ten errors in one session, and one try must not change what the next one sees.
"""

from __future__ import annotations

import threading
import time
from typing import Any, Callable

from cjsm_connect.printable import SAID, shown
from cjsm_connect.remote import common, delivery, logins, names, scanning, smtp, smuggling, suites

SECONDS = 40  # for all of them together: two attempts of the slowest session


def tcp(arguments: dict[str, Any]) -> dict[str, Any]:
    """Is a port open? {"connection": "open" | "refused" | "no_answer"}, the last after three seconds."""
    try:
        state, connection = smtp.connect(arguments)
    except smtp.CouldNotTell as error:
        return {"could_not_tell": str(error)}
    if connection is not None:
        connection.close()
    return {"connection": state}


KINDS: dict[str, Callable[[dict[str, Any]], dict[str, Any]]] = {
    "tcp": tcp,
    "smtp": smtp.converse,
    "smuggle": smuggling.smuggle,
    "suites": suites.beyond,
    "submit": delivery.submit,
    "mailbox": delivery.mailbox,
    "log": delivery.log,
    "names": names.lookup,
    "ssh": logins.offered,
    "scan": scanning.scan,
}


def run(tries: list[dict[str, Any]], seconds: float = SECONDS) -> dict[str, dict[str, Any]]:
    """What came of each try ({"id", "kind", "arguments"}), by its id.

    The keys of an outcome depend on its kind, `seconds` that it took apart; `could_not_tell` says why it is neither a
    yes nor a no. A try that breaks, or does not end within `seconds`, is such a case and holds up no other.
    """
    outcomes: dict[str, dict[str, Any]] = {}
    waiting_first = sorted(tries, key=lambda each: each["kind"] != "tcp")  # three seconds, meanwhile the others work
    threads = [threading.Thread(target=_record, args=(each, outcomes), daemon=True) for each in waiting_first]
    deadline = time.monotonic() + seconds
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, deadline - time.monotonic()))
    unfinished = {"could_not_tell": "%s %g seconds" % (common.LATE, seconds)}
    return {each["id"]: outcomes.get(each["id"], unfinished) for each in tries}


def _record(each: dict[str, Any], outcomes: dict[str, dict[str, Any]]) -> None:
    begun = time.monotonic()
    try:
        outcome = KINDS[each["kind"]](each["arguments"])
        outcomes[each["id"]] = {**outcome, "seconds": round(time.monotonic() - begun, 2)}
    except Exception as error:  # a mistake of ours in one try is told there, and is no verdict
        outcomes[each["id"]] = {"could_not_tell": "%s: %s" % (type(error).__name__, shown(error, SAID))}


def main(arguments: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The entry of a stand-alone program: {"tries": [...], "seconds": for all of them}."""
    return run(arguments["tries"], arguments.get("seconds", SECONDS))
