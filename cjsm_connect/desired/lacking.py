"""What a host lacks and no apply can give it. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from cjsm_connect.desired import Desired
from cjsm_connect.desired.snapshot import Snapshot

GIB = 1 << 30
RESERVED = 0.1  # the part of a machine's memory that firmware and kernel may keep, and /proc/meminfo does not count


def lacking(desired: Desired, snapshot: Snapshot) -> Iterator[str]:
    """Sentences: what is needed, what for, and what is there. Nothing is said of a host that could not be looked at."""
    if not snapshot:
        return
    for need in desired.memory:
        if snapshot["memory"] < need.amount * (1 - RESERVED):
            found = f"the host has {snapshot['memory'] / GIB:.1f} GiB"
            yield f"{need.amount / GIB:.1f} GiB of memory for {need.reason}; {found}"
