"""Where this host's mail system sends copies, or mail by itself, to other people's addresses. Reads only.

Only addresses outside the organisation's own domains are told: aliases are nobody else's business. Standard library of
Python 3.9.
"""

from __future__ import annotations

import glob
import os
import pwd
import re
from typing import Any

from cjsm_connect.remote import postconf
from cjsm_connect.remote.common import read
from cjsm_connect.remote.once import attempt

ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9.-]*[A-Za-z0-9]")
# postconf(5): copies, and addresses that are replaced by others
COPIES = ("always_bcc", "sender_bcc_maps", "recipient_bcc_maps")
REWRITTEN = ("canonical_maps", "recipient_canonical_maps", "virtual_alias_maps", "alias_maps")
COMPILED = ("hash", "btree", "lmdb", "cdb", "dbm", "sdbm")
TABLE = re.compile(r"\b(\w+):(/[^\s,}]+)")
# crontab(5), apt.conf(5): who is written to when a job says something
JOBS = ("/etc/crontab", "/etc/cron.d/*", "/var/spool/cron/crontabs/*", "/etc/anacrontab")
APT = "/etc/apt/apt.conf.d/*"
MOST = 200


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """`own`: the organisation's domains. {"found": [{"where", "kind", "to"}], "unread": [tables]}.

    A kind is "forward" or "automatic". "unread" are tables that cannot be listed, such as those of a directory server.
    """
    own = set(arguments["own"])
    values = postconf.everywhere((*COPIES, *REWRITTEN))
    # a setting may hold the address itself: always_bcc, static:ADDRESS, inline:{ ... }
    rows = [("forward", where, text) for where, text in [*values, *_tables(values), *_home_files()]]
    rows += [("automatic", where, text) for where, text in _jobs()]
    found = [
        {"where": where, "kind": kind, "to": address} for kind, where, text in rows for address in outside(text, own)
    ]
    return {"found": found[:MOST], "unread": _unread(values)}


def outside(text: str, own: set[str]) -> list[str]:
    """The addresses of other domains in a text; a name without a domain is local, a host below ours is ours."""
    return sorted({found for found in ADDRESS.findall(text) if not _ours(found.rpartition("@")[2].lower(), own)})


def _ours(domain: str, own: set[str]) -> bool:
    return any(domain == name or domain.endswith("." + name) for name in own)


def _tables(values: list[tuple[str, str]]) -> list[tuple[str, str]]:
    """What each table gives for its keys, each result with the table's name."""
    paths = dict.fromkeys(table for _, value in values for table in TABLE.findall(value))
    return [("%s:%s" % table, row) for table in paths for row in _results(*table)]


def _results(kind: str, path: str) -> list[str]:
    """The results in a table: what mail is sent to. A compiled one is listed by postmap(1) -s."""
    if kind in COMPILED:
        listed = attempt(["postmap", "-s", "%s:%s" % (kind, path)])[1].splitlines()
        return [line.partition("\t")[2] + _included(line) for line in listed]
    return [line.partition(" ")[2] for line in read(path).replace("\t", " ").splitlines() if not line.startswith("#")]


def _included(line: str) -> str:
    """The addresses of an :include: file (aliases(5))."""
    return "".join(" " + read(path) for path in re.findall(r":include:(/\S+)", line))


def _unread(values: list[tuple[str, str]]) -> list[str]:
    return sorted({word for _, value in values for word in re.findall(r"\b(?:ldap|mysql|pgsql|proxy|nis):\S+", value)})


def _home_files() -> list[tuple[str, str]]:
    """.forward files (local(8)) of everybody who has a home."""
    files = [entry.pw_dir.rstrip("/") + "/.forward" for entry in pwd.getpwall() if entry.pw_dir.startswith("/")]
    return [(path, read(path)) for path in sorted(set(files)) if os.path.isfile(path)]


def _jobs() -> list[tuple[str, str]]:
    paths = sorted(path for pattern in JOBS for path in glob.glob(pattern))
    told = re.compile(r"^\s*MAILTO\s*=(.*)", re.MULTILINE)
    found = [(path, address) for path in paths for address in told.findall(read(path))]
    mail = re.compile(r'^\s*Unattended-Upgrade::Mail(?:::\w+)?\s+"(.*)"', re.MULTILINE)
    return found + [(path, address) for path in sorted(glob.glob(APT)) for address in mail.findall(read(path))]
