"""What the scanner says to messages that it cannot look at whole, asked through its milter on the relay itself.

Standard library of Python 3.9. Nothing is delivered by it: a milter only ever answers.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cjsm_connect.remote import messages, milter

SECONDS = 30


def scan(arguments: dict[str, Any]) -> dict[str, Any]:
    """Arguments: milter, client, sender, recipient, and samples: {name: what messages.build packs}.

    Returns {name: what the milter said, as milter.asked has it}.
    """
    samples: dict[str, dict[str, Any]] = arguments["samples"]
    with ThreadPoolExecutor(max_workers=len(samples)) as pool:
        said = {name: pool.submit(_asked, arguments, what) for name, what in samples.items()}
        return {name: outcome.result() for name, outcome in said.items()}


def _asked(arguments: dict[str, Any], what: dict[str, Any]) -> dict[str, Any]:
    envelope = {name: arguments[name] for name in ("client", "sender", "recipient")}
    message = messages.build({**envelope, **what, "token": "scan", "mark": "whole"})
    return milter.asked(arguments["milter"], message, envelope, SECONDS)
