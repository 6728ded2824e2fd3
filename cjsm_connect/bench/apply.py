"""bench apply: our apply from process start, beside the floor, other tools with the same end state, and apt alone.

No-op: the floor is one SSH command a host (floor.py); stock pyinfra and ansible-core get the files that our apply has
rendered, and must first put right hosts that were spoilt on purpose, compared by digest. First apply: see first.py.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cjsm_connect.bench import first, measure, peers, state
from cjsm_connect.desired import Desired
from cjsm_connect.lab import Lab, is_up
from cjsm_connect.organisation import Organisation, load
from cjsm_connect.results import CjsmError

Say = Callable[[str], None]

# without this machine's folders and addresses
COMMANDS = {
    "apply": "./cjsm apply --json",
    "floor": "python cjsm_connect/bench/floor.py KNOWN_HOSTS KEY USER ADDRESS...",
    "pyinfra": "pyinfra -y inventory.py cjsm_connect/bench/stock_pyinfra.py",
    "ansible": "ansible-playbook -i hosts.json cjsm_connect/bench/playbook.json (pipelining, one fork a host)",
    "apt": f"{first.APT} PACKAGES, over SSH on all hosts at once",
}


@dataclass(frozen=True)
class Options:
    """What is measured, and how often."""

    lab: str
    peers: bool = True
    first: bool = True
    rounds: int = 9
    peer_rounds: int = 3
    first_rounds: int = 3


@dataclass(frozen=True)
class Ground:
    """What is measured on."""

    root: Path
    lab: Lab
    organisation: Organisation
    desired_of: Callable[..., Desired]

    @property
    def apply(self) -> list[str]:
        """Our command, from process start; it enters the lab by itself."""
        return [str(self.root / "cjsm"), "apply", "--org", str(self.organisation.folder), "--json"]


def run(rooms: Any, options: Options, say: Say) -> dict[str, Any]:
    """Measure on a lab where everything is as wanted already; it is left so.

    Raises:
        CjsmError: the lab is not up or not healthy, or a peer did not bring about our state.
    """
    if not is_up(options.lab):
        raise CjsmError(f"the lab '{options.lab}' is not up; make it healthy first: cjsm demo")
    lab = Lab(options.lab)
    ground = Ground(rooms.root, lab, load(lab.organisation_folder), rooms.desired)
    first.settled(ground.apply)
    commands = {"apply": ground.apply, "floor": floor(ground.organisation, options.lab)}
    say(f"no-op, {options.rounds} rounds")
    found = figures("no_op", measure.alternating(commands, options.rounds))
    found |= {"hosts": len(ground.organisation.hosts), "rounds": options.rounds}
    if options.peers:
        found |= beside_peers(ground, options.peer_rounds, say)
    if options.first:
        say(f"first apply and apt alone, {options.first_rounds} rounds")
        apply = [*ground.apply, "--yes"]
        found |= first.measured(lab, ground.organisation, rooms.desired, apply, options.first_rounds)
    return {
        "name": "apply",
        "machine": measure.machine(),
        "figures": found,
        "ratios": ratios(found),
        "command": COMMANDS,
    }


def beside_peers(ground: Ground, rounds: int, say: Say) -> dict[str, Any]:
    """The no-op of other tools and, in the same rounds, ours."""
    lab = ground.lab
    with tempfile.TemporaryDirectory(prefix="cjsm-bench-") as folder:
        states = state.states(lab, ground.organisation, ground.desired_of, Path(folder))
        others = peers.commands(ground.root, ground.organisation, states, Path(folder))
        others = {name: peers.inside(lab.name, argv) for name, argv in others.items()}
        say(f"{', '.join(others)}: does each put right what was spoilt?")
        peers.proved(lab, states, others)
        before = state.digests(lab, states)
        say(f"no-op beside {', '.join(others)}, {rounds} rounds")
        medians = measure.alternating({"beside_peers_apply": ground.apply, **others}, rounds)
        if state.digests(lab, states) != before:
            raise CjsmError("a run that should have had nothing to do changed a host: its time says nothing")
    return figures("no_op", medians) | {"peer_rounds": rounds, "states_equal": True}


def figures(what: str, medians: dict[str, float]) -> dict[str, Any]:
    """Medians with their unit in the key."""
    return {f"{name}_{what}_median_s": seconds for name, seconds in medians.items()}


def ratios(found: dict[str, Any]) -> dict[str, float]:
    """Ours to the floor and to each peer, measured in the same rounds; how many times faster than a peer."""
    made = {"apply_to_floor": round(found["apply_no_op_median_s"] / found["floor_no_op_median_s"], 2)}
    for peer in ("pyinfra", "ansible"):
        if f"{peer}_no_op_median_s" in found:
            ours, theirs = found["beside_peers_apply_no_op_median_s"], found[f"{peer}_no_op_median_s"]
            made |= {f"apply_to_{peer}": round(ours / theirs, 4), f"times_faster_than_{peer}": round(theirs / ours, 1)}
    if "apt_median_s" in found:
        made["first_apply_to_apt"] = round(found["first_apply_median_s"] / found["apt_median_s"], 2)
    return made


def floor(organisation: Organisation, lab_name: str) -> list[str]:
    """The floor's command, started inside the lab's network at once."""
    host = organisation.hosts[0]
    program = str(Path(__file__).with_name("floor.py"))
    access = [str(organisation.known_hosts), str(host.ssh.key_file), host.ssh.user]
    addresses = [str(host.address) for host in organisation.hosts]
    return peers.inside(lab_name, [sys.executable, program, *access, *addresses])
