"""The lab as the product makes it: bare hosts, apply, sign, apply. Built once for each state of the sources."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

from cjsm_connect.lab import kept, labels
from cjsm_connect.lab.digest import of_applied
from cjsm_connect.lab.entry import CLONE, INSIDE, LABS
from cjsm_connect.lab.laboratory import HEALTHY, Lab
from cjsm_connect.results import CjsmError

# package lists, signatures and what is noted of them have to be younger than a day or two to be healthy
YOUNG_SECONDS = 12 * 3600


def ensure(lab: Lab, relays: int = 1) -> None:
    """Have the lab run with a `healthy` label made from the present sources, today; build it only if there is none.

    Raises:
        CjsmError: apply failed; the lab is left as it was then.
    """
    digest = of_applied(relays)
    stamp = LABS / lab.name / "healthy.digest"
    if lab.running() and HEALTHY in labels.saved(lab.name) and _is_young(stamp) and stamp.read_text() == digest:
        return
    lab.down()
    if kept.is_kept(HEALTHY, digest) and _is_young(kept.place(HEALTHY, digest) / "label.json"):
        lab.up(HEALTHY, digest, relays)
    else:
        lab.up(relays=relays)
        build(lab)
        lab.save(HEALTHY)
        lab.keep(HEALTHY, digest)
    stamp.write_text(digest)


def _is_young(path: Path) -> bool:
    return path.is_file() and time.time() - path.stat().st_mtime < YOUNG_SECONDS


def build(lab: Lab) -> None:
    """Apply, sign, apply: what an organisation and the operator do, by the commands they type."""
    run(lab, "apply")
    lab.sign()
    run(lab, "apply")


def run(lab: Lab, *arguments: str) -> str:
    """Run a verb on the lab's organisation; returns what it printed.

    Raises:
        CjsmError: it ended with an error; the message has the end of what it said.
    """
    done = verb(lab, *arguments)
    if done.returncode:
        raise CjsmError(
            f"cjsm {' '.join(arguments)} ended with {done.returncode}:\n{(done.stdout + done.stderr)[-3000:]}"
        )
    return done.stdout


def verb(
    lab: Lab, *arguments: str, text: str | None = None, organisation: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run a verb on the lab's organisation, or a copy of it, in a process of its own, whatever comes of it."""
    argv = [sys.executable, str(CLONE / "cli.py"), *arguments]
    environment = {name: value for name, value in os.environ.items() if name != INSIDE}
    environment["CJSM_ORG"] = str(organisation or lab.organisation_folder)
    return subprocess.run(argv, env=environment, input=text, capture_output=True, text=True, check=False)
