"""Real hosts on one machine, a simulated hub and the lab's authorities.

`Lab(name)` starts and stops them; `enter(name)` takes the running command into their network.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cjsm_connect.lab.entry import enter, is_up, lab_of, organisation_folder

if TYPE_CHECKING:
    from cjsm_connect.lab.hub import Hub
    from cjsm_connect.lab.laboratory import Lab

__all__ = ["Hub", "Lab", "enter", "is_up", "lab_of", "organisation_folder"]


def __getattr__(name: str) -> Any:
    """Import what is heavy only when it is asked for: entering the lab is on every command's way."""
    if name == "Lab":
        from cjsm_connect.lab.laboratory import Lab

        return Lab
    if name == "Hub":
        from cjsm_connect.lab.hub import Hub

        return Hub
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
