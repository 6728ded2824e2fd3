"""Our pyinfra operations and the one adapter over its API; they only call remote/.

pyinfra and gevent are imported only inside the functions, so that reading a deploy file costs neither.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cjsm_connect.desired import Desired
    from cjsm_connect.organisation import Host, Organisation

DesiredOf = Callable[["Organisation", "Host"], "Desired"]


def concern(name: str, *desired: DesiredOf) -> Callable[[], None]:
    """The @deploy around one concern's (or all concerns') `desired`, for pyinfra's own command line.

    A deploy file ends with `NAME = concern("NAME", desired)` and calls it when pyinfra executes the file.
    """

    def run() -> None:
        from cjsm_connect.operations.deploys import run_deploy

        run_deploy(name, desired)

    return run
