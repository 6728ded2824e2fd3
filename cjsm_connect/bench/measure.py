"""Timing commands side by side: alternating, so that a busy moment of the machine hits all alike; medians."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

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
    return said(argv)[0]


def said(argv: Sequence[str]) -> tuple[float, str]:
    """Seconds that one command took, and what it said on standard error.

    Raises:
        CjsmError: it ended with an error.
    """
    seconds, done = _run(argv)
    return seconds, done.stderr


def answered(argv: Sequence[str]) -> tuple[float, Any]:
    """Seconds that one command took, and the JSON that it printed.

    Raises:
        CjsmError: it ended with an error.
    """
    seconds, done = _run(argv)
    return seconds, json.loads(done.stdout)


def _run(argv: Sequence[str]) -> tuple[float, subprocess.CompletedProcess[str]]:
    started = time.monotonic()
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if done.returncode:
        raise CjsmError(f"{' '.join(argv)} ended with {done.returncode}: {(done.stderr or done.stdout)[-500:]}")
    return time.monotonic() - started, done


@dataclass(frozen=True, slots=True)
class Weighed:
    """What a command took: seconds from process start to end, and the most memory of it and all that it started."""

    seconds: float
    mebibytes: int
    stdout: str


def weighed(argv: Sequence[str], expected: Sequence[int] = (0,)) -> Weighed:
    """Run a command once, and look at its processes' memory again and again: what they take together (proc(5),
    smaps_rollup: Pss), and the most that one of them has taken so far (status: VmHWM).

    Raises:
        CjsmError: it ended with another code than an expected one.
    """
    most = 0
    started = time.monotonic()
    with tempfile.TemporaryFile("w+") as out, subprocess.Popen(argv, stdout=out, stderr=subprocess.PIPE) as process:
        while process.poll() is None:
            family = _family(process.pid)
            most = max(most, sum(map(_memory, family)), *map(_peak, family))
            time.sleep(0.1 if time.monotonic() - started > 2 else 0.02)
        seconds = time.monotonic() - started
        assert process.stderr is not None
        if process.returncode not in expected:
            raise CjsmError(f"{' '.join(argv)} ended with {process.returncode}: {process.stderr.read()[-500:]!r}")
        out.seek(0)
        return Weighed(seconds, most // 1024, out.read())


def _family(pid: int) -> list[int]:
    """A process and all that came from it."""
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = " ".join((task / "children").read_text() for task in tasks).split()
    except OSError:
        return []
    return [pid, *(one for child in children for one in _family(int(child)))]


def _memory(pid: int) -> int:
    """Its share of memory in KiB."""
    return _kibibytes(pid, "smaps_rollup", "Pss:")


def _peak(pid: int) -> int:
    """The most that it has taken since it became the program that it is, in KiB."""
    return _kibibytes(pid, "status", "VmHWM:")


def _kibibytes(pid: int, file: str, field: str) -> int:
    """A field of a process's file in /proc; 0 when it has gone."""
    try:
        rows = Path(f"/proc/{pid}/{file}").read_text().splitlines()
    except OSError:
        return 0
    return next((int(row.split()[1]) for row in rows if row.startswith(field)), 0)


def machine() -> dict[str, object]:
    """What it was measured on."""
    return {"cores": os.cpu_count(), "system": platform.platform(), "python": platform.python_version()}
