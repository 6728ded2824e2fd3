"""One host: its layers, its identity, its container. A host is a systemd-nspawn container in a prepared network
namespace, its root an overlay of read-only layers and one upper layer that holds everything that happened to it."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

from cjsm_connect.lab import cgroups, identity, images, mirror, network
from cjsm_connect.lab.entry import LABS
from cjsm_connect.lab.machine import kill, remove_tree, run, unmount_below, wait_until
from cjsm_connect.lab.topology import Host, namespace
from cjsm_connect.results import CjsmError

# SIGRTMIN+4 asks systemd as PID 1 to power off (systemd(1), SIGNALS)
POWER_OFF = signal.SIGRTMIN + 4
SETTLED = ("running", "degraded")
REST_SECONDS = 60
# deploys/patching.py: the timer that looks, which an apply has started, and the file that the first look leaves
LOOKS_FOR_UPDATES = "etc/systemd/system/timers.target.wants/cjsm-pending-updates.timer"
FIRST_LOOK = "var/lib/cjsm/patching/first-seen.json"


def home(lab: str, host: Host) -> Path:
    """The folder of a host: upper, work, root (where the overlay is mounted) and its console."""
    return LABS / lab / "hosts" / host.name


def root(lab: str, host: Host) -> Path:
    """The host's file system as seen from the machine."""
    return home(lab, host) / "root"


def boot(lab: str, host: Host, layers: list[Path]) -> None:
    """Mount the host over `layers`, give it its identity and a new network, and start it."""
    folder = home(lab, host)
    for name in ("upper", "work", "root"):
        (folder / name).mkdir(mode=0o755, parents=True, exist_ok=True)
    images.overlay(folder / "root", layers, folder / "upper", folder / "work")
    identity.give(folder / "root", lab, host)
    network.make_node(lab, host)
    with (folder / "console.log").open("ab") as console:
        subprocess.Popen(
            cgroups.joining(namespace(lab, host.name), _container(lab, host)),
            stdin=subprocess.DEVNULL,
            stdout=console,
            stderr=console,
            start_new_session=True,
        )


def _container(lab: str, host: Host) -> list[str]:
    name = namespace(lab, host.name)
    return [
        "systemd-nspawn", "--quiet", f"--directory={root(lab, host)}", f"--machine={name}",
        f"--hostname={host.name}", "--register=no", "--keep-unit", "--link-journal=no", "--resolv-conf=off",
        f"--network-namespace-path={network.NETNS / name}", "--capability=CAP_NET_ADMIN,CAP_NET_RAW",
        *(f"--bind-ro={mirror.folder(images.home())}:{place}" for place in host.binds),
        "--console=pipe", "--boot",
    ]  # fmt: skip


def supervisor(lab: str, host: Host) -> int:
    """The process id of the host's systemd-nspawn, 0 when there is none: asked of the kernel, kept nowhere."""
    found = cgroups.supervisors(namespace(lab, host.name))
    return next((pid for pid in found if _command(pid) == "systemd-nspawn"), 0)


def _command(pid: int) -> str:
    """The name of a process (proc_pid_comm(5)); empty when it has just ended."""
    try:
        return Path(f"/proc/{pid}/comm").read_text().strip()
    except OSError:
        return ""


def first_process(lab: str, host: Host) -> int:
    """The process id, outside, of the host's PID 1; 0 when it does not run."""
    parent = supervisor(lab, host)
    try:
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        return next((int(child) for child in children if _is_first(int(child))), 0)
    except OSError:
        return 0


def _is_first(pid: int) -> bool:
    """Is it PID 1 of its own namespace (proc_pid_status(5), NSpid) and already systemd?"""
    status = dict(line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines())
    return status["NSpid"].split()[-1] == "1" and status["Name"].strip() == "systemd"


def run_in(
    lab: str, host: Host, argv: list[str], stdin: str | None = None, timeout: float = 600
) -> subprocess.CompletedProcess[str]:
    """Run a program in a host by its namespaces, not over SSH: a way that no firewall and no SSH fault closes."""
    return run(entering(lab, host, argv), stdin=stdin, timeout=timeout, check=False)


