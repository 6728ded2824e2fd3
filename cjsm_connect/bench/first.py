"""bench first: the first apply, from bare hosts to mail that flows, beside apt alone installing the same packages.

Settling comes after that (docs/apply.md) and is a figure of its own: what is waited for then keeps no mail waiting.

"Certificate already returned" needs keys to exist on hosts that are otherwise bare. So the keys and requests of the
healthy hosts are put on the bare ones before the clock starts, and the certificates that answered them into the
organisation's folder; everything else, the certificates on the hosts included, is left for apply to do.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from statistics import median
from typing import Any

from cjsm_connect.bench import measure
from cjsm_connect.bench.peers import inside
from cjsm_connect.desired import Desired
from cjsm_connect.lab import Lab, is_up
from cjsm_connect.organisation import Host, Organisation, load
from cjsm_connect.results import CjsmError

COMMANDS = {
    "apply": "./cjsm apply --json --yes",
    "apt": "apt-get update && apt-get install PACKAGES, over SSH on all hosts at once",
}
BARE = "bare"
_WRITE = 'umask 077; mkdir -p "$(dirname "$1")"; cat > "$1"'
APT = "apt-get -q update && apt-get -q -y --no-install-recommends install"


@dataclass(frozen=True)
class Options:
    """Where it is measured, and how often."""

    lab: str
    rounds: int = 3


def run(rooms: Any, options: Options, say: Callable[[str], None]) -> dict[str, Any]:
    """Measure on a lab where everything is as wanted already; it is left so.

    Raises:
        CjsmError: the lab is not up or not healthy.
    """
    if not is_up(options.lab):
        raise CjsmError(f"the lab '{options.lab}' is not up; make it healthy first: cjsm demo")
    lab = Lab(options.lab)
    organisation = load(lab.organisation_folder)
    apply = [str(rooms.root / "cjsm"), "apply", "--org", str(organisation.folder), "--json"]
    settled(apply)
    say(f"first apply and apt alone, {options.rounds} rounds")
    found = measured(lab, organisation, rooms.desired, [*apply, "--yes"], options.rounds)
    ratios = {"first_apply_to_apt": round(found["first_apply_median_s"] / found["apt_median_s"], 2)}
    return {"name": "first", "machine": measure.machine(), "figures": found, "ratios": ratios, "command": COMMANDS}


@dataclass(frozen=True)
class Bare:
    """The hosts of a lab as they are before the first apply, but with their keys: `reset` makes them so again."""

    lab: Lab
    keys: dict[str, dict[str, str]]  # host -> path -> text
    certificates: dict[str, str]  # file name -> text

    def reset(self) -> None:
        """Fresh overlays; each has its keys and requests, and the answers lie in the organisation's folder."""
        self.lab.reset(list(self.keys), BARE)
        for host, files in self.keys.items():
            for path, text in files.items():
                self.lab.exec(host, ["sh", "-c", _WRITE, "sh", path], text)
        folder = self.lab.organisation_folder / "certificates"
        folder.mkdir(exist_ok=True)
        for name, text in self.certificates.items():
            (folder / name).write_text(text)


def measured(
    lab: Lab, organisation: Organisation, desired_of: Callable[..., Desired], apply: list[str], rounds: int
) -> dict[str, Any]:
    """Medians of both, alternating, and how often a host was asked over SSH; the lab is left healthy.

    The first apply is timed from process start to its exit without what it waited for in the end: to mail that flows.

    Raises:
        CjsmError: an apply or an installation ended with an error, or a host was not healthy after it.
    """
    hosts = [host for host in organisation.hosts if host.managed]
    wanted = {host.name: desired_of(organisation, host) for host in hosts}
    bare = Bare(lab, {name: keys(lab, name, desired) for name, desired in wanted.items()}, certificates(lab))
    ours, settling, apts, commands, connections = [], [], [], 0, 0
    try:
        for _ in range(rounds):
            bare.reset()
            seconds, told = measure.answered(apply)
            settling.append(told["settling_seconds"])
            ours.append(seconds - settling[-1])
            commands = max(commands, *(counted(lab, name, "_COMM=sudo", "COMMAND=") for name in wanted))
            connections = max(connections, *(logins(lab, name) for name in wanted))
            settled(apply)
            bare.reset()
            apts.append(together([installation(lab.name, organisation, host, wanted[host.name]) for host in hosts]))
    finally:
        lab.reset(list(wanted))
    return {
        "first_apply_median_s": round(median(ours), 2),
        "first_apply_slowest_s": round(max(ours), 2),
        "settling_median_s": round(median(settling), 2),
        "apt_median_s": round(median(apts), 2),
        "first_apply_ssh_commands_a_host": commands,
        "first_apply_ssh_connections_a_host": connections,
        "first_apply_rounds": rounds,
    }


def keys(lab: Lab, host: str, desired: Desired) -> dict[str, str]:
    """The private keys and requests of a host; they are held in memory only."""
    paths = [path for key in desired.keys for path in (key.path, key.request_path)]
    found = {path: lab.exec(host, ["cat", path]).stdout for path in paths}
    if not all(found.values()) or not all(key.certificate for key in desired.keys):
        raise CjsmError(
            f"{host}: expected keys and returned certificates of a healthy lab; found none. Next: cjsm demo"
        )
    return found


def certificates(lab: Lab) -> dict[str, str]:
    """What the operator returned."""
    return {path.name: path.read_text() for path in (lab.organisation_folder / "certificates").iterdir()}


def settled(apply: list[str]) -> None:
    """A second apply finds nothing to do: the first one has brought about everything, and health was proved by it."""
    done = subprocess.run(apply, capture_output=True, text=True, check=False)
    if done.returncode or '"changed": []' not in done.stdout:
        raise CjsmError(f"the first apply left something to do:\n{done.stdout[-800:]}{done.stderr[-800:]}")


def counted(lab: Lab, host: str, match: str, sign: str) -> int:
    """How many lines of a host's own journal, since it was started bare, have a sign."""
    return lab.exec(host, ["journalctl", "-q", "--no-pager", "-o", "cat", match]).stdout.count(sign)


def logins(lab: Lab, host: str) -> int:
    """Connections that sshd let in, by its own log; its sessions have a program of their own since OpenSSH 9.8."""
    return sum(counted(lab, host, f"SYSLOG_IDENTIFIER={name}", "Accepted ") for name in ("sshd", "sshd-session"))


def installation(lab: str, organisation: Organisation, host: Host, desired: Desired) -> list[str]:
    """apt alone on one host, over plain ssh."""
    names = " ".join(package.name for package in desired.packages)
    options = [
        "-o",
        f"UserKnownHostsFile={organisation.known_hosts}",
        "-o",
        "BatchMode=yes",
        "-i",
        f"{host.ssh.key_file}",
    ]
    line = f"sudo DEBIAN_FRONTEND=noninteractive sh -c '{APT} {names}'"
    return inside(lab, ["ssh", *options, "-p", str(host.ssh.port), f"{host.ssh.user}@{host.address}", line])


def together(commands: list[list[str]]) -> float:
    """Seconds until the last of several commands, started at once, has ended."""
    started = time.monotonic()
    with ThreadPoolExecutor(len(commands)) as pool:
        list(pool.map(measure.timed, commands))
    return time.monotonic() - started
