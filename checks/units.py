"""Units of systemd, as the checks read them."""

from __future__ import annotations

from datetime import UTC, datetime

from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict


def must_run(seen: Seen, verdict: Verdict, names: tuple[str, ...]) -> None:
    """Units are active, and enabled at boot."""
    units, files = seen.fact("system", "units"), seen.fact("system", "unit_files")
    for unit in names:
        state = f"{units.get(unit, {}).get('ActiveState', 'not loaded')}, {files.get(unit, 'not installed')}"
        verdict(state == "active, enabled", expected=f"{unit}: active, enabled", observed=f"{unit}: {state}")


SETTLING = 120  # seconds after its start in which a service does its first work


def must_have_settled(seen: Seen, verdict: Verdict, unit: str, what: str) -> None:
    """A unit that has just started is not accused of what it has not done yet; `what` that is.

    Raises:
        NotTested: with the time from which on it is judged.
    """
    started = seen.fact("system", "units").get(unit, {}).get("ActiveEnterTimestamp") or 0
    age = seen.fact("system", "clock") - started
    if 0 <= age < SETTLING:
        judged = datetime.fromtimestamp(started + SETTLING + 59, UTC)  # the minute by which it is over
        verdict.not_tested(f"{unit} started {age:.0f} seconds ago, and {what}: first look at {judged:%H:%M} UTC")
