"""The door: `cjsm VERB`. Hands the fixed folders (deploys, checks, templates, inventories) to the verbs."""

from __future__ import annotations

import gc
import sys
import warnings

from cjsm_connect import ending
from cjsm_connect.rooms import ROOT, Rooms, importable
from cjsm_connect.verbs import begin


def main() -> None:
    """Run the command line; the exit code is 0 ok, 1 findings, 2 could not run, 130 interrupted."""
    gc.set_threshold(100_000)  # start-up makes many objects and hardly any garbage
    if not sys.warnoptions:  # what a library thinks of a stranger's certificate is for developers: python -W default
        warnings.simplefilter("ignore")
    ending.prepare()
    importable()
    try:
        begin(sys.argv, ROOT)
        ending.watch()
        from cjsm_connect.verbs._group import cjsm  # after connections have begun: click takes its time

        cjsm(obj=Rooms(ROOT), prog_name="cjsm")
    except KeyboardInterrupt:
        ending.leave()


if __name__ == "__main__":
    main()
