"""The programs that a look at a host sends: with which modules, and as which command."""

from __future__ import annotations

import base64
import re
import shlex
import zlib
from functools import cache
from pathlib import Path
from typing import Any

from cjsm_connect import remote

LONGEST = 128 * 1024 - 4096
"""One argument of a program holds at most 128 KiB (execve(2), MAX_ARG_STRLEN); the shell's quoting needs the rest."""

_IMPORT = re.compile(r"^from cjsm_connect\.remote(?:\.([\w.]+))? import ([\w, ]+)$", re.MULTILINE)


def modules(*names: str) -> tuple[str, ...]:
    """The named modules of cjsm_connect.remote after all that they import, each once, in an order that can be run."""
    ordered: dict[str, None] = {}
    for name in names:
        ordered.update(dict.fromkeys((*modules(*_imports(name)), name)))
    return tuple(ordered)


@cache
def _imports(name: str) -> tuple[str, ...]:
    source = (Path(remote.__file__).parent / f"{name.replace('.', '/')}.py").read_text(encoding="utf-8")
    found = []
    for package, imported in _IMPORT.findall(source):
        members = [member.split(" as ")[0].strip() for member in imported.split(",")]
        found += _modules_of(package, members)
    return tuple(found)


def _modules_of(package: str, members: list[str]) -> list[str]:
    """`from cjsm_connect.remote.common import run` names a module; `from cjsm_connect.remote import common` too."""
    folder = Path(remote.__file__).parent / package.replace(".", "/")
    if package and not folder.is_dir():
        return [package]
    return [f"{package}.{member}".lstrip(".") for member in members]


def command(names: tuple[str, ...], entry: str, arguments: dict[str, Any], seconds: int, *, sudo: str) -> str:
    """The command that runs one program on a host and kills it, whatever it does, after `seconds`.

    testinfra gives a command no standard input, so the program travels packed in an argument. Arguments can be read
    by every user of the host: nothing secret may be in it. `sudo` is what precedes the command, or "".
    """
    text = remote.program(modules(*names), entry, arguments)
    packed = base64.b64encode(zlib.compress(text.encode(), 9)).decode()
    unpack = f"import base64,zlib;exec(zlib.decompress(base64.b64decode('{packed}')))"
    line = f"{sudo}timeout -s KILL {seconds:d} python3 -I -S -c {shlex.quote(unpack)}"
    if len(line) > LONGEST:
        raise ValueError(f"the program {entry} is too long for one command: {len(line)} of {LONGEST} characters")
    return line
