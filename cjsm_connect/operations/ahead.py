"""Connections opened ahead: by a process of its own, while this one is still importing and judging the organisation.

paramiko's import and the key exchanges take as long as our model, the deploys and the templates together; two processes
do both at once. The other process is a fork of this one from before anything heavy was imported. It is asked with JSON
lines on a pipe and answers with JSON lines on another; it runs no command but those it is asked for, and it only uses a
connection if it is asked with exactly the Access that it had guessed: guessing wrong costs time, nothing else. When
this process ends, however it ends, so does the other.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection
from contextlib import suppress

TYPE_CHECKING = False  # typing itself is one of the imports that both processes can do at once
if TYPE_CHECKING:
    from typing import IO, Any, NoReturn

    from cjsm_connect.operations.trouble import HostError
    from cjsm_connect.organisation.access import Access

MOST_AT_ONCE = 64  # threads; a host needs two of them

_started: list[Ahead] = []


class Ahead:
    """The asking side of the process."""

    def __init__(self, process: int, requests: IO[str], answers: IO[str]) -> None:
        self._process = process
        self._requests = requests
        self._answers = answers
        self._asked: list[str] = []

    def ask(self, to: Access, command: str, text: str, seconds: int) -> None:
        """Have a command run on a host, with `text` on its standard input."""
        import json
        from dataclasses import asdict

        row = {"access": asdict(to), "command": command, "text": text, "seconds": seconds}
        self._asked.append(to.name)
        with suppress(OSError):  # it has ended: `answers` says so
            self._requests.write(json.dumps(row) + "\n")
            self._requests.flush()

    def answers(self) -> dict[str, tuple[str, str] | HostError]:
        """What every host that was asked said, standard output and error, or why it could not; ends the process."""
        import json

        from cjsm_connect.operations.trouble import HostError

        ended = "the process that held its connection ended without an answer; run this again"
        found: dict[str, tuple[str, str] | HostError] = {name: HostError(f"{name}: {ended}") for name in self._asked}
        with suppress(OSError):
            self._requests.close()
        for line in self._answers:
            row = json.loads(line)
            found[row["host"]] = HostError(row["problem"]) if "problem" in row else (row["out"], row["err"])
        self._answers.close()
        os.waitpid(self._process, 0)
        return found


def start(guess: Callable[[], Collection[Access]]) -> None:
    """Begin to connect to what the other process will guess. Call it before any thread is started.

    Whatever prevents a guess is left for this process to find and to say.
    """
    asked, asks = os.pipe()
    told, tells = os.pipe()
    process = os.fork()
    if not process:
        os.close(asks)
        os.close(told)
        _serve(guess, asked, tells)
    os.close(asked)
    os.close(tells)
    requests, answers = os.fdopen(asks, "w", encoding="utf-8"), os.fdopen(told, encoding="utf-8")
    _started.append(Ahead(process, requests, answers))


def taken() -> Ahead | None:
    """The process that was started, once: a second look at the hosts opens connections of its own."""
    return _started.pop() if _started else None


def _serve(guess: Callable[[], Collection[Access]], asked: int, tells: int) -> NoReturn:
    """The other process: connect, then do what is asked until the asking side closes its end."""
    try:
        import gc
        import signal

        gc.disable()  # it lives for a second
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_DFL)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):  # whoever reads our output must not wait for this process
            os.dup2(nowhere, stream)
        with os.fdopen(asked, encoding="utf-8") as requests, os.fdopen(tells, "w", encoding="utf-8") as answers:
            _answered(_guessed(guess), requests, answers)
    finally:
        os._exit(0)  # connections end with the process; nothing of the other's may be flushed or cleaned up here


def _guessed(guess: Callable[[], Collection[Access]]) -> Collection[Access]:
    try:
        return guess()
    except Exception:  # whatever it is, the asking process meets it too, and says it
        return ()


def _answered(guessed: Collection[Access], requests: IO[str], answers: IO[str]) -> None:
    """Run what is asked for, each host's as soon as its connection is there; return when all of it is answered."""
    import json
    from concurrent.futures import Future, ThreadPoolExecutor, wait
    from threading import Lock

    from cjsm_connect.operations import transport
    from cjsm_connect.organisation.access import Access

    writing = Lock()

    def answer(opened: Future[Any], row: dict[str, Any]) -> None:
        told = {"host": row["access"]["name"], **_told(opened, row)}
        with writing:
            answers.write(json.dumps(told) + "\n")
            answers.flush()

    pool = ThreadPoolExecutor(max_workers=MOST_AT_ONCE)
    opened = {each: pool.submit(transport.connected, each) for each in guessed}
    working = []
    for line in requests:
        row = json.loads(line)
        wanted = Access(**row["access"])
        connection = opened.get(wanted) or pool.submit(transport.connected, wanted)
        working.append(pool.submit(answer, connection, row))
    wait(working)  # and for no connection that nobody asked for


def _told(opened: Any, row: dict[str, Any]) -> dict[str, str]:
    """What one host said; whatever went wrong with it is said of it, and does not end the work on others."""
    from cjsm_connect.operations.transport import executed
    from cjsm_connect.operations.trouble import HostError

    try:
        out, err = executed(opened.result(), row["command"], row["text"], row["seconds"])
    except HostError as error:
        return {"problem": str(error)}
    except Exception as error:
        return {"problem": f"{row['access']['name']}: {type(error).__name__}: {error}"}
    return {"out": out, "err": err}
