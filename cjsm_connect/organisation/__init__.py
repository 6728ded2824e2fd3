"""The organisation: one file, read strictly, judged completely, frozen. `load(path)` is the way in."""

from __future__ import annotations

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
