"""Templates -> text. A missing value is an error, never an empty place in a configuration; and no value is written but
as the template's language writes values (languages.py)."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from cjsm_connect.rooms import ROOT

from .languages import TEMPLATES as LANGUAGES
from .languages import Written

TEMPLATES = ROOT / "templates"


def template(name: str, /, **values: Any) -> Written:
    """Render `templates/NAME` with `values`. Jinja2 with StrictUndefined; the final newline is kept.

    Raises:
        Unwritable: a value would mean something else in the template's language.
    """
    language = LANGUAGES[name]
    return language.written(_environment(language.name).get_template(name).render(**values))


def fragment(name: str, /, **values: Any) -> Written:
    """The same for a part of a file, without the final newline."""
    return LANGUAGES[name].written(template(name, **values).rstrip("\n"))


@cache
def _environment(name: str) -> Environment:
    language = next(each for each in LANGUAGES.values() if each.name == name)
    # configuration files, not HTML: their own languages take the place of escaping
    environment = Environment(  # noqa: S701
        loader=_LOADER,
        bytecode_cache=_compiled(name),
        undefined=StrictUndefined,
        finalize=language.value,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters = {"comment": language.comment}  # no other: what joins or replaces makes a value anew
    return environment


_LOADER = FileSystemLoader(TEMPLATES)


def _compiled(name: str) -> FileSystemBytecodeCache | None:
    """Compiled templates go where Python's own compiled modules go, if the launcher has said where (40 ms a start).
    Those of each language apart: what is compiled knows whether its values pass through a language."""
    if not sys.pycache_prefix:
        return None
    folder = Path(sys.pycache_prefix) / "templates" / name
    folder.mkdir(parents=True, exist_ok=True)
    return FileSystemBytecodeCache(str(folder))
