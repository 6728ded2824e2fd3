"""The three mail concerns together, for tests: certificates given back or not, and what a host then wants."""

from __future__ import annotations

from typing import Any

from cjsm_connect.desired import Desired, Map, merge
from cjsm_connect.organisation import Organisation
from deploys import domains, relay, tls
from tests.made_up import authority, organisation

ANSWERED = {f"certificates/{name}.pem": authority() for name in ("relay", "relay-inner", "mail-inner")}


def answered(**changes: Any) -> Organisation:
    """The lab's organisation with every certificate given back."""
    made = organisation(**changes)
    return made.model_copy(update={"files": {**made.files, **ANSWERED}})


def wanted(where: Organisation, host: str) -> Desired:
    """What the three concerns want of a host, merged."""
    return merge(part.desired(where, where.host(host)) for part in (tls, relay, domains))


def content(desired: Desired, path: str) -> str:
    """The content of a file of Desired."""
    return next(file.content for file in desired.files if file.path == path)


def table(desired: Desired, name: str) -> dict[str, str]:
    """The rows of a lookup table of Desired."""
    found: Map = next(table for table in desired.maps if table.name == name)
    return dict(found.rows)


def services(text: str) -> dict[str, str]:
    """master.cf as {NAME: whole entry}; comment lines inside an entry are left out (master(5))."""
    found: dict[str, str] = {}
    name = ""
    for line in text.splitlines():
        if line.lstrip().startswith("#") or not line.strip():
            continue
        name = name if line[0].isspace() else line.split()[0]
        found[name] = found.get(name, "") + line + "\n"
    return found


def settings(text: str) -> dict[str, str]:
    """main.cf as {name: value}; it must not set a name twice."""
    rows = [line.partition("=") for line in text.splitlines() if line.strip() and not line.startswith("#")]
    names = [name.strip() for name, _, _ in rows]
    assert len(names) == len(set(names)), "a setting stands there twice"
    return {name.strip(): value.strip() for name, _, value in rows}
