"""The door: `cjsm VERB`. Hands the fixed folders (deploys, checks, templates, inventories) to the verbs."""

from __future__ import annotations

from pathlib import Path

from cjsm_connect.verbs import cjsm

ROOT = Path(__file__).resolve().parent


def main() -> None:
    """Run the command line; the exit code is 0 ok, 1 findings, 2 could not run."""
    cjsm(obj={"root": ROOT}, prog_name="cjsm")


if __name__ == "__main__":
    main()
