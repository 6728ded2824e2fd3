"""The checks of patching on hosts that another system patches (`patching.hook`).

The same requirements, judged by what its status command says, by its units, and by what apt on the host knows all the
same. How it chooses and installs is stated by somebody: the declaration `patching-hook`. Nothing passes unseen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from checks.declarations import declared
from checks.framework import Function
from checks.hooks import Judged, instead, status
from checks.units import must_run
from cjsm_connect.organisation.hooks import PatchingHook
from cjsm_connect.probes import hooks
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

DECLARATION = "patching-hook"
DAY = 86400
NEWER_KERNEL = (2, 3)


def or_hook(judged_by: Judged) -> Callable[[Function], Function]:
    """The check of apt's own timers, or `judged_by` on a host that another system patches."""
    return instead(hook_of, judged_by)


def hook_of(seen: Seen) -> PatchingHook | None:
    """The system that patches this host; None where apt's own timers do."""
    return seen.organisation.patching.of(seen.host.name)


def of_status(name: str) -> Judged:
    """The check is about one thing that the status says."""

    def judged(seen: Seen, verdict: Verdict, hook: PatchingHook) -> None:
        report, clock = seen.fact("patching", "hook"), seen.fact("system", "clock")
        status(verdict, hooks.patching(report, seen.organisation.policy, clock), name)

    return judged


last_run = of_status("last-run")
overdue = of_status("overdue")
_reboot = of_status("reboot")


def units_run(seen: Seen, verdict: Verdict, hook: PatchingHook) -> None:
    """Every unit of the hook is active and enabled."""
    must_run(seen, verdict, hook.units)


def automatic(seen: Seen, verdict: Verdict, hook: PatchingHook) -> None:
    """Its units run, and it ran lately."""
    units_run(seen, verdict, hook)
    last_run(seen, verdict, hook)


def stated(seen: Seen, verdict: Verdict, hook: PatchingHook) -> None:
    """What it installs, that it excludes nothing, asks nobody and reboots when it must: declared."""
    declared(seen, verdict, DECLARATION)


def reboot_not_overdue(seen: Seen, verdict: Verdict, hook: PatchingHook) -> None:
    """No reboot that the hook, a package or a newer kernel asks for has waited too long."""
    _reboot(seen, verdict, hook)
    said: Mapping[str, Any] = seen.fact("patching", "hook", "said")
    mark, kernel = seen.fact("patching", "reboot"), seen.fact("patching", "restart")
    asked = said["reboot_required"] or mark["required"]
    newer = f"kernel {kernel['kernel_running']} runs, {kernel['kernel_expected']} is installed"
    waits = asked or kernel["kernel"] not in NEWER_KERNEL
    verdict(waits, expected="a reboot is asked for when a newer kernel is installed", observed=newer)
    if mark["required"]:
        limit, days = seen.organisation.policy.reboot_days, (seen.fact("system", "clock") - mark["since"]) / DAY
        expected = f"no reboot asked for more than {limit.value} {limit.unit} ago ({limit.source})"
        verdict(days <= limit.value, expected=expected, observed=f"a package asked for one {days:.0f} days ago")
