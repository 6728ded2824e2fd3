"""Which organisation a verb is about: --org, CJSM_ORG, the current folder, or in a clone the running lab's."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cjsm_connect.results import CjsmError

if TYPE_CHECKING:
    from cjsm_connect.organisation import Organisation

LABS = Path("/run/cjsm")


def organisation_option(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command --org and the keyword `organisation`; enters the lab's network if it is a lab's."""

    @click.option("--org", type=click.Path(path_type=Path), help="Folder of organisation.toml (or CJSM_ORG).")
    @click.pass_obj
    @wraps(verb)
    def wrapped(rooms: Any, *args: Any, **kwargs: Any) -> Any:
        folder = chosen(kwargs.pop("org"), rooms.root)
        return verb(*args, organisation=opened(folder, rooms.root), **kwargs)

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
    lab = root / "inventories" / "lab"
    if running(lab, root):
        if "CJSM_IN_LAB" not in os.environ:
            click.echo(f"cjsm: no --org, so this is about the running lab ({lab.relative_to(root)})", err=True)
        return lab
    raise CjsmError(
        "which organisation? Expected --org FOLDER, CJSM_ORG, or organisation.toml in the current folder; found none. "
        "For the lab: cjsm lab up"
    )


def opened(folder: Path, root: Path) -> Organisation:
    """Load an organisation; a running lab's is worked with from inside the lab's network."""
    name = running(folder, root)
    if name:
        enter(name)
    from cjsm_connect.organisation import load

    return load(folder)


def running(folder: Path, root: Path) -> str:
    """The name of the running lab that this folder belongs to, "" for any other organisation."""
    if folder == root / "inventories" / "lab":
        name = "lab"
    elif folder.name == "organisation" and folder.parent.parent == LABS:
        name = folder.parent.name
    else:
        return ""
    return name if Path(f"/run/netns/cjsm-{name}-admin").exists() else ""


def enter(name: str) -> None:
    """Continue inside the lab's network: re-executes this command unless it is there already."""
    if os.environ.get("CJSM_IN_LAB") != name:
        from cjsm_connect import lab

        lab.enter(name)
