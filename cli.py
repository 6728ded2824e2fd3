"""The door: `cjsm VERB`. Hands the fixed folders (deploys, checks, templates, inventories) to the verbs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cjsm_connect.verbs import cjsm

if TYPE_CHECKING:
    from cjsm_connect.desired import Desired
    from cjsm_connect.organisation import Host, Organisation


@dataclass(frozen=True)
class Rooms:
    """Where the fixed folders are, and what the deploys want."""

    root: Path

    def desired(self, organisation: Organisation, host: Host) -> Desired:
        """Everything a host must have, of all concerns."""
        from deploys.connection import desired

        return desired(organisation, host)


def main() -> None:
    """Run the command line; the exit code is 0 ok, 1 findings, 2 could not run."""
    cjsm(obj=Rooms(Path(__file__).resolve().parent), prog_name="cjsm")


if __name__ == "__main__":
    main()
