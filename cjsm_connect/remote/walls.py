"""The firewall for a snapshot: its state, and only where it differs from what is wanted also how. Reads only."""

from __future__ import annotations

from typing import Any

from cjsm_connect.remote import common, firewall, traffic

LARGEST = 60_000  # characters of a listing or a difference that a plan may show


def observe(wall: dict[str, Any], unit: str = "") -> dict[str, Any]:
    """`firewall.state`; and if it is not as wanted: `boot_text`, `live` (live rules against the boot file's, as a
    unified difference of nft's own listings), `foreign` (tables of others, which nobody touches) and `traffic` (what
    other rules could close, see traffic.observe).

    Arguments: table, boot_path, sha256 (of the wanted ruleset). `unit`: see `firewall.state`.
    """
    state = firewall.state(wall, unit)
    if state == {"boot": wall["sha256"], "live_is_boot": True, "enabled": True}:
        return state
    boot = common.read(wall["boot_path"])
    changed = "" if state["live_is_boot"] else difference(wall["table"], boot)
    return dict(
        state, boot_text=boot[:LARGEST], live=changed, foreign=foreign(wall["table"]), traffic=traffic.observe()
    )


def difference(table: str, boot: str) -> str:
    """What is live against what the boot file says, "" when nothing is live: a first apply replaces nothing."""
    import difflib  # nothing of it is needed where nothing differs

    live = firewall.live(table)
    if not live:
        return "-table %s\n" % table if boot else ""
    wanted = firewall.listing(table, boot) if boot else ""
    rows = difflib.unified_diff(wanted.splitlines(True), live.splitlines(True), "boot file", "live rules", n=1)
    return "".join(rows)[:LARGEST]


def foreign(table: str) -> list[str]:
    """Tables that are not ours, as nft names them: "inet filter"."""
    _, out, _ = common.attempt([firewall.NFT, "list", "tables"])
    names = [line.partition("table ")[2].strip() for line in out.splitlines()]
    return [name for name in names if name and name != table]
