"""The lookup tables that follow from the list of domains: all rows as compiled, and whether they are the source's."""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from typing import Any

from cjsm_connect.remote import postconf
from cjsm_connect.remote.common import read
from cjsm_connect.remote.once import attempt

# postconf(5): the lists of domains that a Postfix takes mail for
CLASSES = ("mydestination", "virtual_alias_domains", "virtual_mailbox_domains", "relay_domains")
ROWS = 20_000  # of a longer table only a digest and counts are told


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """`folder` of the tables, their `names`, and `domains` that mail must be taken for."""
    return {
        "set": os.path.realpath(arguments["folder"]),
        "tables": {name: table(os.path.join(arguments["folder"], name)) for name in arguments["names"]},
        "taken": taken(arguments["domains"]),
        "parents": postconf.main().get("parent_domain_matches_subdomains", ""),
    }


def taken(domains: list[str]) -> list[str]:
    """Those of the domains that Postfix takes mail for: by name, in a file of names, or in a table of any kind."""
    main = postconf.main()
    lists = " ".join(main.get(name, "") for name in CLASSES)
    found: set[str] = set()
    for entry in lists.replace(",", " ").split():
        if ":/" in entry:
            _, out, _ = attempt(["postmap", "-q", "-", entry], "".join(name + "\n" for name in domains))
            found.update(line.split("\t")[0] for line in out.splitlines())
        elif entry.startswith("/"):
            found.update(read(entry).split())
        else:
            found.add(entry.lower())
    return [name for name in domains if name in found]


def table(path: str) -> dict[str, Any]:
    """One table: its compiled rows, postmap(1) -s, and whether the source beside it says the same."""
    code, out, err = attempt(["postmap", "-s", "lmdb:" + path])
    if code:
        return {"unreadable": err.strip()[-300:]}
    rows = dict(line.split("\t", 1) for line in out.splitlines() if "\t" in line)
    return {
        "rows": rows if len(rows) <= ROWS else None,
        "count": len(rows),
        "digest": digest(rows),
        "domains": dict(Counter(key.rpartition("@")[2] for key in rows)),
        "as_source": rows == source(path),
    }


def source(path: str) -> dict[str, str]:
    """The rows of a table's text as postmap(1) reads them: keys in lower case."""
    lines = (line.split(None, 1) for line in read(path).splitlines() if line.strip() and not line.startswith("#"))
    return {fields[0].lower(): fields[1].strip() for fields in lines if len(fields) == 2}


def digest(rows: dict[str, str]) -> str:
    """SHA-256 over the sorted keys, one a line."""
    return hashlib.sha256("".join(key + "\n" for key in sorted(rows)).encode()).hexdigest()
