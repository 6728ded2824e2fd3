"""What a lab could leave behind, looked for without the lab's own code."""

from __future__ import annotations

import subprocess
from pathlib import Path


def of_lab(name: str) -> list[str]:
    """Every mount, namespace, control group, folder and living process that carries the lab's name."""
    return [*_mounts(name), *_files(name), *_processes(name)]


def _mounts(name: str) -> list[str]:
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if f"/run/cjsm/{name}" in line]


def _files(name: str) -> list[str]:
    folders = [Path("/run/netns"), Path("/sys/fs/cgroup"), Path("/sys/fs/cgroup/systemd")]
    found = [str(path) for folder in folders for path in folder.glob(f"cjsm-{name}-*")]
    return found + [str(path) for path in Path("/run/cjsm").glob(f"{name}*")]


def _processes(name: str) -> list[str]:
    """ps(1) prints no arguments of a process that has ended and only waits for its parent."""
    rows = subprocess.run(["ps", "-eo", "stat=,args="], capture_output=True, text=True, check=True).stdout
    return [row for row in rows.splitlines() if f"--machine=cjsm-{name}-" in row and not row.startswith("Z")]
