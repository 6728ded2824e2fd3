"""Where the fixed folders are: deploys, checks, templates and inventories.

In a clone they are its top level. A wheel carries them inside this package, so that an installed cjsm brings one
top-level package and no name that somebody else could have.
"""

from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cjsm_connect.desired import Desired
    from cjsm_connect.organisation import Host, Organisation

HERE = Path(__file__).resolve().parent
CLONE = not (HERE / "deploys").is_dir()
"""Is this a clone? An installed cjsm has no tests, no lab and no measurements."""
ROOT = HERE.parents[1] if CLONE else HERE
"""The folder that holds them."""


def importable() -> None:
    """Let this process, and no other, import deploys and checks by the names that they have in a clone."""
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))


class Rooms:
    """Where the fixed folders are, and what the deploys want."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def desired(self, organisation: Organisation, host: Host, only: Iterable[str] = ()) -> Desired:
        """Everything a host must have, of all concerns or of `only` some."""
        wanted: Desired = import_module("deploys.connection").desired(organisation, host, only)
        return wanted

    def together(self, only: Iterable[str]) -> tuple[str, ...]:
        """The concerns that are taken when `only` these are asked for; an error if there is no such concern."""
        taken: tuple[str, ...] = import_module("deploys.connection").together(only)
        return taken
