"""What is tried live, from where: one module a concern, each `tries(organisation) -> list of Try`; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pkgutil import iter_modules
from typing import Any

from cjsm_connect.organisation import Organisation


@dataclass(frozen=True)
class Try:
    """One live try. `kind` and `arguments` are for cjsm_connect/remote/tries.py.

    `at` is where it runs (a host, a vantage, or "controller"), `subject` the managed host that it judges. A try that
    `discards` sends content to the self-test recipient: it is only made after that route was seen on the subject.
    One that is `around` reads something before all other tries and again after them: {"before": ..., "after": ...}.
    One that `follows` others looks for a message of which they logged the fate; it is made after them, and looks only
    once for a message that waits somewhere or was refused. What `lacking` says is not declared in the organisation
    file, so that the try cannot be made; it is planned all the same, because a check waits for its outcome.
    """

    id: str
    at: str
    subject: str
    impact: str
    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    discards: bool = False
    around: bool = False
    follows: tuple[str, ...] = ()
    lacking: str = ""


def all_tries(organisation: Organisation) -> list[Try]:
    """Every try of every concern."""
    modules = [import_module(f"{__name__}.{module.name}") for module in iter_modules(__path__)]
    return [one for module in modules for one in module.tries(organisation)]
