"""Virtual environments of tools that are no part of the product: peers to measure beside, validators of our output."""

from __future__ import annotations

import fcntl
import subprocess
import sys
from pathlib import Path


def made(root: Path, name: str, lock: Path) -> Path:
    """The environment `name` below .venv, made from a hashed lock on first use and whenever the lock has changed."""
    folder = root / ".venv" / name
    stamp = folder / "lock"
    with Path(f"{folder}.lock").open("w") as only_one:
        fcntl.flock(only_one, fcntl.LOCK_EX)  # two test processes at once would take it from each other
        if not stamp.is_file() or stamp.read_text() != lock.read_text():
            _make(folder, lock)
            stamp.write_text(lock.read_text())
    return folder


def _make(folder: Path, lock: Path) -> None:
    """Install exactly what the lock names.

    It is whole, so nothing is resolved (--no-deps): pip 23, which a fresh Debian 12 has, takes `package[extra]>=1` of
    a dependency for a requirement of its own, and refuses it beside hashes. `pip check` says if the lock is not whole.
    """
    subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
    pip = [str(folder / "bin" / "pip"), "--quiet", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "install", "--require-hashes", "--no-deps", "-r", str(lock)], check=True)
    subprocess.run([*pip, "check"], check=True)
