"""Into the lab, once: the whole process goes to the administrator's namespace before anything opens a connection."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from cjsm_connect.lab.topology import CONTROLLER, checked_name, namespace
from cjsm_connect.results import CjsmError

NETNS = Path("/run/netns")
LABS = Path("/run/cjsm")
DEFAULT = "lab"
INSIDE = "CJSM_IN_LAB"  # set to the lab's name in a process that is already inside
CLONE_NEWNET = 0x40000000  # linux/sched.h
CLONE = Path(__file__).resolve().parents[2]


def is_up(name: str) -> bool:
    """Does the lab of this name exist? Its controller's namespace is made first and removed last."""
    return controller(name).exists()


def controller(name: str) -> Path:
    """The administrator's network namespace, from which the lab's hosts are reached."""
    return NETNS / namespace(name, CONTROLLER)


def enter(name: str = DEFAULT) -> None:
    """Take this process, and what it starts, into the lab's network (setns(2)); inside already, do nothing.

    Called at the process edge: threads that run already would stay outside. Only the network changes: mounts stay
    those of the machine, which `ip netns exec` would hide.
    """
    if os.environ.get(INSIDE) == name:
        return
    _may_enter(name)
    with controller(name).open() as network:
        _join(network.fileno())
    os.environ[INSIDE] = name


def _join(network: int) -> None:
    """setns(2); Python has it from 3.12."""
    if hasattr(os, "setns"):
        os.setns(network, CLONE_NEWNET)
        return
    import ctypes

    library = ctypes.CDLL(None, use_errno=True)
    if library.setns(network, CLONE_NEWNET):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def _may_enter(name: str) -> None:
    if os.geteuid() != 0:
        raise CjsmError("entering the lab needs root: run this with sudo.")
    if not is_up(checked_name(name)):
        raise CjsmError(f"the lab '{name}' is not up; start it with `cjsm lab up --lab {name}`.")


def execute(name: str, argv: list[str]) -> None:
    """Replace this process by a command inside the lab's network (nsenter(1))."""
    _may_enter(name)
    sys.stdout.flush()
    sys.stderr.flush()
    command = ["nsenter", f"--net={controller(name)}", *argv]
    os.execvpe(command[0], command, {**os.environ, INSIDE: name})  # noqa: S606


def organisation_folder(name: str) -> Path:
    """Where a lab's organisation lies: inventories/lab of a clone for the lab `lab`, a copy of it for all others."""
    in_clone = (CLONE / "pyproject.toml").exists()
    return CLONE / "inventories" / "lab" if name == DEFAULT and in_clone else LABS / name / "organisation"


def mistaken_folder(name: str) -> Path:
    """Where a copy of a lab's organisation lies in which something is wrong on purpose."""
    return LABS / name / "mistaken"


def lab_of(organisation: Path) -> str:
    """The lab that an organisation folder belongs to, empty for a real organisation's."""
    folder = organisation.resolve()
    if folder.name in ("organisation", "mistaken") and folder.parent.parent == LABS:
        return folder.parent.name
    return DEFAULT if folder == organisation_folder(DEFAULT) else ""
