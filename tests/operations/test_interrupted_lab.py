"""An apply that is interrupted anywhere: mail is never in clear text, the firewall never open, nobody locked out, and
the next apply converges. Real hosts; judged by receivers, wire and disks.

The default is a sample of the steps. All of them: CJSM_EVERY_STEP=1 (about half a minute each).
"""

from __future__ import annotations

import os
import queue
import secrets
import subprocess
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest

from cjsm_connect.lab import Lab, healthy, hosts, members
from cjsm_connect.lab.machine import wait_until
from tests.operations import interruption as the
from tests.operations.changes import changed
from tests.operations.interruption import Step, Whole

EVERY = bool(os.environ.get("CJSM_EVERY_STEP"))
QUICK = {"[policy]": f'[policy]\nconfirm_seconds = {{ value = {the.CONFIRM}, source = "a test" }}\n#'}
pytestmark = [pytest.mark.lab, pytest.mark.touches(*the.HOSTS, "hub", "outside")]


@dataclass
class Ground:
    """A lab with two organisation files to go between, and how the hosts are by each."""

    lab: Lab
    texts: list[str]
    wholes: list[Whole]
    steps: list[Step]
    now: int = 1  # the file by which the hosts were configured last

    def other(self) -> None:
        """Ask for the other state from now on."""
        self.now = 1 - self.now
        (self.lab.organisation_folder / "organisation.toml").write_text(self.texts[self.now])


@pytest.fixture
def ground(lab: Lab) -> Iterator[Ground]:
    """Both states were applied once without an interruption, and the steps of that were written down."""
    file = lab.organisation_folder / "organisation.toml"
    original = file.read_text()
    try:
        yield both(lab, original)
    finally:
        file.write_text(original)


def both(lab: Lab, original: str) -> Ground:
    file = lab.organisation_folder / "organisation.toml"
    texts = [original.replace(*pair) for pair in QUICK.items()]
    file.write_text(texts[0])
    first = the.whole(lab)
    with changed(lab):
        texts.append(file.read_text())
        seen = the.recorded(lab)
        second = the.whole(lab)
    file.write_text(texts[1])
    print("steps:", "; ".join(map(str, seen)))
    assert {step.host for step in seen if step.number > 1} == set(the.HOSTS), "expected commands on every host"
    return Ground(lab, texts, [first, second], seen)


def killed(lab: Lab, process: subprocess.Popen[str], wholes: list[Whole]) -> list[str]:
    the.kill(process)
    return the.settled(lab, wholes, the.CONFIRM + 20)


def cut(lab: Lab, process: subprocess.Popen[str], wholes: list[Whole]) -> list[str]:
    """The cable comes back when the hosts have helped themselves; the controller then has to find its own end."""
    with the.cut_off(lab):
        left = the.settled(lab, wholes, the.CONFIRM + 20)
    ended = wait_until(lambda: process.poll() is not None, 60, interval=0.2)
    return left + ([] if ended else ["the controller hung"])


Interruption = Callable[[Lab, subprocess.Popen[str], list[Whole]], list[str]]


def interrupted(ground: Ground, step: Step, how: Interruption) -> list[str]:
    """Go towards the other state, be interrupted, go there; everything that was not as it must be."""
    lab, word = ground.lab, secrets.token_hex(12)
    ground.other()
    with the.observed(lab, word) as seen:
        with the.steps(lab) as found, the.applying(lab) as process:
            if not the.reached(found, step, process):
                return ["the apply ended before this step"]
            troubles = how(lab, process, ground.wholes)
        troubles += [
            f"no SSH to {host}" for host in the.HOSTS if not wait_until(lambda h=host: the.ssh_works(lab, h), 20)
        ]
        troubles += next_apply(ground)
    return troubles + seen.troubles() + mail(lab, seen.sent)


def next_apply(ground: Ground) -> list[str]:
    """It converges: to what the file says, not only by its own word."""
    for host in the.HOSTS:  # the lock of a controller that has died goes by itself after two minutes
        ground.lab.exec(host, ["rm", "-f", "/var/lib/cjsm/lock"])
    done = healthy.verb(ground.lab, "apply")
    troubles = [] if done.returncode == 0 else [f"the next apply ended with {done.returncode}: {done.stderr[-1500:]}"]
    if the.whole(ground.lab) != ground.wholes[ground.now]:
        troubles.append(f"the next apply did not converge: {the.unsettled(ground.lab, ground.wholes)}")
    return troubles + ([] if healthy.verb(ground.lab, "status").returncode == 0 else ["status differs afterwards"])


def mail(lab: Lab, sent: list[str]) -> list[str]:
    lost = the.missing(lab, sent)
    trapped = the.trapped(lab)
    return [f"{len(lost)} of {len(sent)} messages did not arrive"] * bool(lost) + ["mail went by MX"] * bool(trapped)


def sample(steps: list[Step], at_most: int) -> list[Step]:
    """Evenly through the apply; all of them if that was wished for."""
    wanted = max(1, len(steps) // at_most)
    return steps if EVERY else steps[::wanted][:at_most]


@pytest.mark.parametrize("how", [killed, cut])
def test_an_interrupted_apply_hurts_nobody_and_the_next_one_converges(ground: Ground, how: Interruption) -> None:
    changing = [step for step in ground.steps if step.number > 1]  # the first command of each host only looks
    red = {}
    for step in sample(changing, 4):
        if troubles := interrupted(ground, step, how):
            red[str(step)] = troubles
            print(step, troubles)
    assert red == {}


def test_a_host_that_loses_power_before_the_confirmation_comes_up_as_it_was(ground: Ground) -> None:
    lab, before = ground.lab, ground.wholes[ground.now]["relay"]
    ground.other()
    with the.steps(lab) as found, the.applying(lab) as process:
        assert new_rules_are_live(lab, found, before), "the new rules were never seen on the relay"
        hosts.cut_power(lab.name, members.named(lab.name)["relay"])
        the.kill(process)
    lab.restart(["relay"])
    assert the.whole(lab)["relay"] == before
    assert lab.exec("relay", ["systemctl", "is-system-running"]).stdout == "running\n"
    assert the.settled(lab, ground.wholes, the.CONFIRM + 20) == []
    assert next_apply(ground) == []


def new_rules_are_live(lab: Lab, found: queue.Queue[Step], before: dict[str, str]) -> bool:
    """Look after each command on the relay; true at the first after which it filters by other rules."""
    while (step := found.get(timeout=90)).number <= 5:
        looked = step.host == "relay" and step.moment == "ends" and step.number > 1
        if looked and lab.exec("relay", list(the.TABLE)).stdout != before["live rules"]:
            return True
    return False
