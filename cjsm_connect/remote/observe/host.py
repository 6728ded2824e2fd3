"""All topics of one host at once. A topic that breaks or hangs is an error of its own and leaves the others alone."""

from __future__ import annotations

import sys
import threading
import time
from typing import Any

PACKAGE = "cjsm_connect.remote.observe."


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """The facts of every topic: {topic: facts, or {"error": why}}.

    `arguments` has "topics" ({topic: its arguments}) and "seconds" (how long the slowest topic may take).
    """
    asked = arguments["topics"]
    answers: dict[str, Any] = {}
    come = threading.Semaphore(0)
    for topic in asked:
        # daemons: a topic that hangs must not keep the program from answering
        threading.Thread(target=_one, args=(topic, asked[topic], answers, come), daemon=True).start()
    late = {"error": "no answer within %d seconds" % arguments["seconds"]}
    _wait(come, len(asked), time.monotonic() + arguments["seconds"])
    return {topic: answers.get(topic, late) for topic in asked}


def _one(topic: str, arguments: dict[str, Any], answers: dict[str, Any], come: threading.Semaphore) -> None:
    try:
        answers[topic] = sys.modules[PACKAGE + topic].observe(arguments)
    except Exception as error:
        answers[topic] = {"error": "%s: %s" % (type(error).__name__, error)}
    come.release()


def _wait(come: threading.Semaphore, count: int, deadline: float) -> None:
    """Until so many have come, or it is too late."""
    for _ in range(count):
        if not come.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return
