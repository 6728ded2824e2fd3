"""The option --org, and the organisation that it leads to."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Any

import click

from cjsm_connect.verbs._which import chosen, running

__all__ = ["chosen", "organisation_option", "running"]


def organisation_option(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command the option --org and the keyword `organisation`."""

    @click.option("--org", type=click.Path(path_type=Path), help="Folder of organisation.toml (or CJSM_ORG).")
    @click.pass_obj
    @wraps(verb)
    def wrapped(rooms: Any, *args: Any, **kwargs: Any) -> Any:
        from cjsm_connect.organisation import load

        return verb(*args, organisation=load(chosen(kwargs.pop("org"), rooms.root)), **kwargs)

    return wrapped
