"""One apply at a time on a host: who holds it, from where, since when. A lock whose holder has died goes by itself.

While a program of an apply runs, the kernel holds the lock for it (flock(2)) and lets go when it ends, however it ends.
Between two programs of the same apply the lock's own time holds it.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from typing import Any

from cjsm_connect.remote import common, sessions

PATH = "/var/lib/cjsm/lock"
BETWEEN = 120  # seconds within which the next step of the same apply comes; after that its controller has died


@contextlib.contextmanager
def held(claim: dict[str, Any], last: bool = False) -> Iterator[None]:
    """Hold the host for one step of an apply; `last`: give it back afterwards.

    `claim`: {"token": one for the whole apply, "who": user and machine}.

    Raises:
        Failed: somebody else holds it; the message says who, from where and since when.
    """
    descriptor = opened()
    try:
        take(descriptor, claim)
        over = True  # a step that fails is the last one
        try:
            yield
            over = last
        finally:
            write(descriptor, {} if over else dict(content(descriptor), until=time.time() + BETWEEN))
    finally:
        os.close(descriptor)


def opened() -> int:
    """The lock file, readable by root only; never through a link."""
    os.makedirs(os.path.dirname(PATH), mode=0o711, exist_ok=True)
    return os.open(PATH, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)


def take(descriptor: int, claim: dict[str, Any]) -> None:
    """Make the lock ours, or fail with who has it."""
    found = content(descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise common.Failed(taken(found)) from None
    found = content(descriptor)
    own = found.get("token") == claim["token"]
    if not own and valid(found):
        raise common.Failed(taken(found))
    since = found["since"] if own else time.time()
    noted = {"token": claim["token"], "who": claim["who"], "from": sessions.own_connection()[0], "since": since}
    write(descriptor, dict(noted, until=time.time() + BETWEEN))


def holder() -> dict[str, Any]:
    """Who holds this host now: {"who", "from", "since", "token"}; empty when nobody does. Takes nothing."""
    try:
        descriptor = os.open(PATH, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return {}
    try:
        found = content(descriptor)
        return found if found and (valid(found) or busy(descriptor)) else {}
    finally:
        os.close(descriptor)


def busy(descriptor: int) -> bool:
    """Does a program of the holder run at this moment?"""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(descriptor, fcntl.LOCK_UN)
    return False


def valid(found: dict[str, Any]) -> bool:
    """Is the time between two steps not over yet? A time further away than that is a clock that was set back."""
    return bool(found) and time.time() < found["until"] <= time.time() + BETWEEN


def content(descriptor: int) -> dict[str, Any]:
    """What the lock says; {} when it is free, or was left half-written by a host that lost power."""
    try:
        found = json.loads(os.pread(descriptor, 4096, 0) or b"{}")
    except ValueError:
        return {}
    return found if isinstance(found, dict) and found.keys() >= {"token", "until", "since"} else {}


def write(descriptor: int, found: dict[str, Any]) -> None:
    """Replace what the lock says, in place: the kernel's lock belongs to this very file."""
    data = json.dumps(found).encode() if found else b""
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, data, 0)


def taken(found: dict[str, Any]) -> str:
    """The sentence for the second of two operators."""
    since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(found.get("since", 0))) if found else "just now"
    return (
        f"another apply is at work here: {found.get('who', 'somebody')} from {found.get('from') or 'the host itself'}, "
        f"since {since}. Wait until it is done; if its controller has died, the lock goes by itself within {BETWEEN} s"
    )
