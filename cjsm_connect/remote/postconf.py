"""Postfix's settings as it understands them, postconf(1): main.cf, and what single services have instead.

Standard library of Python 3.9.
"""

from __future__ import annotations

from typing import Any

from cjsm_connect.remote.once import attempt

# all at once: most of what postconf costs is its start, and every topic wants some
MAIN = ["postconf", "-x"]
SERVICES = ["postconf", "-Px"]


def parsed(text: str) -> dict[str, Any]:
    """The output of postconf(1): {name: value}."""
    rows = (line.split("=", 1) for line in text.splitlines() if "=" in line)
    return {name.strip(): value.strip() for name, value in rows}


def main() -> dict[str, Any]:
    """All effective settings of main.cf, defaults included and $names expanded; {} where there is no Postfix."""
    return parsed(attempt(MAIN)[1])


def everywhere(names: tuple[str, ...]) -> list[tuple[str, str]]:
    """Each named setting, main.cf's first, then those of master.cf's services: (NAME or SERVICE/NAME, value)."""
    rows = [*main().items(), *parsed(attempt(SERVICES)[1]).items()]
    return [(where, value) for where, value in rows if where.split("/")[-1] in names]


def by_name(names: tuple[str, ...]) -> dict[str, list[str]]:
    """{name: its values, main.cf's first}; {} where there is no Postfix."""
    found = everywhere(names)
    return {name: [value for where, value in found if where.split("/")[-1] == name] for name in names if found}
