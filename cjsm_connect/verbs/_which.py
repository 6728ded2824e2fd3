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
    if running(folder):
        if "CJSM_IN_LAB" not in os.environ:
            print(f"cjsm: no --org, so this is about the running lab ({folder.relative_to(root)})", file=sys.stderr)
        return folder
    raise CjsmError(
        "which organisation? Expected --org FOLDER, CJSM_ORG, or organisation.toml in the current folder; found none. "
        "For the lab: cjsm lab up"
    )


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
