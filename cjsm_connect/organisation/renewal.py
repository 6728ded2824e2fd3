"""A hub that comes with a public key which nobody has declared: which it is, in words, and what to do. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from .model import Organisation

WHAT_TO_DO = (
    "Ask the CJSM helpdesk by telephone to read out the SHA-256 of the hub's public key; if it is this one, add it to "
    "hub.fingerprints, then cjsm apply"
)


def undeclared(organisation: Organisation, found: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Of the keys that the hub's listener put off (remote/unknown_keys.py), those that are not declared since."""
    return [row for row in found if row["key"] not in organisation.hub.fingerprints]


def renewed(row: Mapping[str, Any]) -> str:
    """A key that was put off, in words, the key first: nothing that a certificate says can push it out of sight."""
    key = row["key"] or "which the log does not show"
    name = f" in a certificate for {row['name']}, issued by {row['issuer']}" if row["name"] else ""
    since, until = (str(row[when])[:19].replace("T", " ") for when in ("first", "last"))
    when = f"since {since}, last {until}, {row['times']} recipients put off"
    return f"the public key {key} is not in hub.fingerprints; {when}, shown by {row['client']}{name}"
