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
WRITTEN = re.compile(r"\b(cidr|pcre|regexp|texthash):(/[^\s,}]+)")
ELSEWHERE = re.compile(r"\b(tcp|socketmap|ldap|mysql|pgsql|sqlite|mongodb|memcache|nis|netinfo):[^\s,}]")
"""Tables whose answers come from another program, as a policy service's do (DATABASE_README)."""
TOLD = re.compile(r"(REJECT|DEFER\w*|WARN|INFO|OK|DUNNO|PASS|IGNORE|[245]\d\d)\b", re.IGNORECASE)
"""Results that end there, or whose rest is told to somebody; any other may be a list of restrictions (access(5))."""
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
        elif ELSEWHERE.search(value):
            yield {"where": where, "what": "a table decides that another program answers for: " + value[:200]}


def _acts(key: str, result: str) -> bool:
    if TOLD.match(result.strip()):
        return False
    return bool(ACTION.search(result) or "check_policy_service" in result or ELSEWHERE.search(result))


def _discards(key: str, result: str) -> bool:
    return bool(DISCARDED.match(result.strip())) and key != SELF_TEST


def _rows(value: str, asked: Any) -> Iterator[str]:
    """The rows of a setting's tables for which that is so; what stands in the setting itself is searched as text."""
    for table in COMPILED.findall(value):
        for line in attempt(["postmap", "-s", table])[1].splitlines():
            key, _, result = line.partition("\t")
            if asked(key, result):
                yield "%s: %s %s" % (table, key, result[:100])
    for kind, path in WRITTEN.findall(value):
        for line in _lines(read(path)):
            key = line.split(None, 1)[0]
            result = _last(line) if kind in ("pcre", "regexp") else line[len(key) :].strip()
            if asked(key, result):
                yield "%s: %s" % (path, " ".join(line.split())[:150])
    inline = COMPILED.sub("", WRITTEN.sub("", value))
    if asked is _acts and ACTION.search(inline):
        yield value[:200]


def _lines(text: str) -> list[str]:
    """The rows of a table: a line that begins with white space continues the one before it (postmap(1))."""
    rows: list[str] = []
    for line in text.splitlines():
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        if line[0].isspace() and rows:
            rows[-1] += " " + line.strip()
        else:
            rows.append(line.strip())
    return rows


def _last(line: str) -> str:
    """The result of a row of a table of patterns, which may hold spaces themselves: what follows the pattern's end."""
    pattern = re.match(r"^\s*!?(\W)(?:\\.|(?!\1).)*\1\w*\s+(.*)$", line)
    return pattern[2] if pattern else " ".join(line.split()[1:])
