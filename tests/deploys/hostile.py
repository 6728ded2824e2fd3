"""Organisations with hostile values: whatever a field accepts, its files have the same directives and no new ones."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from copy import deepcopy
from functools import cache
from pathlib import Path
from typing import Any

from cjsm_connect.organisation import Organisation, OrganisationError, parse
from cjsm_connect.probes.connections import ssh_configuration
from deploys.connection import desired
from tests.made_up import FINGERPRINT, TODAY, authority, lab_file, merged

# what each language would take for more than a value
SNIPPETS = (
    "\nNEEDLE",
    "\n\tNEEDLE = permit",
    "\r\nNEEDLE",
    "\0NEEDLE",
    "\u2028NEEDLE",
    "\u0085NEEDLE",
    "\x0bNEEDLE",
    " NEEDLE ",
    '";NEEDLE{"id";};//',
    '" NEEDLE="x',
    '"',
    "'",
    "';NEEDLE;'",
    "$(NEEDLE)",
    "`NEEDLE`",
    "${NEEDLE}",
    "$NEEDLE",
    "%n",
    "%d%h",
    "; NEEDLE",
    "#NEEDLE",
    " # NEEDLE",
    "\\",
    "\\\nNEEDLE",
    "\\n",
    "{NEEDLE}",
    "}\nNEEDLE {",
    "} NEEDLE",
    ",NEEDLE",
    ", permit",
    "%x\nbindcmdaddress 0.0.0.0",
    "%eth0",
    "*",
    "?",
    "[NEEDLE]",
    "!",
    "|NEEDLE",
    "&NEEDLE",
    "<NEEDLE>",
    "//NEEDLE",
    "/../NEEDLE",
    " -o NEEDLE=1",
    "-oNEEDLE",
    ":NEEDLE@",
    "@NEEDLE",
    "=NEEDLE",
    "~",
    "^",
    "\u202eNEEDLE",
    "\u200b",
    "\ufeff",
    "\u00ad",
    "٣",
    "é",
)
SPECIAL = "\n\r\t\0\x0b\x1b \"'`$%;#\\{}()[],|&<>!*?=:@/~^-+._\u2028\u2029\u0085\u00a0\u200b\u202e\ufeff\u3002٣éx"

SSH = {"user": "operator", "agent": True, "sudo": "passwordless"}
TESTER = {
    "name": "Jo Bloggs",
    "approver": "Robin Signatory",
    "reason": "an assessment",
    "addresses": ["203.0.113.40", "2001:db8::40"],
    "fingerprints": [":".join(["cd"] * 32)],
}
FLOW = {
    "name": "imap",
    "source": ["192.0.2.0/24"],
    "host": "mail",
    "ports": [993],
    "reason": "Staff read.",
    "approver": "Chris",
}
HOOK = {
    "milter": "unix:/run/vendor/milter.sock",
    "units": ["vendor.service"],
    "status": ["/opt/vendor/status"],
    "memory": 10**9,
}


def _full() -> dict[str, Any]:
    from datetime import UTC, datetime

    window = {"start": datetime(2026, 11, 20, tzinfo=UTC), "expiry": datetime(2026, 11, 25, tzinfo=UTC)}
    return merged(
        lab_file(),
        {
            "estate": {
                "proxy": "http://[2001:db8::80]:3128/",
                "dns": ["203.0.113.30", "2001:db8::53"],
                "ntp": ["2001:db8::123"],
            },
            "hub": {
                "auth": {"user": "council", "password_ref": "env:HOSTILE_PASSWORD"},
                "sources": ["203.0.113.21", "2001:db8::21"],
                "testers": [{**TESTER, **window}],
                "fingerprints": [FINGERPRINT],
                "fingerprints_file": None,
            },
            "syslog": {"target": "syslog.council.example:6514", "addresses": ["203.0.113.30"], "ca_file": "hub/ca.pem"},
            "flows": [FLOW],
            "recipients": {"mode": "file", "addresses": ["clerk@council.example"]},
            "domains": {"accept_suffixed": True},
            "policy": {"log_days": {"value": 200, "source": "our schedule"}},
        },
    )


def _hooked() -> dict[str, Any]:
    pinned = [{**host, "inner_fingerprint": FINGERPRINT} for host in lab_file()["hosts"]]
    patching = {"system": "hook", "hook": {"units": ["site.timer"], "status": ["/opt/site/status", "--json"]}}
    return merged(
        lab_file(),
        {
            "hosts": [{**host, "mailboxes": "existing"} if host["role"] == "mail" else host for host in pinned],
            "inner": {"mode": "pinned", "ca_file": None},
            "antivirus": {"scanner": "hook", "hook": HOOK},
            "patching": patching,
        },
    )


@cache
def bases() -> tuple[dict[str, Any], ...]:
    """Organisation files in which, together, every field that reaches a host is set."""
    return tuple(base for base in (lab_file(), _full(), _hooked()) if parsed(base))


# a host's name is part of the name of its certificate's file, and others refer to it: another name is another estate
REFERRED_TO = re.compile(r"hosts/\d+/(name|interfaces)|vantage/\d+/name|estate/networks/\d+/name|flows/\d+/(name|host)")


def places(value: Any, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Where a text stands in a file, but for what others refer to."""
    entries = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in entries:
        yield from places(inner, (*path, key))
    if isinstance(value, str) and not REFERRED_TO.match("/".join(map(str, path))):
        yield path


