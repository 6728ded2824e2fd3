"""Whom this mail server takes mail for that it cannot deliver. Reads only.

local(8) finds out only after the message was accepted, and then a stranger gets a bounce. Standard library of Python
3.9.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Iterable
from typing import Any

from cjsm_connect.remote import postconf
from cjsm_connect.remote.common import read
from cjsm_connect.remote.once import attempt

TABLE = re.compile(r"[a-z]+:(?:\{[^{}]*\}|[^\s,{}]+)")
COMPILED = re.compile(r"\b(?:hash|btree|lmdb|cdb):/[^\s,}]+")
MOST = 50
DEEP = 10  # aliases of aliases; local(8) goes on for longer


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """`names`: accounts that are tried from outside. {"aliases": those that are aliases here, "unreal": [[name, why]]}.

    "unreal" are accounts and aliases for which mail is taken, and for which there is no mailbox in the end.
    """
    main = postconf.main()
    if not main:
        return {"aliases": [], "unreal": []}
    aliases = listed(main["alias_maps"])
    accounts = {entry.pw_name: entry for entry in pwd.getpwall()}
    taken = accepted(main["local_recipient_maps"], [*accounts, *aliases])
    reasons = [(name, why(name, accounts, aliases)) for name in taken]
    unreal = [[name, reason] for name, reason in reasons if reason]
    return {"aliases": [name for name in arguments["names"] if name in aliases], "unreal": unreal[:MOST]}


def listed(maps: str) -> dict[str, str]:
    """{alias: its targets} of all tables; postmap(1) -s."""
    said = (attempt(["postmap", "-s", table])[1] for table in COMPILED.findall(maps))
    rows = (line.partition("\t") for text in said for line in text.splitlines())
    return {key.strip("\0").strip(): value.strip("\0").strip() for key, _, value in rows}


def accepted(maps: str, names: Iterable[str]) -> list[str]:
    """Those of the names that a list of tables knows; every name where there is no list (postconf(5))."""
    asked = list(dict.fromkeys(names))
    if not maps.strip():
        return asked
    text = "".join(name + "\n" for name in asked)
    said = (attempt(["postmap", "-q", "-", table], text)[1] for table in TABLE.findall(maps))
    known = {line.partition("\t")[0] for answer in said for line in answer.splitlines()}
    return [name for name in asked if name in known]


def why(name: str, accounts: dict[str, Any], aliases: dict[str, str], depth: int = 0) -> str:
    """Why mail for a name ends in no mailbox; "" if it ends in one, or leaves this host."""
    if name in aliases and depth < DEEP:
        reasons = (target(word, accounts, aliases, depth) for word in targets(aliases[name]))
        return next(filter(None, reasons), "")
    account = accounts.get(name)
    if account is None:
        return "" if "@" in name else "%s is neither an account nor an alias" % name
    return home(account.pw_dir, account.pw_uid)


def target(word: str, accounts: dict[str, Any], aliases: dict[str, str], depth: int) -> str:
    """The same of one target of an alias (aliases(5))."""
    if word.startswith("|"):
        return "a program gets it, and it is returned when that fails"
    if word.startswith("/"):
        return "" if os.path.exists(word) else "there is no file " + word
    if word.startswith(":include:"):
        path = word[len(":include:") :]
        return "" if read(path) else "the list %s is empty or not there" % path
    return why(word.lower(), accounts, aliases, depth + 1)


def targets(text: str) -> list[str]:
    """The targets of an alias, without the quotes around them."""
    found = re.findall(r'"((?:[^"\\]|\\.)*)"|([^,\s][^,]*)', text)
    return [(quoted or plain).strip().lstrip("\\") for quoted, plain in found if (quoted or plain).strip()]


def home(path: str, user: int) -> str:
    """Why a Maildir in a home cannot be written by its user; "" if it can."""
    if not os.path.isdir(path):
        return "its home %s is not there" % path
    owner = os.stat(path + "/Maildir" if os.path.isdir(path + "/Maildir") else path).st_uid
    return "" if owner == user else "it may not write to %s" % path
