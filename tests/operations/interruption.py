"""An apply that is interrupted at an exact step, and what is seen from outside meanwhile and afterwards.

A step is one SSH command on one host, beginning or ending, as sudo there notes it. Nothing is asked of the product:
what is judged is what arrives, what answers, what passes on the wire, and what lies on the hosts' disks.
"""

from __future__ import annotations

import contextlib
import json
import os
import queue
import secrets
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, Literal

from cjsm_connect.lab import Lab, entry, hosts, mailboxes, members, topology
from cjsm_connect.lab.machine import run, wait_until
from tests.operations.background import HERE, in_namespace, on_host
from tests.operations.watching import managed, states

HOSTS = ("firewall", "relay", "mail")
CALM = 4  # seconds
CONFIRM = 15  # seconds, the least that the organisation file may say
CLOSED = 8025  # no flow of the lab's organisation names it
TABLE = ("nft", "-s", "list", "table", "inet", "cjsm")
CLERK, ADVOCATE = "clerk@council.example", "advocate@charity.example.cjsm.net"


@dataclass(frozen=True)
class Step:
    """The number counts from the beginning of the apply, on this host."""

    host: str
    number: int
    moment: Literal["begins", "ends"]

    def __str__(self) -> str:
        return f"command {self.number} on {self.host} {self.moment}"


@contextlib.contextmanager
def steps(lab: Lab) -> Iterator[queue.Queue[Step]]:
    """Every SSH command from now on, as soon as the hosts' journals have it."""
    found: queue.Queue[Step] = queue.Queue()
    with contextlib.ExitStack() as stack:
        for host in HOSTS:
            stack.enter_context(_told(lab, host, found))
        yield found


@contextlib.contextmanager
def _told(lab: Lab, host: str, found: queue.Queue[Step]) -> Iterator[None]:
    program = (HERE / "sudo_journal.py").read_text()
    argv = hosts.entering(lab.name, members.named(lab.name)[host], ["python3", "-I", "-c", program])
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        reader = threading.Thread(target=_read, args=(process.stdout, host, found))
        reader.start()
        try:
            yield
        finally:
            process.stdin.close()  # this ends it
            reader.join()


def _read(lines: Iterable[str], host: str, found: queue.Queue[Step]) -> None:
    count = {"begins": 0, "ends": 0}
    for line in lines:
        moment: Literal["begins", "ends"] = "begins" if line == "begins\n" else "ends"
        count[moment] += 1
        found.put(Step(host, count[moment], moment))


