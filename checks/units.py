"""Units of systemd, as the checks read them."""

from __future__ import annotations

from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict


def must_run(seen: Seen, verdict: Verdict, names: tuple[str, ...]) -> None:
    """Units are active, and enabled at boot."""
    units, files = seen.fact("system", "units"), seen.fact("system", "unit_files")
    for unit in names:
        state = f"{units.get(unit, {}).get('ActiveState', 'not loaded')}, {files.get(unit, 'not installed')}"
        verdict(state == "active, enabled", expected=f"{unit}: active, enabled", observed=f"{unit}: {state}")
