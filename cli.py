"""The door: `cjsm VERB`. Hands the fixed folders (deploys, checks, templates, inventories) to the verbs."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from cjsm_connect.verbs import cjsm

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cjsm_connect.desired import Desired
    from cjsm_connect.organisation import Host, Organisation


@dataclass(frozen=True)
class Rooms:
    """Where the fixed folders are, and what the deploys want."""

    root: Path

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
    cjsm(obj=Rooms(Path(__file__).resolve().parent), prog_name="cjsm")


if __name__ == "__main__":
    main()
