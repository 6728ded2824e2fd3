"""What no probe can see: declarations; and what is knowingly left: waivers, and checks accepted as not tested."""

from __future__ import annotations

from datetime import date

from .values import Identifier, Part, Text


class Declaration(Part):
    """A statement by a named person on a date. It goes stale (policy `declaration_days`)."""

    id: Identifier
    statement: Text
    owner: Text
    date: date


class Waiver(Part):
    """A requirement that is knowingly not met, from `start` to the end of `expiry` (UTC, both days included)."""

    requirement: Identifier
    reason: Text
    approver: Text
    risk: Text
    start: date
    expiry: date

    def active(self, today: date) -> bool:
        """Whether the waiver counts on a day (UTC)."""
        return self.start <= today <= self.expiry


class Scope(Part):
    """A check that this organisation accepts as not tested."""

    check: Identifier
    reason: Text
    owner: Text
    date: date
