"""How a process of ours ends when it is told to (Ctrl-C, SIGTERM, SIGHUP): within a second, whatever it is doing.

Threads that wait for hosts, name servers or programs cannot be interrupted, and Python waits for them. So the end does
not depend on them: what has to be cleared away is registered here, done, and the process leaves. A signal that whoever
started us wanted ignored (nohup(1), a background job of a script) stays ignored.
"""

from __future__ import annotations

import os
import signal
import sys
import threading
import time
from contextlib import contextmanager, suppress
from pathlib import Path

TYPE_CHECKING = False  # every start imports this first
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import FrameType
    from typing import NoReturn

GRACE_SECONDS = 0.4
"""For the main thread to clear away by itself: half-written files, temporary folders."""
LAST_SECONDS = 0.4
"""For what is registered here, on top of that."""
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)

_undone: list[Callable[[], None]] = []
_said: list[str] = []
_leaving = threading.Lock()
_received: list[int] = []
_at_that_moment: list[str] = []  # what was said to go on, before the main thread left it


@contextmanager
def clearing(undo: Callable[[], None]) -> Iterator[None]:
    """Meanwhile: if the process is told to end, `undo` is called. It must be quick, and may be called in any state."""
    _undone.append(undo)
    try:
        yield
    finally:
        _undone.remove(undo)


@contextmanager
def saying(sentence: str) -> Iterator[None]:
    """Meanwhile: if the process is told to end, this is what goes on without it, in a sentence for people."""
    _said.append(sentence)
    try:
        yield
    finally:
        _said.remove(sentence)


def prepare() -> None:
    """From now on these signals raise KeyboardInterrupt in the main thread, as Ctrl-C does in any Python program."""
    for number in SIGNALS:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _told)


def watch() -> None:
    """From now on the process ends within a second of such a signal, even if the main thread does not notice it.

    Starts a thread: call it when nobody forks or enters a namespace any more.
    """
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    signal.set_wakeup_fd(writing, warn_on_full_buffer=False)  # written to at once, whatever the main thread does
    threading.Thread(target=_watched, args=(reading,), daemon=True).start()


def _told(number: int, _frame: FrameType | None) -> None:
    if not _received:
        _received.append(number)
        _at_that_moment.extend(_said)
        raise KeyboardInterrupt


def _watched(reading: int) -> None:
    while True:
        number = os.read(reading, 1)[0]
        if number in SIGNALS:
            break
    time.sleep(GRACE_SECONDS)
    leave(number)


def leave(number: int = 0) -> NoReturn:
    """End this process now: say what goes on elsewhere, clear away, end what it started. Exit code 128 + signal."""
    if not _leaving.acquire(blocking=False):
        threading.Event().wait()  # another thread is at it already
    number = number or next(iter(_received), int(signal.SIGINT))
    threading.Thread(target=_after, args=(LAST_SECONDS, number), daemon=True).start()
    with suppress(OSError):
        os.write(2, _sentence(number).encode())  # sys.stderr may be somebody else's at this moment
    for undo in reversed(_undone):
        with suppress(Exception):
            undo()
    for process in _started_by(os.getpid()):
        with suppress(OSError):
            os.kill(process, signal.SIGTERM)
    os._exit(128 + number)


def _sentence(number: int) -> str:
    told = "interrupted" if number == signal.SIGINT else f"ended by {signal.Signals(number).name}"
    return f"\ncjsm: {'. '.join([told, *dict.fromkeys(_at_that_moment or _said)])}\n"


def _after(seconds: float, number: int) -> None:
    time.sleep(seconds)
    os._exit(128 + number)


def _started_by(process: int) -> list[int]:
    """What a process has started, and those in turn: proc(5). Elsewhere than on Linux the terminal ends them."""
    found = []
    with suppress(OSError):
        for task in Path(f"/proc/{process}/task").iterdir():
            found += [int(word) for word in (task / "children").read_text().split()]
    return found + [further for child in found for further in _started_by(child)]


def unexpected(error: BaseException) -> str:
    """One sentence on a mistake of ours, or of the machine's; everything else is in a private file."""
    from cjsm_connect.printable import shown  # every start imports this module first

    said = shown(error, 300)
    return (
        f"this should not happen: {type(error).__name__}{': ' if said else ''}{said}. The details are in "
        f"{_details(error)}, readable by you only; look through it before you send it to anybody"
    )


def _details(error: BaseException) -> str:
    """Write an unexpected error down, in a file that only its owner may read; its path.

    A traceback shows our source, and a message may quote a file of the organisation's: it is for who is asked for help.
    """
    import tempfile
    import traceback

    from cjsm_connect import __version__

    descriptor, path = tempfile.mkstemp(prefix="cjsm-error-", suffix=".txt")  # 0600
    with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(f"cjsm-connect {__version__}, Python {sys.version}\n{sys.argv!r}\n\n")
        file.writelines(traceback.format_exception(error))
    return path
