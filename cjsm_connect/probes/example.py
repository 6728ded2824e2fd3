"""The example that README begins with, and what of an organisation's folder is still a copy of it. Asks no host."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from cjsm_connect.organisation import example
from cjsm_connect.organisation.example import FILE, Forgotten
from cjsm_connect.results import inputs
from cjsm_connect.rooms import ROOT

EXAMPLE = ROOT / "inventories" / "example"


def left_over(folder: Path) -> tuple[Forgotten, ...]:
    """Everything in this folder that is the example's."""
    if not EXAMPLE.is_dir():
        return ()
    places = [path for path in EXAMPLE.rglob("*") if path.suffix in (".pem", ".txt", ".csv")]
    samples = {str(path.relative_to(EXAMPLE)): _text(path) for path in places}
    texts = {name: _text(folder / name) for name in samples}
    return example.forgotten(_table(folder / FILE), texts, _table(EXAMPLE / FILE), samples)


def unmade(folder: Path) -> list[str]:
    """The ids of the declarations in this folder that nobody has made, because they are the example's."""
    return example.unmade(_table(folder / FILE), _table(EXAMPLE / FILE))


def _table(path: Path) -> dict[str, Any]:
    """What has been read before, or will be said to be wrong."""
    try:
        return inputs.toml(inputs.text(path, inputs.ORGANISATION))
    except (inputs.Unreadable, ValueError):
        return {}


def _text(path: Path) -> str:
    try:
        return inputs.text(path, inputs.LIST)
    except inputs.Unreadable:
        return ""
