"""The door through which everything goes that a verb prints, on standard output and on standard error.

Whatever text reaches it, and from wherever: a terminal gets letters, line ends, tabs and the colours that this program
itself has set. Those carry a number that nobody outside this process knows; any other control sequence is written out.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TextIO, cast

from cjsm_connect import printable

_SECRET = str(int.from_bytes(os.urandom(8), "big") | 1 << 63)
_COLOUR = re.compile(r"\x1b\[([0-9;]*)m")  # ECMA-48, 8.3.117 (SGR)
_OURS = re.compile(rf"(\x1b\[[0-9;]*;{_SECRET}m)")


def ours(styled: str) -> str:
    """Text of this program with colours that may stay. What strangers wrote in it must be printable before."""
    return _COLOUR.sub(lambda found: f"\x1b[{found[1]};{_SECRET}m", styled)


def safe(text: str) -> str:
    """What may go to a terminal."""
    if text.isascii() and text.replace("\n", "").isprintable():
        return text
    told = _OURS.split(text)
    told[::2] = map(printable.lines, told[::2])
    told[1::2] = (one.replace(f";{_SECRET}", "") for one in told[1::2])
    return "".join(told)


class _Door:
    """A text stream in front of another."""

    def __init__(self, stream: TextIO) -> None:
        self.behind = stream

    def write(self, text: str) -> int:
        self.behind.write(safe(text))
        return len(text)

    def writelines(self, texts: list[str]) -> None:
        for text in texts:
            self.write(text)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.behind, name)


@contextmanager
def guarded() -> Iterator[None]:
    """Meanwhile everything that this process prints goes through the door; click's colours are ours."""
    import click

    before = sys.stdout, sys.stderr, click.style, click.termui.style
    sys.stdout, sys.stderr = (cast(TextIO, _Door(stream)) for stream in before[:2])
    click.style = click.termui.style = _styling(click.style)
    try:
        yield
    finally:
        sys.stdout, sys.stderr, click.style, click.termui.style = before


def _styling(style: Callable[..., str]) -> Callable[..., str]:
    """click.style for text that may hold a stranger's: nothing but its own colours is ours."""

    def styled(text: Any, **options: Any) -> str:
        return ours(style(text if _SECRET in str(text) else printable.lines(text), **options))

    return styled


def bare(stream: TextIO) -> TextIO:
    """The stream behind the door, for who draws with control characters and no stranger's text: a progress bar."""
    return stream.behind if isinstance(stream, _Door) else stream