def replaced(base: dict[str, Any], path: tuple[str | int, ...], made: Any) -> dict[str, Any]:
    """The file with another value in one place. `made`: from the text that stands there."""
    found = deepcopy(base)
    table: Any = found
    for step in path[:-1]:
        table = table[step]
    table[path[-1]] = made(table[path[-1]])
    return found


def parsed(mapping: dict[str, Any]) -> Organisation | None:
    """The organisation, with all its certificates; None where the file is refused."""
    names = [host["name"] for host in mapping["hosts"] if isinstance(host.get("name"), str)]
    answers = {f"certificates/{name}{kind}.pem": authority() for name in names for kind in ("", "-inner")}
    files = {"hub/ca.pem": authority(), "hub/inner-ca.pem": authority(), "hub/fingerprints.txt": FINGERPRINT, **answers}
    try:
        return parse(mapping, {**files, "known_hosts": "", "ssh_config": ""}, TODAY, folder=Path("/organisation"))
    except OrganisationError:
        return None


def files_of(made: Organisation) -> dict[tuple[str, str], str]:
    """Every text that reaches a host or a program, by host and path."""
    texts = {("here", "ssh_config"): ssh_configuration(made, Path("/tmp/x"))}
    for host in made.hosts:
        wanted = desired(made, host)
        texts |= {(host.name, file.path): file.content for file in wanted.files}
        texts |= {(host.name, f"maps/{one.name}"): "".join(f"{a} {b}\n" for a, b in one.rows) for one in wanted.maps}
        texts |= {(host.name, wall.boot_path): wall.ruleset for wall in wanted.firewalls}
        texts |= {
            (host.name, f"{one.path}+"): "".join(f"{a} = {b}\n" for a, b in one.entries) for one in wanted.settings
        }
    return texts


def shape(path: str, content: str) -> Counter[tuple[Any, ...]]:
    """How often each form of line is in a text: how many words it has and which signs that could mean something.

    Of a comment only that it is one. Texts in double quotes are one word; their quotes have to be closed.
    """
    found: Counter[tuple[Any, ...]] = Counter()
    for line in re.split("[\n\r\x0b\x0c\x1c-\x1e\x85\u2028\u2029]", content):
        bare = line.strip()
        if bare.startswith(("#", "//")) and not bare.startswith(("#!", "#clear")):
            found["comment",] += 1
            continue
        unquoted = re.sub('"[^"]*"', "Q", bare)
        signs = "".join(re.findall(r"[^\w\s.:/,@+~=é-]", unquoted))
        found[len(unquoted.split()), signs, line[:1].isspace()] += 1
    return found


def differences(base: Organisation, made: Organisation) -> list[str]:
    """Where the files of an organisation have another structure than those of the one it was made from."""
    before, after = files_of(base), files_of(made)
    told = [f"{place}: only in one" for place in sorted(before.keys() ^ after.keys())]
    for place in sorted(before.keys() & after.keys()):
        old, new = shape(place[1], before[place]), shape(place[1], after[place])
        if old != new:
            told.append(f"{place}: lost {dict(old - new)}, new {dict(new - old)}")
    return told


MOST_TRIED = 10  # snippets for each place


def accepted(base: dict[str, Any], turn: int) -> dict[str, Any]:
    """A file with a hostile value in every place that accepts one, each place beginning with another snippet."""
    found = base
    for number, path in enumerate(places(base)):
        for step in range(MOST_TRIED):
            snippet = SNIPPETS[(turn + number + step) % len(SNIPPETS)]
            tried = replaced(found, path, lambda text, snippet=snippet: text[:-1] + snippet + text[-1:])
            if parsed(tried):
                found = tried
                break
    return found
