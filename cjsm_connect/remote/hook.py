"""Run a hook's status command on the host, and read what it prints. Standard library of Python 3.9.

It runs as root, so only what root alone can change is run. What it prints is taken for hostile.
"""

from __future__ import annotations

import contextlib
import json
import os
import selectors
import signal
import stat
import subprocess
import time
from typing import Any

from cjsm_connect.remote.common import ENVIRONMENT, LATE, Failed

SECONDS = 10
LARGEST = 16 * 1024  # bytes that a status may print
LONGEST = 200  # characters of one value
MOST_LINKS = 20


def report(arguments: dict[str, Any]) -> dict[str, Any]:
    """What a status command says of itself: {"why": "" or what is wrong, "said": {field: value}, "printed": ...}.

    `status` is the command, `fields` the names that its object may have. `printed` is the text as it came, and only
    there, with the host's clock, if `printed` is asked for: what a program says unasked does not belong into evidence.
    """
    found: dict[str, Any] = {"why": "", "said": {}}
    text = ""
    try:
        safe(arguments["status"][0])
        text = printed(arguments["status"])
        found["said"] = said(text, arguments["fields"])
    except (Failed, OSError) as error:
        found["why"] = str(error)[:400]
    return {**found, "printed": text, "clock": time.time()} if arguments.get("printed") else found


def safe(program: str, links: int = MOST_LINKS) -> None:
    """May root run this? Only root can change it, each folder above it, each link on the way and its interpreter.

    Raises:
        Failed: it is not there, is no program, or somebody else could replace it.
    """
    place = owned(program, links)
    mode = os.stat(place).st_mode
    if not stat.S_ISREG(mode) or not mode & 0o111:
        raise Failed("%s: expected a program (a file that may be executed)" % program)
    with open(place, "rb") as file:
        first = file.readline(256)
    interpreter = first[2:].split() if first.startswith(b"#!") else []
    if interpreter:
        owned(os.fsdecode(interpreter[0]), links)


def owned(path: str, links: int = MOST_LINKS) -> str:
    """The place that a path leads to; each step of it belongs to root, and nobody else may write there.

    Raises:
        Failed: a step does not, or there are too many links.
    """
    if not path.startswith("/"):
        raise Failed("%s: expected an absolute path" % path)
    place = "/"
    only_root("/")
    parts = path.split("/")[::-1]
    while parts:
        part = parts.pop()
        if part in ("", "."):
            continue
        place = os.path.dirname(place) if part == ".." else os.path.join(place, part)
        if only_root(place):
            links -= 1
            target = os.readlink(place)
            if links < 0:
                raise Failed("%s: too many links on the way" % path)
            parts += target.split("/")[::-1]
            place = "/" if target.startswith("/") else os.path.dirname(place)
    return place


def only_root(place: str) -> bool:
    """Whether a place is a link; it must be root's own and, if it is none, closed to all others.

    An access list that lets others write shows as writable by the group, acl(5).
    """
    found = os.lstat(place)
    link = stat.S_ISLNK(found.st_mode)
    if found.st_uid != 0:
        raise Failed("%s belongs to user %d: expected root, because root runs it" % (place, found.st_uid))
    if not link and found.st_mode & 0o022:
        raise Failed("%s is writable by others (%03o): chmod go-w" % (place, stat.S_IMODE(found.st_mode)))
    return link


def printed(argv: list[str], seconds: float = SECONDS) -> str:
    """What a command prints on its standard output, UTF-8. Ended with all that it started when it takes too long.

    Raises:
        Failed: it ended with an error, took too long, printed too much, or something that is no text.
    """
    process = subprocess.Popen(
        argv,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        env=ENVIRONMENT,
        cwd="/",
        start_new_session=True,
    )
    try:
        data, ended = _output(process, time.monotonic() + seconds)
    finally:
        code = _ended(process)
    if not ended:
        raise Failed("%s: %s %d seconds" % (argv[0], LATE, seconds))
    if code:
        raise Failed("%s ended with %d" % (argv[0], code))
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Failed("%s printed something that is not UTF-8 (byte %d)" % (argv[0], error.start)) from None


def _output(process: subprocess.Popen[bytes], ends: float) -> tuple[bytes, bool]:
    """What it prints, and whether it came to its end in time.

    The output is at its end when all that the command started have closed it, so a helper left behind costs the time.
    """
    assert process.stdout
    data, more = b"", b"-"
    with selectors.DefaultSelector() as waiting:
        waiting.register(process.stdout, selectors.EVENT_READ)
        while more and waiting.select(max(0.0, ends - time.monotonic())):
            more = os.read(process.stdout.fileno(), 4096)
            data += more
            if len(data) > LARGEST:
                raise Failed("it printed more than %d bytes" % LARGEST)
    while not _over(process) and time.monotonic() < ends:
        time.sleep(0.01)
    return data, not more and _over(process)


def _over(process: subprocess.Popen[bytes]) -> bool:
    """Whether it has ended; it is not waited for yet, so that its number stays its own (waitid(2), WNOWAIT)."""
    return os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def _ended(process: subprocess.Popen[bytes]) -> int:
    """End the command, if it still runs, with everything in its session; its exit code."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    assert process.stdout
    process.stdout.close()
    return process.wait()


def said(text: str, fields: list[str]) -> dict[str, Any]:
    """The object that was printed: these fields, each with a plain value.

    Raises:
        Failed: it is not one JSON object, has a key twice, another key, or a value that is not plain and short.
    """
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_none_such, parse_float=_none_such)
    except (ValueError, RecursionError) as error:
        raise Failed("expected one JSON object, found something else: %s" % str(error)[:100]) from None
    if not isinstance(found, dict):
        raise Failed("expected one JSON object, found %s" % type(found).__name__)
    unknown = sorted(set(found) - set(fields))
    if unknown:
        raise Failed("unknown fields %s; expected %s" % (", ".join(map(repr, unknown))[:200], ", ".join(fields)))
    for name in found:
        _plain(name, found[name])
    return found


def _plain(name: str, value: object) -> None:
    """A text, a number, true, false or null, and not long."""
    if not isinstance(value, (str, int, type(None))):
        raise Failed("%s: expected a plain value, found %s" % (name, type(value).__name__))
    if isinstance(value, str) and (len(value) > LONGEST or not value.isprintable()):
        raise Failed("%s: expected at most %d printable characters" % (name, LONGEST))
    if isinstance(value, int) and abs(value) > 1 << 53:
        raise Failed("%s: the number is too large" % name)


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise ValueError("a key appears twice")
    return members


def _none_such(_: str) -> Any:
    raise ValueError("expected whole numbers only")
