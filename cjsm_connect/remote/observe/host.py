"""All topics of one host at once. A topic that breaks or hangs is an error of its own and leaves the others alone."""

from __future__ import annotations

import queue
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
    answers: queue.Queue[tuple[str, Any]] = queue.Queue()
    for topic in asked:
        # daemons: a topic that hangs must not keep the program from answering
        threading.Thread(target=_one, args=(topic, asked[topic], answers), daemon=True).start()
    late = {"error": "no answer within %d seconds" % arguments["seconds"]}
    facts = dict.fromkeys(asked, late)
    facts.update(_in_time(answers, len(asked), time.monotonic() + arguments["seconds"]))
    return facts


def _one(topic: str, arguments: dict[str, Any], answers: queue.Queue[tuple[str, Any]]) -> None:
    try:
        answers.put((topic, sys.modules[PACKAGE + topic].observe(arguments)))
    except Exception as error:
        answers.put((topic, {"error": "%s: %s" % (type(error).__name__, error)}))


def _in_time(answers: queue.Queue[tuple[str, Any]], count: int, deadline: float) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    while len(facts) < count:
        try:
            topic, found = answers.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            break
        facts[topic] = found
    return facts
