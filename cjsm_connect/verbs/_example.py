"""What of an organisation's folder was copied from the example and never replaced, as the verbs tell it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from cjsm_connect.organisation.example import FILE, Forgotten, forgotten
from cjsm_connect.results import inputs
from cjsm_connect.rooms import ROOT

EXAMPLE = ROOT / "inventories" / "example"
SHOWN = 10


def left_over(folder: Path) -> tuple[Forgotten, ...]:
    """What is the example's in this folder; nothing in a lab's, whose addresses are reserved ones on purpose."""
    from cjsm_connect.lab import lab_of

    if lab_of(folder) or not EXAMPLE.is_dir():
        return ()
    places = [path for path in EXAMPLE.rglob("*") if path.suffix in (".pem", ".txt", ".csv")]
    samples = {str(path.relative_to(EXAMPLE)): _text(path) for path in places}
    texts = {name: _text(folder / name) for name in samples}
    return forgotten(_table(folder / FILE), texts, _table(EXAMPLE / FILE), samples)


def _table(path: Path) -> dict[str, Any]:
    """What a verb has read before, or will say is wrong."""
    try:
        return inputs.toml(inputs.text(path, inputs.ORGANISATION))
    except (inputs.Unreadable, ValueError):
        return {}


def _text(path: Path) -> str:
    try:
        return inputs.text(path, inputs.LIST)
    except inputs.Unreadable:
        return ""


def told(found: Sequence[Forgotten], most: int = SHOWN) -> Iterator[str]:
    """A line for each, under a heading; of many the first ones."""
    if not found:
        return
    yield f"Still the example's, which belongs to nobody and counts as missing: {len(found)}"
    yield from (f"  {one.file}: {one.key}: {one.value}" for one in found[:most])
    if len(found) > most:
        yield f"  and {len(found) - most} more: cjsm application names all"


def refusals(found: Sequence[Forgotten]) -> tuple[str, ...]:
    """With these nothing works, and something could be trusted that nobody answers for."""
    return tuple(
        f"{one.file} is still the example's ({one.key}): nobody has the private key to it. Replace the file"
        for one in found
        if one.file.startswith("hub/")
    )
