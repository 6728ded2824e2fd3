"""How much of an organisation a verb is about: --limit HOST and --only CONCERN."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial, wraps
from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from cjsm_connect.operations import DesiredOf


@dataclass(frozen=True, slots=True)
class Scope:
    """The hosts and concerns that were asked for (empty: all), and what those concerns want of a host."""

    limit: tuple[str, ...]
    only: tuple[str, ...]
    desired_of: DesiredOf


def scope_options(verb: Callable[..., Any]) -> Callable[..., Any]:
    """Give a click command --limit and --only, and the keyword `scope`."""

    @click.option("--limit", multiple=True, metavar="HOST", help="Only this host; may be given more than once.")
    @click.option("--only", multiple=True, metavar="CONCERN", help="Only this concern; may be given more than once.")
    @click.pass_obj
    @wraps(verb)
    def wrapped(rooms: Any, *args: Any, **kwargs: Any) -> Any:
        limit, only = kwargs.pop("limit"), kwargs.pop("only")
        taken = rooms.together(only) if only else ()
        said = more_than_asked(only, taken)
        if said:
            click.echo(said, err=True)
        return verb(*args, scope=Scope(limit, taken, partial(rooms.desired, only=taken)), **kwargs)

    return wrapped


def more_than_asked(only: tuple[str, ...], taken: tuple[str, ...]) -> str:
    """What to say when a concern does not come alone; "" when nothing is to be said."""
    more = [name for name in taken if name not in only]
    if not more:
        return ""
    asked = ", ".join(dict.fromkeys(only))
    return f"cjsm: {asked} shares one Postfix and one set of maps with {', '.join(more)}: all are taken"
