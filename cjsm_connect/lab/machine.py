"""The machine under the lab: what it must have, running programs on it, locks and mounts."""

from __future__ import annotations

import contextlib
import ctypes
import fcntl
import hashlib
import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from pathlib import Path

from cjsm_connect.lab.entry import LABS
from cjsm_connect.results import CjsmError

CACHE = Path(os.environ.get("CJSM_CACHE") or "/var/cache/cjsm")
"""Images, the lab's authorities and its SSH keys, made once on a machine; CJSM_CACHE names another place."""

APT_LOCK = Path("/run/lock/cjsm-apt.lock")  # the machine's apt is one, whatever cache is used
# program -> the Debian package that has it
TOOLS = {
    "mmdebstrap": "mmdebstrap",
    "systemd-nspawn": "systemd-container",
    "apt-ftparchive": "apt-utils",
    "ip": "iproute2",
    "nsenter": "util-linux",
    "gpg": "gnupg",
    "ssh": "openssh-client",
}

Say = Callable[[str], None]


def silent(_text: str) -> None:
    """Say nothing."""


def run(
    argv: list[str], stdin: str | None = None, timeout: float = 600, check: bool = True
) -> subprocess.CompletedProcess[str]:
    """Run a program of the machine and keep what it says; a failure is an error that quotes its last lines."""
    done = subprocess.run(
        argv, input=stdin, stdin=None if stdin is not None else subprocess.DEVNULL, capture_output=True,
        text=True, timeout=timeout, check=False,
    )  # fmt: skip
    if check and done.returncode:
        said = "\n".join((done.stderr or done.stdout).strip().splitlines()[-12:])
        raise CjsmError(f"'{' '.join(argv[:6])}' failed with exit code {done.returncode}:\n{said}")
    return done


def need_root() -> None:
    """Everything of the lab is made of namespaces and mounts."""
    if os.geteuid() != 0:
        raise CjsmError("the lab needs root: it makes network namespaces and containers; run this with sudo.")


def require(say: Say = silent, tools: Mapping[str, str] = TOOLS) -> None:
    """Refuse a machine that cannot hold a lab; install what is missing of the tools on one that can."""
    need_root()
    if not Path("/etc/debian_version").exists() or not shutil.which("apt-get"):
        raise CjsmError("the lab needs a Debian machine: it builds its hosts with Debian's own tools.")
    missing = sorted({package for program, package in tools.items() if not shutil.which(program)})
    if missing:
        say(f"installing on this machine, for the lab: {' '.join(missing)}")
        install(*missing)


def install(*packages: str) -> None:
    """Install Debian packages on this machine, one command after the other: apt-get(8) does not wait for another."""
    with locked(APT_LOCK):
        run(["apt-get", "-qq", "update"])
        run(["env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "-qq", "-y", "--no-install-recommends",
             "install", *packages])  # fmt: skip


def require_inotify(instances: int) -> None:
    """Refuse to start what the kernel would leave half started: without a free inotify instance systemd believes that
    its mounts failed. Root's share is one for the whole machine (inotify(7), fs.inotify.max_user_instances)."""
    free = _free_inotify(instances)
    if free < instances:
        labs = ", ".join(sorted(path.name for path in LABS.iterdir() if path.is_dir()))
        raise CjsmError(
            f"a lab needs {instances} free inotify instances and this machine has {free} left; the labs here are "
            f"{labs}. End one with `cjsm lab down --lab NAME`, or raise fs.inotify.max_user_instances."
        )


def _free_inotify(wanted: int) -> int:
    """How many instances can be had now, at most `wanted`; they are given back at once."""
    kernel = ctypes.CDLL(None)
    opened: list[int] = []
    try:
        while len(opened) < wanted and (instance := kernel.inotify_init1(os.O_CLOEXEC)) >= 0:
            opened.append(instance)
        return len(opened)
    finally:
        for instance in opened:
            os.close(instance)


@contextlib.contextmanager
def locked(path: Path) -> Iterator[Path]:
    """Held while an image, a mirror or a lab is made or destroyed: two commands never do the same work at once."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield path


def wait_until(true: Callable[[], bool], seconds: float, interval: float = 0.02) -> bool:
    """Look every `interval` seconds; False when it has not become true in time."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if true():
            return True
        time.sleep(interval)
    return true()


def kill(pid: int) -> None:
    """End a process at once; one that has just ended is as good."""
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def mounts_below(folder: Path) -> list[str]:
    """Mount points at or below a folder, the deepest first (proc_pid_mountinfo(5), field 5)."""
    points = [line.split()[4] for line in Path("/proc/self/mountinfo").read_text().splitlines()]
    return sorted((p for p in points if Path(p).is_relative_to(folder)), key=len, reverse=True)


def unmount_below(folder: Path) -> None:
    """Unmount everything at or below a folder; a mount still busy after a second is detached."""
    for point in mounts_below(folder):
        if not wait_until(partial(_unmounted, point), 1):
            run(["umount", "--lazy", point], check=False)


def _unmounted(point: str) -> bool:
    return run(["umount", point], check=False).returncode == 0


def remove_tree(folder: Path) -> None:
    """Remove a folder on which nothing is mounted any more."""
    if folder.exists():
        shutil.rmtree(folder)


def digest_of(*made_from: object) -> str:
    """Another list of ingredients makes another thing: 12 hexadecimal digits for a cached folder's name."""
    return hashlib.sha256(json.dumps(made_from).encode()).hexdigest()[:12]


def drop_old(folder: Path, keep: int) -> None:
    """Keep the newest folders of a cache, and any on which a running host lies."""
    mounted = Path("/proc/self/mountinfo").read_text()
    newest = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime, reverse=True)
    for path in newest[keep:]:
        if str(path) not in mounted:
            remove_tree(path)


def write(path: Path, content: str, mode: int = 0o644) -> None:
    """Write a file that has its mode from its creation: private ones are never readable for a moment."""
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    new.unlink(missing_ok=True)
    with os.fdopen(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), "w") as handle:
        os.fchmod(handle.fileno(), mode)
        handle.write(content)
    new.rename(path)


def write_settled(path: Path, content: str) -> None:
    """Write a configuration as if its editing had ended a minute ago: Postfix waits two seconds for a younger one."""
    write(path, content)
    ended = time.time() - 60
    os.utime(path, (ended, ended))
