"""What somebody stated on a day: where it is made, and how long it counts."""

from __future__ import annotations

from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict


def remedy(identifier: str) -> str:
    """Where the statement is made."""
    return f'add or renew [[declarations]] id = "{identifier}" in organisation.toml: statement, owner, date'


def declared(seen: Seen, verdict: Verdict, identifier: str) -> None:
    """A declaration counts when somebody made it, and not longer ago than the policy says."""
    limit = seen.organisation.policy.declaration_days
    made = seen.organisation.declaration(identifier)
    expected = f"a declaration {identifier!r}, at most {limit.value} {limit.unit} old ({limit.source})"
    verdict(made is not None, expected=expected, observed="no such declaration in organisation.toml")
    assert made
    verdict(
        not seen.is_unmade(identifier), expected=expected, observed=f"the example's, by {made.owner}: nobody made it"
    )
    age = (seen.today - made.date).days
    verdict(
        age <= limit.value, expected=expected, observed=f"declared by {made.owner} on {made.date}: {made.statement}"
    )
