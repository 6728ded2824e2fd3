"""bench apply: an apply with nothing to do, from process start, beside the floor of one SSH command a host."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from cjsm_connect.bench import measure
from cjsm_connect.lab import Lab, is_up
from cjsm_connect.lab.entry import controller
from cjsm_connect.organisation import load
from cjsm_connect.results import CjsmError

ROUNDS = 9


def run(root: Path, lab_name: str) -> dict[str, Any]:
    """Time `apply` on a lab where everything is as wanted already.

    Raises:
        CjsmError: the lab is not up, or not everything is as wanted.
    """
    if not is_up(lab_name):
        raise CjsmError(f"the lab '{lab_name}' is not up; make it healthy first: cjsm demo")
    organisation = load(Lab(lab_name).organisation_folder)
    apply = [str(root / "cjsm"), "apply", "--org", str(organisation.folder), "--json"]
    medians = measure.alternating({"apply": apply, "floor": floor(organisation, lab_name)}, ROUNDS)
    return {
        "name": "apply",
        "machine": measure.machine(),
        "figures": {f"{name}_no_op_median_s": seconds for name, seconds in medians.items()} | {"rounds": ROUNDS},
        "ratios": {"apply_to_floor": round(medians["apply"] / medians["floor"], 2)},
        "command": {"apply": "./cjsm apply --json", "floor": "python cjsm_connect/bench/floor.py ..."},
    }


def floor(organisation: Any, lab_name: str) -> list[str]:
    """The floor's command, started inside the lab's network at once."""
    host = organisation.hosts[0]
    program = str(Path(__file__).with_name("floor.py"))
    access = [str(organisation.known_hosts), str(host.ssh.key_file), host.ssh.user]
    addresses = [str(host.address) for host in organisation.hosts]
    return ["nsenter", f"--net={controller(lab_name)}", sys.executable, program, *access, *addresses]
