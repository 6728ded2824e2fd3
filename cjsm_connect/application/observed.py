"""What was seen of the hosts, and where that is written: the last check, or a bundle. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import rfc8785

from cjsm_connect.results import Result, Run

OLD_DAYS = 31  # own choice, as in the engineer's criteria: what was seen is said of a day, and hosts change


@dataclass(frozen=True)
class Observed:
    """A run with its source. `digest`: SHA-256 of the file that holds the results (results.json of a bundle)."""

    run: Run
    source: str
    digest: str
    versions: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def moment(self) -> str:
        """When the hosts were looked at, in UTC."""
        return f"{datetime.fromisoformat(self.run.ended).astimezone(UTC):%-d %B %Y, %H:%M} UTC"

    def outdated(self, organisation_digest: str, now: datetime) -> str:
        """Why it has to be made again before anything rests on it; "" when it need not."""
        if self.run.organisation_digest != organisation_digest:
            return "organisation.toml has changed since"
        if now - datetime.fromisoformat(self.run.ended) > timedelta(days=OLD_DAYS):
            return f"it is more than {OLD_DAYS} days old"
        return ""

    def notes(self) -> Iterator[str]:
        """What a reader has to know about the meaning of these results."""
        if self.run.laboratory:
            yield f"it was made on the test laboratory {self.run.laboratory}: it says nothing about a real organisation"
        if not self.run.complete:
            yield "it is incomplete: something was not tested, or could not be told"


def digest(results: Iterable[Result]) -> str:
    """SHA-256 over the canonical JSON (RFC 8785) of result rows, as they stand in results.json."""
    return hashlib.sha256(rfc8785.dumps([one.plain() for one in results])).hexdigest()
