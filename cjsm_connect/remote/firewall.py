"""The firewall on a host: compare, load with a way back, confirm, undo. Standard library of Python 3.9.

A change is loaded live under the timer of undo.py, which takes it back. Only `confirm`, called over a fresh SSH
connection, writes the rules for boot: whoever locks himself out is let in again when the time is over.
The nftables unit is never started, stopped or reloaded by us: its ExecStop flushes the rules of everybody.

Every function takes one dict: {"table": "inet cjsm", "boot_path": ..., "ruleset": text}.
"""

from __future__ import annotations

import fnmatch
import hashlib
import json
import os
from typing import Any

from cjsm_connect.remote import common

TABLE = "inet cjsm"
BOOT = "/etc/nftables.d/cjsm.nft"
LOG = "/var/log/ulog/firewall.log"  # dropped packets, as ulogd2 records them
MAIN = "/etc/nftables.conf"  # what nftables.service loads at boot
STATE = "/var/lib/cjsm/firewall"
UNDO = STATE + "/undo.nft"
PENDING = "/var/lib/cjsm/undo/pending.json"  # a change that waits to be confirmed, see undo.py
NFT = "/usr/sbin/nft"
SERVICE = "nftables.service"

# Debian's own file holds three empty chains behind a `flush ruleset`; this takes its place. A file that an
# administrator has written is kept and gets only the include line.
FRESH_MAIN = """\
#!/usr/sbin/nft -f
# Loaded at boot by nftables.service. Each file below replaces only its own tables: tables of other programs stay.
# Own tables belong in this file or in files of their own that it includes.
"""


def state(wall: dict[str, Any], unit: str = "") -> dict[str, Any]:
    """How this host stands: the boot file's digest, whether its rules are the live ones, whether they come at boot.

    `unit`: systemd's word for the state of nftables.service, if somebody has asked already.
    """
    boot = common.read(wall["boot_path"])
    return {
        "boot": sha256(boot) if boot else "",
        "live_is_boot": bool(boot) and (as_confirmed(wall["table"], boot) or same(wall["table"], boot)),
        "enabled": enabled(wall["boot_path"], unit),
    }


def settled(wall: dict[str, Any]) -> bool:
    """Is there nothing to do: these rules live and loaded at boot?"""
    return state(wall) == {"boot": sha256(wall["ruleset"]), "live_is_boot": True, "enabled": True}


def load(wall: dict[str, Any]) -> None:
    """Load new rules live, in one transaction that replaces only our own table. The way back was kept before.

    Raises:
        Failed: nft refuses the rules; then nothing has changed.
    """
    common.run([NFT, "-c", "-f", "-"], text=wall["ruleset"])
    common.run([NFT, "-f", "-"], text=wall["ruleset"])


def confirm(wall: dict[str, Any]) -> dict[str, Any]:
    """Keep the new rules at boot too. Call it over a connection that was opened after `load`.

    Raises:
        Failed: other rules are live than those that were tried, or the boot configuration would not load.
    """
    if not same(wall["table"], wall["ruleset"]):
        raise common.Failed("expected the new firewall rules to be live, found others: somebody has changed them since")
    replace(wall["boot_path"], wall["ruleset"], 0o600)
    load_at_boot(wall["boot_path"])
    common.run(["systemctl", "enable", "--quiet", SERVICE])
    replace(STATE + "/confirmed.json", json.dumps(confirmed(wall["table"], wall["ruleset"])), 0o600)
    return state(wall)


def counters(table: str) -> dict[str, int]:
    """Packets of every named counter of a table; a table that is not there counts nothing."""
    if not live(table):
        return {}
    found = json.loads(common.run([NFT, "-j", "list", "counters", "table", *table.split()]))["nftables"]
    return {item["counter"]["name"]: item["counter"]["packets"] for item in found if "counter" in item}


def counted(arguments: dict[str, Any]) -> dict[str, int]:
    """The counters of arguments["table"], as a live try."""
    return counters(arguments["table"])


def sha256(text: str) -> str:
    """SHA-256 of a text's UTF-8 bytes, in hex."""
    return hashlib.sha256(text.encode()).hexdigest()


