"""Laying named settings over an administrator's main.cf or master.cf: everything else is kept, word for word. Pure.

A logical line is a line and the lines after it that begin with white space; comment and empty lines do not end it, so
those inside belong to it (postconf(5), master(5)).
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

Entries = Iterable[tuple[str, str | None]]


def merged(form: str, text: str, entries: Entries) -> str:
    """The text with each entry set exactly once: in place where it stood first, at the end where it is new."""
    wanted = dict(entries)
    name_of, written = FORMS[form]
    kept: list[str] = []
    placed: set[str] = set()
    counts = {name_of(block): block for block in _blocks(text)}  # of two the last, as in Postfix
    for block in _blocks(text):
        name = name_of(block)
        if name not in wanted:
            kept.append(block)
        elif name not in placed:
            placed.add(name)
            kept.append(written(name, _in_front(wanted[name], counts[name])))
    added = [written(name, _in_front(value, "")) for name, value in wanted.items() if name not in placed]
    return "".join([*_ended(kept), *added])


def _in_front(value: str | None, block: str) -> str | None:
    """A value `+ITEM, ITEM` is items of a list that the administrator also uses: first in it, the rest is kept."""
    if value is None or not value.startswith("+"):
        return value
    item = value[1:]
    there = rest = " ".join(_said(block).partition("=")[2].split())
    for one in item.split(", "):
        rest = re.sub(rf"(?:^|[\s,]){re.escape(one)}(?=[\s,]|$)", "", rest).strip(" ,")
    if there == f"{item}, {rest}".rstrip(", "):
        return there
    return f"{item}, {rest}" if rest else item


def replaced(form: str, before: str, after: str) -> Iterator[tuple[str, str | None, str | None]]:
    """(name, value before, value after) of each setting that differs between two texts; None where it is not set."""
    old, new = values(form, before), values(form, after)
    for name in dict.fromkeys([*old, *new]):
        if old.get(name) != new.get(name):
            yield name, old.get(name), new.get(name)


def shown(value: str | None) -> str:
    """A setting's value in a sentence."""
    if value is None:
        return "not set"
    return f"`{value}`" if value else "empty"


def values(form: str, text: str) -> dict[str, str]:
    """The settings of a text by name, their white space made single; the last of two counts, as in Postfix."""
    name_of, _ = FORMS[form]
    found = {}
    for block in _blocks(text):
        if name := name_of(block):
            said = " ".join(_said(block).split())
            found[name] = said.partition("=")[2].strip() if form == "main.cf" else said
    return found


def _said(block: str) -> str:
    """A logical line without the comments inside it."""
    return "\n".join(line for line in block.splitlines() if not _silent(line))


def _silent(line: str) -> bool:
    """A comment or empty line."""
    return not line.strip() or line.lstrip().startswith("#")


def _blocks(text: str) -> Iterator[str]:
    """Logical lines, comments and empty lines as they stand."""
    block: list[str] = []
    silent: list[str] = []  # belongs to the block if a continuation line follows
    for line in text.splitlines(keepends=True):
        if _silent(line):
            silent.append(line)
        elif block and line[0].isspace():
            block += [*silent, line]
            silent = []
        else:
            yield from filter(None, ["".join(block), *silent])
            block, silent = [line], []
    yield from filter(None, ["".join(block), *silent])


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


FORMS = {"main.cf": (_parameter, _written_parameter), "master.cf": (_service, _written_service)}
