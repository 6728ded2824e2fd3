"""How a check is written:

    @check("firewall.default-deny-input", requirement="firewall.default-deny", role="firewall,relay,mail",
           title="Unasked-for connections are dropped", remedy="cjsm apply")
    def test_default_deny_input(seen, verdict):
        policy = seen.fact("firewall", "chains", "input", "policy")
        verdict(policy == "drop", expected="policy drop", observed=f"policy {policy}")

`seen` is cjsm_connect.probes.seen.Seen: what was observed, from the subject's point of view. `verdict` is
cjsm_connect.results.judge.Verdict: said once, or several times; the first that is not ok ends the check.
A check judges facts only: it touches no host, no clock and no file, and never asks a deploy what it did.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from cjsm_connect.probes.seen import ESTATE, Seen
from cjsm_connect.results import Check, Impact
from cjsm_connect.results.catalogue import CatalogueError
from cjsm_connect.results.judge import Verdict

ROLES = ("relay", "mail", "firewall")
Function = Callable[[Seen, Verdict], None]


@dataclass(frozen=True)
class Registered:
    """A check and the function that judges."""

    check: Check
    function: Function


REGISTRY: dict[str, Registered] = {}
"""Every check of the modules imported so far, by id."""


def check(  # noqa: PLR0913
    identifier: str,
    *,
    requirement: str,
    role: str,
    title: str,
    remedy: str,
    vantage: str = "host",
    impact: str = "passive",
) -> Callable[[Function], Function]:
    """Register a check function, and mark it for pytest.

    `role` is "estate" (judged once) or roles joined by commas (judged on each such host). `vantage` is "host", the
    name of where its try runs, or "declaration". `remedy` is what to do: the command first.
    """
    described = Check(identifier, requirement, title, role, vantage, Impact(impact), remedy)

    def register(function: Function) -> Function:
        _refuse_mistakes(described, function)
        REGISTRY[identifier] = Registered(described, function)
        marked: Function = pytest.mark.check(described)(function)
        return marked

    return register


def roles(described: Check) -> tuple[str, ...]:
    """The roles that a check is for; ("estate",) when it is judged once."""
    return tuple(part.strip() for part in described.role.split(","))


def _refuse_mistakes(described: Check, function: Function) -> None:
    known = REGISTRY.get(described.id)
    if known is not None and known.function.__qualname__ != function.__qualname__:
        raise CatalogueError(f"two checks are called {described.id!r}; ids must be unique")
    if strange := set(roles(described)) - {*ROLES, ESTATE}:
        raise CatalogueError(f"{described.id}: unknown role {', '.join(sorted(strange))}")