@contextlib.contextmanager
def applying(lab: Lab) -> Iterator[subprocess.Popen[str]]:
    """`cjsm apply` in a process group of its own, as a terminal would start it."""
    environment = {name: value for name, value in os.environ.items() if name != entry.INSIDE}
    environment["CJSM_ORG"] = str(lab.organisation_folder)
    argv = [sys.executable, str(entry.CLONE / "cli.py"), "apply"]
    with subprocess.Popen(
        argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        try:
            yield process
        finally:
            kill(process)


def kill(process: subprocess.Popen[str]) -> None:
    """End the controller and all that it started, at once and without a word."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)


def recorded(lab: Lab) -> list[Step]:
    """The steps of an apply that nobody interrupts, in the order in which they were seen."""
    with steps(lab) as found, applying(lab) as process:
        _, said = process.communicate(timeout=180)
        assert process.returncode == 0, said[-3000:]
        time.sleep(0.5)  # the journal's own delay
        return [found.get_nowait() for _ in range(found.qsize())]


def reached(found: queue.Queue[Step], wanted: Step, process: subprocess.Popen[str]) -> bool:
    """Wait for a step; False when the apply has ended without it."""
    end = time.monotonic() + 120
    while time.monotonic() < end:
        with contextlib.suppress(queue.Empty):
            if found.get(timeout=0.3) == wanted:
                return True
            continue
        if process.poll() is not None:
            return False
    return False


@contextlib.contextmanager
def cut_off(lab: Lab) -> Iterator[None]:
    """The administrator's cable to the LAN is pulled; put back whatever happens."""
    port = ["ip", "-n", topology.namespace(lab.name, topology.SWITCH), "link", "set", "admin-lan"]
    run([*port, "down"])
    try:
        yield
    finally:
        run([*port, "up"])


Whole = dict[str, dict[str, str]]


def whole(lab: Lab) -> Whole:
    """What lies on the disks of the hosts and what their kernels filter by. Compiled tables follow their text."""
    found = {}
    for host in HOSTS:
        paths = [path for path in managed(lab, host) if not path.endswith(".lmdb")]
        found[host] = {**states(lab, host, paths), "live rules": lab.exec(host, list(TABLE)).stdout}
    return found


def unsettled(lab: Lab, either: list[Whole]) -> list[str]:
    """How the hosts differ from each of the states that are allowed, each host by itself; none when they do not, and
    nothing is left to be undone."""
    now = whole(lab)
    found = [
        f"{host}: {_differing(now[host], either[0][host]) or 'as before'}, {_differing(now[host], either[1][host])}"
        for host in HOSTS
        if all(now[host] != one[host] for one in either)
    ]
    return found + [f"{host}: a change waits" for host in HOSTS if _waits(lab, host)]


def _differing(one: dict[str, str], other: dict[str, str]) -> list[str]:
    return [path for path in one if one[path] != other.get(path)]


def _waits(lab: Lab, host: str) -> bool:
    """Does a unit of ours still have something to put back?"""
    shown = lab.exec(host, ["systemctl", "list-units", "--all", "--plain", "--no-legend", "cjsm-*undo*"]).stdout
    return any(row.split()[2] in {"active", "activating"} for row in shown.splitlines())


def settled(lab: Lab, either: list[Whole], seconds: float) -> list[str]:
    """Wait until every host is whole again and has stayed so: a program that was just sent has not begun yet."""
    calm: list[float] = []

    def stays_whole() -> bool:
        if unsettled(lab, either):
            calm.clear()
        else:
            calm.append(time.monotonic())
        return bool(calm) and calm[-1] - calm[0] >= CALM

    wait_until(stays_whole, seconds, interval=0.5)
    return unsettled(lab, either)


def ssh_works(lab: Lab, host: str) -> bool:
    """A new session from the administration address, by OpenSSH's own client."""
    folder = lab.organisation_folder
    options = [f"UserKnownHostsFile={folder / 'known_hosts'}", "StrictHostKeyChecking=yes", "BatchMode=yes"]
    options += ["ConnectTimeout=2", "GlobalKnownHostsFile=none"]
    place = f"/run/netns/{topology.namespace(lab.name, topology.CONTROLLER)}"
    words = [word for option in options for word in ("-o", option)]
    argv = ["nsenter", f"--net={place}", "ssh", "-F", "none", "-i", str(folder / "ssh/id_ed25519"), *words]
    return run([*argv, f"operator@{lab.address(host)}", "true"], check=False, timeout=15).returncode == 0


@dataclass
class Evidence:
    """What was seen from outside during one interruption."""

    clear: dict[str, dict[str, int]] = field(default_factory=dict)
    ports: dict[str, dict[str, int]] = field(default_factory=dict)
    wire: dict[str, Any] = field(default_factory=dict)
    sent: list[str] = field(default_factory=list)

    def troubles(self) -> list[str]:
        """What must never be seen, and what must have been for the rest to prove anything."""
        found = [f"MAIL in clear text at {at}: {seen}" for at, seen in self.clear.items() if "accepted" in seen]
        closed = {at: seen for at, seen in self.ports.items() if at.endswith(f":{CLOSED}")}
        found += [f"{at} was open from outside: {seen}" for at, seen in closed.items() if set(seen) != {"silence"}]
        found += [f"clear text on the wire: {self.wire['heard']}"] if self.wire["heard"] else []
        controls = {
            "the listener for the hub was never met": "turned away" in str(self.clear),
            "outside never reached the public port": "answered" in self.ports["192.0.2.10:25"],
            "no frame was heard": self.wire["frames"] > 0,
            "no message was sent": len(self.sent) > 0,
        }
        return found + [what for what, good in controls.items() if not good]


@contextlib.contextmanager
def observed(lab: Lab, word: str) -> Iterator[Evidence]:
    """Look from hub, outside and the wire all the time, and hand in mail for CJSM on mail server and relay."""
    seen = Evidence()
    clear = {"clear": [["198.51.100.10", 4545, "203.0.113.21"]]}
    ports = {"ports": [[address, CLOSED] for address in ("198.51.100.10", "192.0.2.10", "203.0.113.1")]}
    ports["ports"].append(["192.0.2.10", 25])
    with contextlib.ExitStack() as stack:
        for host in HOSTS:
            stack.enter_context(on_host(lab, host, "sampler.py", json.dumps({"listen": CLOSED})))
        seen.wire = stack.enter_context(in_namespace(lab, topology.SWITCH, "wire.py", word))
        seen.clear = stack.enter_context(on_host(lab, "hub", "sampler.py", json.dumps(clear)))
        seen.ports = stack.enter_context(on_host(lab, "outside", "sampler.py", json.dumps(ports)))
        stack.enter_context(_sending(lab, word, seen.sent))
        yield seen


@contextlib.contextmanager
def _sending(lab: Lab, word: str, sent: list[str]) -> Iterator[None]:
    """A message a second from each of the two hosts, until it is over."""
    over = threading.Event()

    def send() -> None:
        while not over.wait(1):
            for host in ("mail", "relay"):
                subject = secrets.token_hex(8)
                text = f"From: {CLERK}\nTo: {ADVOCATE}\nSubject: {subject}\n\n{word}\n"
                with contextlib.suppress(Exception):  # a queue that does not take it sends nothing either
                    mailboxes.send(lab.name, host, CLERK, [ADVOCATE], text)
                    sent.append(subject)

    thread = threading.Thread(target=send)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def missing(lab: Lab, sent: list[str], seconds: float = 60) -> list[str]:
    """Messages that have not arrived at the other member in time."""

    def left() -> list[str]:
        there = {str(message["Subject"]) for message in mailboxes.messages(lab.name, "hub", "charity")}
        return [subject for subject in sent if subject not in there]

    for host in ("mail", "relay"):
        lab.exec(host, ["postqueue", "-f"])
    wait_until(lambda: not left(), seconds, interval=1)
    return left()


def trapped(lab: Lab) -> int:
    """Messages for cjsm.net that went by MX, to whom public DNS says."""
    return len(mailboxes.messages(lab.name, "outside", "trap"))
