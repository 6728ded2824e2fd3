"""bench scan: do ordinary large files pass the scanner with the limits that are configured, and how long does it take?

Asked of clamd on the lab's relay, each file as an attachment of a message. The lab has few signatures of
its own: the seconds are those of unpacking, not of comparing with the public databases; the verdicts are the same.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from email.message import EmailMessage
from statistics import median
from typing import Any

from cjsm_connect.bench import measure
from cjsm_connect.bench.ordinary import ORDINARY
from cjsm_connect.lab import Lab
from cjsm_connect.results import CjsmError

PLACE = "/root/cjsm-bench-scan.eml"
SCAN = ["clamdscan", "--fdpass", "--no-summary", PLACE]


@dataclass(frozen=True)
class Options:
    """What is measured, and how often."""

    lab: str = "lab"
    rounds: int = 3


def run(rooms: Any, options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Seconds and verdict of each file.

    Raises:
        CjsmError: one was refused: the limits are too small for ordinary mail.
    """
    lab = Lab(options.lab, say)
    figures: dict[str, float] = {}
    for name, made in ORDINARY.items():
        data = made()
        say(f"{name}, {len(data) / 1e6:.1f} MB")
        figures[f"{name}_mb"] = round(len(data) / 1e6, 1)
        figures[f"{name}_s"] = round(median(scanned(lab, name, data) for _ in range(options.rounds)), 2)
    return {
        "name": "scan",
        "machine": measure.machine(),
        "figures": figures,
        "ratios": {},
        "command": {"scan": " ".join(SCAN)},
    }


def scanned(lab: Lab, name: str, data: bytes) -> float:
    """Seconds until clamd called a message with this attachment clean.

    Raises:
        CjsmError: it did not.
    """
    (lab.root("relay") / PLACE.lstrip("/")).write_bytes(message(name, data).as_bytes())
    started = time.monotonic()
    said = lab.exec("relay", SCAN).stdout.strip()
    if not said.endswith(": OK"):
        raise CjsmError(f"expected that {name} is called clean, found: {said}")
    return time.monotonic() - started


def message(name: str, data: bytes) -> EmailMessage:
    """A message with one attachment."""
    made = EmailMessage()
    made["Subject"] = name
    made.set_content("With one file.")
    made.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return made
