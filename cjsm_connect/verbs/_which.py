"""Which organisation a verb is about: --org, CJSM_ORG, the current folder, or in a clone the running lab's.

Imports nothing heavy: it is asked before the command line has been read by click.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from cjsm_connect.results import CjsmError


def chosen(org: Path | None, root: Path) -> Path:
    """The organisation's folder; never a guess.

    Raises:
        CjsmError: nothing says which.
    """
    named = org or (Path(os.environ["CJSM_ORG"]) if os.environ.get("CJSM_ORG") else None)
    if named:
        return (named.parent if named.name == "organisation.toml" else named).resolve()
    if Path("organisation.toml").is_file():
        return Path.cwd()
    folder = root / "inventories" / "lab"
    if name := running(folder):
        _say_which(name)
        return folder
    raise CjsmError(
        "which organisation? Expected --org FOLDER, CJSM_ORG, or organisation.toml in the current folder; found none. "
        "For the lab: cjsm lab up"
    )


def _say_which(lab: str) -> None:
    """The first line of a verb that nobody has told its organisation, once; in bold at a terminal."""
    if lab in _said:
        return
    _said.append(lab)
    bold, plain = ("\x1b[1m", "\x1b[0m") if sys.stderr.isatty() and not without_colour() else ("", "")
    line = f"cjsm: this is about the running lab '{lab}': no --org, no CJSM_ORG, no organisation.toml in this folder"
    print(f"{bold}{line}{plain}", file=sys.stderr, flush=True)


_said: list[str] = []


def without_colour() -> bool:
    """Whether the person, or the terminal, wants no escape sequences (https://no-color.org)."""
    return bool(os.environ.get("NO_COLOR")) or os.environ.get("TERM") == "dumb"


def on_lab(folder: Path) -> str:
    """What a line on something changed or signed begins with: the lab's name, "" for a real organisation."""
    from cjsm_connect.lab import lab_of

    name = lab_of(folder)
    return f"lab '{name}': " if name else ""


def enter_lab(argv: Sequence[str], root: Path) -> None:
    """If the command is about a running lab's organisation, take this process into the lab's network."""
    with suppress(CjsmError):  # which organisation is asked again, and answered, when the verb runs
        name = running(chosen(org(argv), root))
        if name:
            from cjsm_connect import lab

            lab.enter(name)


def org(argv: Sequence[str]) -> Path | None:
    """The value of --org on a command line that click has not read yet."""
    found = values(argv, "--org")
    return Path(found[-1]) if found else None


def values(argv: Sequence[str], option: str) -> list[str]:
    """Every value of an option on a command line that click has not read yet."""
    found = []
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word == option:
            found.append(following)
        elif word.startswith(option + "="):
            found.append(word.removeprefix(option + "="))
    return found


def running(folder: Path) -> str:
    """The name of the running lab that this folder belongs to, "" for any other organisation."""
    from cjsm_connect.lab import is_up, lab_of

    name = lab_of(folder)
    return name if name and is_up(name) else ""
