"""What tables and policy services may tell Postfix to do with a message beyond taking or refusing it. Reads only.

access(5), header_checks(5) and transport(5) name the actions. Standard library of Python 3.9.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cjsm_connect.remote.common import read
from cjsm_connect.remote.once import attempt

# settings that name access(5) tables, or a service that decides; header_checks(5) tables have the same actions
DECIDES = re.compile(r"^(smtpd_\w+_restrictions|\w*(header|body)_checks)$")
ACTION = re.compile(r"\b(DISCARD|REDIRECT|FILTER|HOLD|BCC|PREPEND|REPLACE|STRIP)\b", re.IGNORECASE)
DISCARDED = re.compile(r"^discard(:|$)")
COMPILED = re.compile(r"\b(?:hash|btree|lmdb|cdb|sdbm|dbm):/[^\s,}]+")
WRITTEN = re.compile(r"\b(?:cidr|pcre|regexp|texthash):(/[^\s,}]+)")
SELF_TEST = "discard@selftest.invalid"
MOST = 50

Row = dict[str, str]


def observe(main: dict[str, str], services: dict[str, Any]) -> list[Row]:
    """[{"where": "main.cf/SETTING" or "SERVICE/SETTING", "what": "TABLE: ROW"}], of all effective settings."""
    values = [("main.cf/" + name, value) for name, value in main.items()]
    values += [(name + "/" + one, value) for name, found in services.items() for one, value in found["options"].items()]
    classes = set(main.get("smtpd_restriction_classes", "").replace(",", " ").split())
    rows = [row for where, value in values for row in _of(where, value, classes)]
    return rows[:MOST]


def _of(where: str, value: str, classes: set[str]) -> Iterator[Row]:
    name = where.rpartition("/")[2]
    if name == "transport_maps":
        yield from ({"where": where, "what": row} for row in _rows(value, _discards))
    elif DECIDES.match(name) or name in classes:
        yield from ({"where": where, "what": row} for row in _rows(value, _acts))
        if "check_policy_service" in value:
            yield {"where": where, "what": "a policy service decides: " + value[:200]}


def _acts(key: str, result: str) -> bool:
    return bool(ACTION.match(result.strip()))


def _discards(key: str, result: str) -> bool:
    return bool(DISCARDED.match(result.strip())) and key != SELF_TEST


def _rows(value: str, asked: Any) -> Iterator[str]:
    """The rows of a setting's tables for which that is so; what stands in the setting itself is searched as text."""
    for table in COMPILED.findall(value):
        for line in attempt(["postmap", "-s", table])[1].splitlines():
            key, _, result = line.partition("\t")
            if asked(key, result):
                yield "%s: %s %s" % (table, key, result[:100])
    for path in WRITTEN.findall(value):
        for line in read(path).splitlines():
            key, _, result = line.strip().partition(" ")
            if not line.startswith("#") and asked(key, _last(line)):
                yield "%s: %s" % (path, line.strip()[:150])
    inline = COMPILED.sub("", WRITTEN.sub("", value))
    if asked is _acts and ACTION.search(inline):
        yield value[:200]


def _last(line: str) -> str:
    """The result of a row of a table of patterns, which may hold spaces themselves: what follows the pattern's end."""
    pattern = re.match(r"^\s*!?(\W)(?:\\.|(?!\1).)*\1\w*\s+(.*)$", line)
    return pattern[2] if pattern else line.strip().partition(" ")[2].strip()
