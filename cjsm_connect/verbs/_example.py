"""What of an organisation's folder was copied from the example and never replaced, as the verbs tell it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from cjsm_connect.organisation.example import Forgotten

SHOWN = 10


def left_over(folder: Path) -> tuple[Forgotten, ...]:
    """What is the example's in this folder; nothing in a lab's, whose addresses are reserved ones on purpose."""
    from cjsm_connect.lab import lab_of
    from cjsm_connect.probes import example

    return () if lab_of(folder) else example.left_over(folder)


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
