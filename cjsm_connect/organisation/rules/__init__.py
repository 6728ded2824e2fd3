"""What must hold between the parts of an organisation file. Each rule sees the valid parts and yields problems."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from ..problems import Problem
from .connection import CONNECTION_RULES
from .hosts import HOST_RULES
from .known import Known
from .networks import NETWORK_RULES
from .statements import STATEMENT_RULES

Rule = Callable[[Known], Iterator[Problem]]

RULES: tuple[Rule, ...] = (*NETWORK_RULES, *HOST_RULES, *CONNECTION_RULES, *STATEMENT_RULES)

__all__ = ["RULES", "Known"]
