"""Many targets: so many at a time, so many a second, each once, and what was done is not done again."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable, Iterator, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from cjsm_connect.engineer.targets import Target
from cjsm_connect.results import CjsmError, inputs

LONGEST_ANSWER = inputs.MIB  # bytes
Ask = Callable[[Target], Awaitable[dict[str, Any]]]


async def asked(targets: Iterable[Target], ask: Ask, at_once: int, a_second: float) -> AsyncIterator[dict[str, Any]]:
    """What each target answered, in the order in which they finish. `a_second` limits how many begin; 0 is no limit.

    No more than `at_once` exist at any time: a list of any length takes the memory of so many.
    """
    waiting = iter(targets)
    running: set[asyncio.Task[dict[str, Any]]] = set()
    loop = asyncio.get_running_loop()
    begin = loop.time()
    try:
        while True:
            while len(running) < at_once and (target := next(waiting, None)) is not None:
                await asyncio.sleep(max(0.0, begin - loop.time()))
                begin = max(begin, loop.time()) + (1 / a_second if a_second else 0)
                running.add(asyncio.ensure_future(ask(target)))
            if not running:
                return
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                yield task.result()
    finally:
        for task in running:
            task.cancel()
        await asyncio.gather(*running, return_exceptions=True)


def left(targets: Sequence[Target], out: Path) -> list[Target]:
    """The targets that a file of answers does not have yet.

    Raises:
        CjsmError: the file holds something else; nothing is added to such a file.
    """
    try:
        done = set(_done(out))
    except inputs.Unreadable as error:
        if not error.missing:
            raise
        done = set()
    return [target for target in targets if str(target) not in done]


def _done(out: Path) -> Iterator[str]:
    """The targets of whole lines. A last line without an end was cut off while it was written."""
    with inputs.opened(out, inputs.ANSWERS) as file:
        for number, line in enumerate(iter(partial(file.readline, LONGEST_ANSWER), b""), 1):
            if line.endswith(b"\n"):
                yield _target(line, number, out)


def _target(line: bytes, number: int, out: Path) -> str:
    try:
        return str(inputs.json_of(line)["target"])
    except (ValueError, KeyError, TypeError) as error:
        raise CjsmError(
            f"{out}: expected the answers of an earlier probe, one JSON object a line; line {number} is none. "
            "Give another file"
        ) from error


def mended(out: Path) -> None:
    """Take away a last line that was cut off, so that what is added begins on a line of its own."""
    if not out.exists():
        return
    with out.open("r+b") as file:
        end = file.seek(0, 2)
        while end and not _ends_line(file, end):
            end -= 1
        file.truncate(end)


def _ends_line(file: Any, end: int) -> bool:
    file.seek(end - 1)
    return bool(file.read(1) == b"\n")
