"""The door: `cjsm VERB`. Hands the fixed folders (deploys, checks, templates, inventories) to the verbs."""

from __future__ import annotations

import gc
import sys
from pathlib import Path

from cjsm_connect.verbs import begin

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from cjsm_connect.desired import Desired
    from cjsm_connect.organisation import Host, Organisation


class Rooms:
    """Where the fixed folders are, and what the deploys want."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def desired(self, organisation: Organisation, host: Host, only: Iterable[str] = ()) -> Desired:
        """Everything a host must have, of all concerns or of `only` some."""
        from deploys.connection import desired

        return desired(organisation, host, only)

    def together(self, only: Iterable[str]) -> tuple[str, ...]:
        """The concerns that are taken when `only` these are asked for; an error if there is no such concern."""
        from deploys.connection import together

        return together(only)


def main() -> None:
    """Run the command line; the exit code is 0 ok, 1 findings, 2 could not run."""
    gc.set_threshold(100_000)  # start-up makes many objects and hardly any garbage
    rooms = Rooms(Path(__file__).resolve().parent)
    begin(sys.argv, rooms.root)
    from cjsm_connect.verbs._group import cjsm  # after connections have begun: click takes its time

    cjsm(obj=rooms, prog_name="cjsm")


if __name__ == "__main__":
    main()
