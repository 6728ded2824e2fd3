"""Virtual environments of tools that are no part of the product: peers to measure beside, validators of our output."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path


def made(root: Path, name: str, lock: Path) -> Path:
    """The environment `name` below .venv, made from a hashed lock on first use and whenever the lock has changed."""
    folder = root / ".venv" / name
    stamp = folder / "lock"
    if not stamp.is_file() or stamp.read_text() != lock.read_text():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        pip = [str(folder / "bin" / "pip"), "--quiet", "--quiet", "--disable-pip-version-check", "install"]
        subprocess.run([*pip, "--require-hashes", "-r", str(lock)], check=True)
        stamp.write_text(lock.read_text())
    return folder
