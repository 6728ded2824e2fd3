"""Text for people: folded to the terminal's width, and without colours where none are wanted.

What is read by a program (a pipe, a file) keeps its lines: there a line is a fact.
"""

from __future__ import annotations

import re
import shutil
import sys
import textwrap

import click

STYLED = re.compile(r"^((?:\x1b\[[0-9;]*m)*)(.*?)((?:\x1b\[[0-9;]*m)*)$", re.DOTALL)
DIFFERENCES = "    "  # what stands so deep are lines of files: they are shown as they are
WIDEST = 110


def tell(text: str, *, err: bool = False) -> None:
    """Print text for people."""
    click.echo(folded(text, width(err=err)), err=err)


def width(*, err: bool = False) -> int:
    """Columns of the terminal that is written to; 0 where it is none."""
    stream = sys.stderr if err else sys.stdout
    return min(shutil.get_terminal_size().columns, WIDEST) if stream.isatty() else 0


def folded(text: str, columns: int) -> str:
    """Every line at most so many columns wide (0: as it is), broken between words, the rest of it two deeper."""
    if not columns:
        return text
    return "\n".join(_folded(line, columns) for line in text.split("\n"))


def _folded(line: str, columns: int) -> str:
    match = STYLED.match(line)
    assert match
    before, words, after = match.groups()
    indent = words[: len(words) - len(words.lstrip(" "))]
    if len(words) <= columns or indent.startswith(DIFFERENCES):
        return line
    deeper = f"{indent}  "
    rows = textwrap.wrap(
        words.strip(), columns, initial_indent=indent, subsequent_indent=deeper,
        break_long_words=False, break_on_hyphens=False,
    )  # fmt: skip
    return before + "\n".join(rows) + after
