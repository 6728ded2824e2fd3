"""A check where a hook stands in for what the project configures itself, and how its status is judged."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import wraps
from typing import Any, TypeVar

from checks.framework import Function
from cjsm_connect.organisation.hooks import Hook
from cjsm_connect.probes.hooks import Finding
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

H = TypeVar("H", bound=Hook)


def instead(
    hook_of: Callable[[Seen], H | None], judged_by: Callable[[Seen, Verdict, H], None]
) -> Callable[[Function], Function]:
    """Decorates a check: `judged_by` judges where there is a hook, the check itself elsewhere."""

    def chosen(function: Function) -> Function:
        @wraps(function)
        def check(seen: Seen, verdict: Verdict) -> None:
            hook = hook_of(seen)
            if hook is None:
                function(seen, verdict)
            else:
                judged_by(seen, verdict, hook)

        return check

    return chosen


def status(verdict: Verdict, findings: Iterable[Finding], name: str) -> None:
    """The findings of one name about a status; one that is not whole meets nothing."""
    everything = list(findings)
    for wanted in ("answer", name):
        for one in (one for one in everything if one.name == wanted):
            verdict(one.ok, expected=one.expected, observed=one.observed)


Judged = Callable[[Seen, Verdict, Any], None]
