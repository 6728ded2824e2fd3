"""A control group of its own for each host: two containers in one group would stop each other's services.

`--keep-unit` makes systemd-nspawn use the group it is started in, and PID 1 of the machine need not be systemd, which
would otherwise make one. Both layouts are served: the unified one, and the older one beside it (cgroups(7)).
"""

from __future__ import annotations

import errno
from functools import partial
from pathlib import Path

from cjsm_connect.lab.machine import kill, wait_until
from cjsm_connect.results import CjsmError

# joins the groups named by its first argument, then becomes the command in the others
JOIN = 'for group in $1; do echo $$ > "$group/cgroup.procs" || exit 1; done; shift; exec "$@"'


def joining(name: str, argv: list[str]) -> list[str]:
    """The command that runs `argv` in new groups of this name."""
    groups = [hierarchy / name for hierarchy in _hierarchies()]
    for group in groups:
        group.mkdir(exist_ok=True)
    return ["sh", "-c", JOIN, "cgroup", " ".join(str(group) for group in groups), *argv]


def supervisors(name: str) -> list[int]:
    """The processes that were started in a host's groups and are not inside the container. systemd-nspawn moves itself
    to a group `supervisor` and the container to `payload`."""
    group = _hierarchies()[0] / name
    members = [path / "cgroup.procs" for path in (group, group / "supervisor")]
    return [int(pid) for path in members if path.exists() for pid in path.read_text().split()]


def remove(name: str) -> None:
    """End every process of a host and remove its groups. A container whose supervisor was killed while it started
    is found only here."""
    for hierarchy in _hierarchies():
        group = hierarchy / name
        if group.exists() and not wait_until(partial(_removed, group), 5):
            raise CjsmError(f"processes in the control group {group} cannot be ended; see {group}/cgroup.procs.")


def _removed(group: Path) -> bool:
    """Kill what is in a group and below, then remove them, the deepest first; False while one is still in use."""
    below = sorted((path for path in group.rglob("*") if path.is_dir()), key=lambda path: -len(path.parts))
    try:
        for path in [*below, group]:
            _kill_members(path)
            path.rmdir()
    except OSError as error:
        if error.errno != errno.EBUSY:
            raise
        return False
    return True


def _kill_members(group: Path) -> None:
    for pid in (group / "cgroup.procs").read_text().split():
        kill(int(pid))


def _hierarchies() -> list[Path]:
    """Where the hierarchies that systemd works with are mounted (proc_pid_mountinfo(5))."""
    rows = [line.split(" - ") for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return [Path(row.split()[4]) for row, tail in rows if _is_systemds(*tail.split()[0::2])]


def _is_systemds(kind: str, options: str) -> bool:
    return kind == "cgroup2" or (kind == "cgroup" and "name=systemd" in options.split(","))
