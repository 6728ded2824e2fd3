"""Which organisation a verb is about: --org, CJSM_ORG, the current folder, or in a clone the running lab's."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cjsm_connect.results import CjsmError


def organisation_option(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command the option --org and the keyword `organisation`."""

    @click.option("--org", type=click.Path(path_type=Path), help="Folder of organisation.toml (or CJSM_ORG).")
    @click.pass_obj
    @wraps(verb)
    def wrapped(rooms: Any, *args: Any, **kwargs: Any) -> Any:
        from cjsm_connect.organisation import load

        return verb(*args, organisation=load(chosen(kwargs.pop("org"), rooms.root)), **kwargs)

    return wrapped


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
            click.echo(f"cjsm: no --org, so this is about the running lab ({folder.relative_to(root)})", err=True)
        return folder
    raise CjsmError(
        "which organisation? Expected --org FOLDER, CJSM_ORG, or organisation.toml in the current folder; found none. "
        "For the lab: cjsm lab up"
    )


def enter_lab(argv: Sequence[str], root: Path) -> None:
    """If the command is about a running lab's organisation, execute it again from inside the lab's network."""
    with suppress(CjsmError):  # which organisation is asked again, and answered, when the verb runs
        name = running(chosen(_org(argv), root))
        if name:
            from cjsm_connect import lab

            lab.enter(name)


def _org(argv: Sequence[str]) -> Path | None:
    """The value of --org on a command line that click has not read yet."""
    for word, following in zip(argv, [*argv[1:], ""], strict=True):
        if word == "--org":
            return Path(following)
        if word.startswith("--org="):
            return Path(word.removeprefix("--org="))
    return None


def running(folder: Path) -> str:
    """The name of the running lab that this folder belongs to, "" for any other organisation."""
    from cjsm_connect.lab import is_up, lab_of

    name = lab_of(folder)
    return name if name and is_up(name) else ""
