"""The organisation: one file, read strictly, judged completely, frozen. `load(path)` is the way in.

Names are imported when they are asked for: connections are opened (`access`) before the model has been imported.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .draft import Draft
    from .hosts import Host, Vantage
    from .model import Organisation
    from .problems import OrganisationError, Problem
    from .reading import load, parse, read, secret

__all__ = [
    "Draft",
    "Host",
    "Organisation",
    "OrganisationError",
    "Problem",
    "Vantage",
    "load",
    "parse",
    "read",
    "secret",
]

_MODULES = {
    "Draft": "draft",
    "Host": "hosts",
    "Vantage": "hosts",
    "Organisation": "model",
    "OrganisationError": "problems",
    "Problem": "problems",
    "load": "reading",
    "parse": "reading",
    "read": "reading",
    "secret": "reading",
}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(f"{__name__}.{_MODULES[name]}"), name)