def entering(lab: str, host: Host, argv: list[str]) -> list[str]:
    """The command that runs `argv` in a host as root (nsenter(1)), with no capability that the host's own root lacks:
    nsenter alone would keep the machine's, and a `date --set` in the host would set the machine's clock."""
    pid = first_process(lab, host)
    if not pid:
        raise CjsmError(f"{host.name} of the lab '{lab}' does not run; start it with `cjsm lab up --lab {lab}`.")
    confined = ["setpriv", f"--bounding-set={_dropped(pid)}", "--inh-caps=-all", "--"]
    environment = ["env", "-i", "HOME=/root", "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "TERM=dumb", "LANG=C.UTF-8"]
    return ["nsenter", f"--target={pid}", "--all", "--wd", "--", *confined, *environment, *argv]


def _dropped(pid: int) -> str:
    """What setpriv(1) has to take from the bounding set so that it is that of a process (capabilities(7))."""
    theirs, ours = _bounding_set(pid), _bounding_set(os.getpid())
    dropped = [f"-cap_{number}" for number in range(64) if (ours & ~theirs) >> number & 1]
    return ",".join(dropped or ["+cap_0"])  # setpriv wants at least one; chown(2)'s is held anyway


def _bounding_set(pid: int) -> int:
    rows = Path(f"/proc/{pid}/status").read_text().splitlines()
    return int(next(row.split()[1] for row in rows if row.startswith("CapBnd:")), 16)


def state(lab: str, host: Host) -> str:
    """What systemd says of the host as a whole (systemctl(1), is-system-running); `stopped` without a container."""
    if not first_process(lab, host):
        return "stopped"
    return run_in(lab, host, ["systemctl", "is-system-running"]).stdout.strip() or "starting"


def wait_settled(lab: str, host: Host, seconds: float = 120) -> str:
    """Wait until the host has started everything; `running`, or `degraded` when a unit has failed."""
    if not wait_until(lambda: _settled(lab, host) in SETTLED, seconds, interval=0.1):
        console = (home(lab, host) / "console.log").read_text(errors="replace").splitlines()[-8:]
        found = "\n".join([f"{host.name} is '{state(lab, host)}' after {seconds:.0f} s; its console says:", *console])
        raise CjsmError(found)
    return state(lab, host)


def _settled(lab: str, host: Host) -> str:
    """systemd's word when it has started everything; empty while it cannot be asked yet. The waiting is systemd's own:
    five hosts asked ten times a second would themselves keep the machine busy."""
    if not first_process(lab, host):
        return ""
    asked = ["timeout", "20", "systemctl", "is-system-running", "--wait"]
    return run_in(lab, host, asked).stdout.strip()


def wait_until_at_rest(lab: str, host: Host) -> list[str]:
    """Wait until nothing that was started is on its way; what is so after REST_SECONDS, empty when all is at rest."""
    wait_until(lambda: not under_way(lab, host), REST_SECONDS, interval=0.3)
    return under_way(lab, host)


def under_way(lab: str, host: Host) -> list[str]:
    """Jobs that systemd has yet to end, and the first look for updates of a host that has been told to look."""
    jobs = run_in(lab, host, ["systemctl", "list-jobs", "--no-legend", "--plain"]).stdout
    found = [f"{row.split()[1]} ({row.split()[3]})" for row in jobs.splitlines() if len(row.split()) > 3]
    looks = (root(lab, host) / LOOKS_FOR_UPDATES).is_symlink()
    looked = (root(lab, host) / FIRST_LOOK).exists()
    return [*found, *(["the first look for pending updates"] if looks and not looked else [])]


def failed_units(lab: str, host: Host) -> list[str]:
    """The units that make a host `degraded`."""
    listed = run_in(lab, host, ["systemctl", "--failed", "--plain", "--no-legend"]).stdout
    return [row.split()[0] for row in listed.splitlines()]


def power_off(lab: str, host: Host, seconds: float = 15) -> bool:
    """Stop a host as an administrator would; False when it did not answer in time and lost its power."""
    pid = first_process(lab, host)
    if pid:
        os.kill(pid, POWER_OFF)
    stopped = wait_until(lambda: not supervisor(lab, host), seconds, interval=0.1)
    cut_power(lab, host)
    return stopped


def cut_power(lab: str, host: Host) -> None:
    """End a host at once and unmount it; its upper layer stays as it was."""
    for pid in (first_process(lab, host), supervisor(lab, host)):
        if pid:
            kill(pid)
    if not wait_until(lambda: not supervisor(lab, host), 15):
        raise CjsmError(f"{host.name} of the lab '{lab}' cannot be ended; see process {supervisor(lab, host)}.")
    cgroups.remove(namespace(lab, host.name))
    unmount_below(root(lab, host))


def forget(lab: str, host: Host) -> None:
    """Drop everything that happened to a stopped host since the layers it was started from."""
    for name in ("upper", "work"):
        remove_tree(home(lab, host) / name)
