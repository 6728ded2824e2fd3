"""The checks many times over: each run in a process of its own, forked from one in which everything is imported.

What `cjsm check` spends on starting Python and importing is more than a second of a core; hundreds of runs spend it
once.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from cjsm_connect.results import CjsmError

IMPORTED = ["pytest", "testinfra.backend.ssh", "cjsm_connect.lab", "cjsm_connect.organisation",
            "cjsm_connect.probes.gather", "cjsm_connect.probes.run", "cjsm_connect.probes.session",
            "cjsm_connect.remote.tries"]  # fmt: skip

Told = tuple[list[dict[str, Any]], int]
"""The results as `cjsm check --json` prints them, and the exit code."""


def checked(lab: str, organisation: Path) -> Told:
    """One whole run of the checks on a lab, of its organisation or a copy of it.

    Raises:
        CjsmError: the checks did not run.
    """
    context = get_context("forkserver")
    context.set_forkserver_preload(IMPORTED)
    with ProcessPoolExecutor(1, mp_context=context) as process:
        try:
            return process.submit(_checked, lab, organisation).result()
        except CjsmError:
            raise
        except Exception as error:  # it died, or has a mistake: a problem of this run, and not the end of all
            raise CjsmError(f"cjsm check gave no results: {type(error).__name__}: {error}") from error


def _checked(lab: str, organisation: Path) -> Told:
    from cjsm_connect.lab import enter
    from cjsm_connect.organisation import load
    from cjsm_connect.probes.run import run_checks

    enter(lab)
    try:
        run, _ = run_checks(load(organisation))
    except CjsmError as error:  # between processes an error travels as its arguments, which are not the message
        raise CjsmError(str(error)) from None
    return run.plain()["results"], run.exit_code