def live(table: str) -> str:
    """The live rules of one table without counter values; "" when there is no such table, or no nft yet.

    Raises:
        Failed: nft could not tell. That must not pass for "no table": the way back would open the host.
    """
    code, out, err = common.attempt([NFT, "-s", "list", "table", *table.split()])
    if code and code != 127 and "No such file or directory" not in err:
        raise common.Failed("nft could not list table %s: %s" % (table, err.strip()[-400:]))
    return "" if code else out


def listing(table: str, ruleset: str) -> str:
    """How nft would list a ruleset: it is loaded in a network namespace of its own, which ends with the command.

    Comparing two listings sees every difference and nothing else, whatever order or spelling a file uses.
    """
    script = 'nft -f - && exec nft -s list table "$@"'
    code, out, _ = common.attempt(["unshare", "--net", "sh", "-c", script, "sh", *table.split()], text=ruleset)
    return "" if code else out


def same(table: str, ruleset: str) -> bool:
    """Are the live rules of this table exactly those of the ruleset?"""
    found = live(table)
    return bool(found) and found == listing(table, ruleset)


def confirmed(table: str, boot: str) -> dict[str, str]:
    """A boot file and the listing of what is live beside it, as digests."""
    return {"table": table, "boot": sha256(boot), "live": sha256(live(table))}


def as_confirmed(table: str, boot: str) -> bool:
    """Are the boot file and the listing of the live rules still those that were found to be the same by `confirm`?

    Spares the namespace when nothing has changed. False only means that it has to be looked at: a newer nft may list
    the same rules in another way.
    """
    noted = common.read(STATE + "/confirmed.json")
    return bool(noted) and noted == json.dumps(confirmed(table, boot))


def enabled(boot_path: str, unit: str = "") -> bool:
    """Will the rules be loaded at the next boot, before the network is up?"""
    unit = unit or common.attempt(["systemctl", "is-enabled", SERVICE])[1].strip()
    return unit == "enabled" and loads(common.read(MAIN), boot_path)


def loads(main: str, boot_path: str) -> bool:
    """Does this nftables.conf include the boot file, and nothing behind it throw the rules away?"""
    loaded = False
    for line in (line.strip().rstrip(";") for line in main.splitlines()):
        if line.startswith("include "):
            loaded = loaded or fnmatch.fnmatch(boot_path, line[len("include ") :].strip(" \"'"))
        elif line.split() == ["flush", "ruleset"]:
            loaded = False
    return loaded


def load_at_boot(boot_path: str) -> None:
    """Make nftables.conf include the boot file; tables an administrator has written there stay as they are."""
    main = main_with(boot_path)
    if common.read(MAIN) != main:
        replace(MAIN, main, 0o755, checked=True)


def main_with(boot_path: str) -> str:
    """What nftables.conf must be for the boot file to be loaded; as it is if it does that already."""
    main = common.read(MAIN)
    if loads(main, boot_path):
        return main
    if not main.strip() or is_stock(main):
        main = FRESH_MAIN
    return '%s\ninclude "%s"\n' % (main.rstrip("\n"), boot_path)


def is_stock(main: str) -> bool:
    """Is this the nftables.conf that Debian ships? dpkg knows its digest, whatever the release."""
    _, out, _ = common.attempt(["dpkg-query", "-W", "-f", "${Conffiles}", "nftables"])
    digest = hashlib.md5(main.encode(), usedforsecurity=False).hexdigest()
    return [MAIN, digest] in [line.split()[:2] for line in out.splitlines()]


def replace(path: str, text: str, mode: int, checked: bool = False) -> None:
    """Write a file beside its place and rename it there; `checked`: only if nft would load it."""
    os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
    new = path + ".cjsm-new"
    if os.path.lexists(new):
        os.unlink(new)
    common.write_private(new, text, mode)
    if checked:
        common.run([NFT, "-c", "-f", new])
    os.replace(new, path)
    descriptor = os.open(os.path.dirname(path), os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def keep_way_back(table: str) -> None:
    """Write the one transaction that brings back what is live now: our table as it is, or none."""
    os.makedirs(STATE, mode=0o700, exist_ok=True)
    replace(UNDO, "table %s\ndelete table %s\n%s" % (table, table, live(table)), 0o600)


def forget_way_back() -> None:
    """Once a change stays or was taken back: a later way back must not bring rules of an earlier change."""
    if os.path.exists(UNDO):
        os.unlink(UNDO)


def armed() -> bool:
    """Is a change waiting to be confirmed?"""
    return os.path.exists(PENDING)
