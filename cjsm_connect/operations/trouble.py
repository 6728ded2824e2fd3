"""What can be wrong with one host."""

from __future__ import annotations

from cjsm_connect.results import CjsmError


class HostError(CjsmError):
    """One host could not be worked with; the message names it and says what to do."""
