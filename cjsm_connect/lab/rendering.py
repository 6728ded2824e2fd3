"""Templates of the lab's own hosts; nothing of them is used on a managed host."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).with_name("templates")


@cache
def _environment() -> Environment:
    return Environment(
        loader=FileSystemLoader(TEMPLATES), undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True,
        keep_trailing_newline=True, autoescape=False,  # noqa: S701  configuration files, not HTML
    )  # fmt: skip


def render(template: str, **values: Any) -> str:
    """A file's content from its template; a name that is missing is an error."""
    return _environment().get_template(template).render(**values)
