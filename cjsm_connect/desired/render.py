"""Templates -> text. A missing value is an error, never an empty place in a configuration."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemBytecodeCache, FileSystemLoader, StrictUndefined

from cjsm_connect.rooms import ROOT

TEMPLATES = ROOT / "templates"


def template(name: str, /, **values: Any) -> str:
    """Render `templates/NAME` with `values`. Jinja2 with StrictUndefined; the final newline is kept."""
    return _environment().get_template(name).render(**values)


@cache
def _environment() -> Environment:
    # configuration files, not HTML: escaping would corrupt them
    return Environment(  # noqa: S701
        loader=FileSystemLoader(TEMPLATES),
        bytecode_cache=_compiled(),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _compiled() -> FileSystemBytecodeCache | None:
    """Compiled templates go where Python's own compiled modules go, if the launcher has said where (40 ms a start)."""
    if not sys.pycache_prefix:
        return None
    folder = Path(sys.pycache_prefix) / "templates"
    folder.mkdir(parents=True, exist_ok=True)
    return FileSystemBytecodeCache(str(folder))
