"""Tries of the firewall, the logs and the timers on the host itself."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import Any

from cjsm_connect.remote import common, firewall

NOBODY = ("192.0.2.254", 9)  # RFC 5737, and the discard port: nothing lives there, and the packet is dropped here
SECONDS = 5  # within which a line must have come to its file


def firewall_denies(arguments: dict[str, Any]) -> None:
    """The rules for boot are the live ones, and what they do not name is dropped. Arguments: table, boot_path."""
    live = firewall.live(arguments["table"])
    for hook in ("input", "output", "forward"):
        if not any(f"hook {hook} " in line and "policy drop" in line for line in live.splitlines()):
            raise common.Failed(f"the live rules of {arguments['table']} do not drop by default in {hook}")
    if not firewall.same(arguments["table"], common.read(arguments["boot_path"])):
        raise common.Failed(f"the live rules of {arguments['table']} are not those of {arguments['boot_path']}")


def drops_recorded(arguments: dict[str, Any]) -> None:
    """A packet that the firewall drops on its way out appears in the record (ulogd(8)). Arguments: log.

    The rules log a packet a second, so under fire ours may be missing from the record: then another one does as well.
    """
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as connection:
        begun = size(arguments["log"])
        with contextlib.suppress(OSError):  # "not permitted" is the firewall's answer
            connection.sendto(b"cjsm-connect: is this drop recorded?", NOBODY)
        if not appears(arguments["log"], begun, "cjsm-drop-"):
            raise common.Failed(f"a packet to {NOBODY[0]} that must be dropped is not in {arguments['log']}")


def log_line(arguments: dict[str, Any]) -> None:
    """A line from logger(1) arrives in the mail log. Arguments: log."""
    mark = f"cjsm-connect: the mail log is written {time.time():.6f}"
    begun = size(arguments["log"])
    common.run(["logger", "-p", "mail.info", "-t", "cjsm-connect", mark])
    if not appears(arguments["log"], begun, mark):
        raise common.Failed(f"a line written with logger has not come to {arguments['log']} within {SECONDS} s")


def size(path: str) -> int:
    """Bytes of a file; 0 when it is not there."""
    return os.path.getsize(path) if os.path.exists(path) else 0


def appears(path: str, begun: int, words: str) -> bool:
    """Does a line with these words come to a file behind its first `begun` bytes within SECONDS?"""
    last = time.monotonic() + SECONDS
    while time.monotonic() < last:
        if any(words in line for line in added(path, begun)):
            return True
        time.sleep(0.02)
    return False


def added(path: str, begun: int) -> list[str]:
    """The lines of a file behind its first bytes; of all of it when it was replaced by a shorter one."""
    with contextlib.suppress(OSError), open(path, "rb") as file:
        file.seek(begun if size(path) >= begun else 0)
        return file.read().decode("utf-8", "replace").splitlines()
    return []


def timer(arguments: dict[str, Any]) -> None:
    """A timer is active and will elapse again, or its work is being done (systemd.timer(5)). Arguments: unit."""
    wanted = "ActiveState,SubState,NextElapseUSecRealtime,NextElapseUSecMonotonic"
    out = common.run(["systemctl", "show", "-p", wanted, arguments["unit"]])
    shown = dict(line.partition("=")[::2] for line in out.splitlines())
    elapses = [shown.get(f"NextElapseUSec{clock}", "") not in ("", "0", "n/a", "infinity") for clock in CLOCKS]
    if shown.get("ActiveState") != "active" or not (any(elapses) or shown.get("SubState") == "running"):
        raise common.Failed(f"{arguments['unit']} will not elapse again: {', '.join(out.split())}")


CLOCKS = ("Realtime", "Monotonic")


def unit_active(arguments: dict[str, Any]) -> None:
    """A unit is active. Arguments: unit."""
    code, out, _ = common.attempt(["systemctl", "is-active", arguments["unit"]])
    if code:
        raise common.Failed(f"{arguments['unit']} is {out.strip()}, expected active")


def ssh_keys_only(_arguments: dict[str, Any]) -> None:
    """sshd's whole configuration, as it reads it, allows no password (sshd(8), -T). No arguments."""
    lines = common.run(["sshd", "-T"]).lower().splitlines()
    asked = [line for line in lines if line in ("passwordauthentication yes", "kbdinteractiveauthentication yes")]
    if asked:
        raise common.Failed(
            f"sshd still has {' and '.join(asked)}: something is read before sshd_config.d/10-cjsm.conf"
        )


def command(arguments: dict[str, Any]) -> None:
    """A program ends with 0. Arguments: argv."""
    common.run(list(arguments["argv"]), seconds=60)
