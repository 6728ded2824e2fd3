"""Timing commands side by side: alternating, so that a busy moment of the machine hits all alike; medians."""

from __future__ import annotations

import os
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from statistics import median

from cjsm_connect.results import CjsmError


def alternating(commands: Mapping[str, Sequence[str]], rounds: int) -> dict[str, float]:
    """Run every command once a round, in turn; the median seconds of each from process start to end.

    Raises:
        CjsmError: one of them ended with an error: its time would say nothing.
    """
    seconds: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, argv in commands.items():
            seconds[name].append(timed(argv))
    return {name: round(median(taken), 3) for name, taken in seconds.items()}


def spread(argv: Sequence[str], rounds: int) -> dict[str, float]:
    """Median, least and most seconds of one command."""
    taken = sorted(timed(argv) for _ in range(rounds))
    return {"check_median": round(median(taken), 3), "check_min": round(taken[0], 3), "check_max": round(taken[-1], 3)}


def timed(argv: Sequence[str]) -> float:
    """Seconds that one command took."""
    started = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CjsmError(f"{' '.join(argv)} ended with {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    return time.monotonic() - started


def machine() -> dict[str, object]:
    """What it was measured on."""
    return {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
