"""Laying named settings over an administrator's main.cf or master.cf: everything else is kept, word for word. Pure.

A logical line is a line and the lines after it that begin with white space; comment lines inside belong to it
(postconf(5), master(5)).
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

Entries = Iterable[tuple[str, str | None]]


def merged(form: str, text: str, entries: Entries) -> str:
    """The text with each entry set exactly once: in place where it stood first, at the end where it is new."""
    wanted = dict(entries)
    name_of, written = _FORMS[form]
    kept: list[str] = []
    placed: set[str] = set()
    for block in _blocks(text):
        name = name_of(block)
        if name not in wanted:
            kept.append(block)
        elif name not in placed:
            placed.add(name)
            kept.append(written(name, _in_front(wanted[name], block)))
    added = [written(name, _in_front(value, "")) for name, value in wanted.items() if name not in placed]
    return "".join([*_ended(kept), *added])


def _in_front(value: str | None, block: str) -> str | None:
    """A value `+ITEM` is one item of a list that the administrator also uses: first in it, the rest is kept."""
    if value is None or not value.startswith("+"):
        return value
    item = value[1:]
    there = " ".join(line for line in block.partition("=")[2].split("\n") if not line.startswith("#")).strip()
    if item in there:
        return there
    return f"{item}, {there}" if there else item


def _blocks(text: str) -> Iterator[str]:
    """Logical lines, comments and empty lines as they stand."""
    block: list[str] = []
    for line in text.splitlines(keepends=True):
        if block and not line[:1].isspace():
            yield "".join(block)
            block = []
        if not line.strip() and block:
            yield "".join(block)
            block = []
        block.append(line)
    if block:
        yield "".join(block)


def _ended(blocks: list[str]) -> list[str]:
    """The last line of a file may lack its newline; what is added must not be glued to it."""
    if blocks and not blocks[-1].endswith("\n"):
        return [*blocks[:-1], blocks[-1] + "\n"]
    return blocks


def _parameter(block: str) -> str:
    name, separator, _ = block.partition("=")
    return name.strip() if separator and not block.lstrip().startswith("#") else ""


def _written_parameter(name: str, value: str | None) -> str:
    return "" if value is None else f"{name} = {value}".rstrip() + "\n"


def _service(block: str) -> str:
    words = block.split(None, 2)
    return f"{words[0]}/{words[1]}" if len(words) > 1 and not block.startswith("#") else ""


def _written_service(_name: str, value: str | None) -> str:
    return "" if value is None else value.rstrip("\n") + "\n"


_FORMS = {"main.cf": (_parameter, _written_parameter), "master.cf": (_service, _written_service)}
