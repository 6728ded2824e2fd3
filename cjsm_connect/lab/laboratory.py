"""The lab as a whole: its hosts and the networks between them, started, stopped, saved and reset together."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from cjsm_connect.lab import authority, entry, folder, hosts, images, kept, labels, machine, members, network, updates
from cjsm_connect.lab.digest import of_applied
from cjsm_connect.lab.entry import LABS
from cjsm_connect.lab.hub import Hub
from cjsm_connect.lab.labels import BARE
from cjsm_connect.lab.machine import Say, locked, run, silent
from cjsm_connect.lab.topology import (
    ADMIN,
    EVERY_HOST,
    MADE_BY_US,
    Host,
    checked_name,
    checked_relays,
    checked_scenario,
    hosts_with,
)
from cjsm_connect.results import CjsmError

HEALTHY = "healthy"
MISTAKEN = "cjsm-lab"  # the marker in a copy of the organisation folder
INOTIFY_PER_HOST = 4  # seen: three of systemd, one of rsyslogd
AT_ONCE = 5  # hosts that start or stop side by side: more would only wait for each other's processors


@dataclass(frozen=True, slots=True)
class HostState:
    """What `status` shows of one host."""

    host: str
    address: str
    state: str  # systemd's word, or `stopped`
    process: int  # of the host's PID 1, seen from the machine; 0 when stopped


class Lab:
    """A lab of one name; labs of different names stand side by side."""

    def __init__(self, name: str = entry.DEFAULT, say: Say = silent) -> None:
        self.name = checked_name(name)
        self.say = say
        self.hub = Hub(self.name)

    @property
    def organisation_folder(self) -> Path:
        return entry.organisation_folder(self.name)

    @property
    def hosts(self) -> list[Host]:
        """Every host of the lab, `relay2` and later ones if it was started with more relays than one."""
        return members.members(self.name)

    def running(self) -> bool:
        """Do all hosts run? A lab of which one host has died is not running."""
        return entry.is_up(self.name) and all(hosts.first_process(self.name, host) for host in self.hosts)

    def up(self, label: str = BARE, digest: str = "", relays: int = 1, scenario: str = MADE_BY_US) -> None:
        """Start the lab, bare or from a label kept on this machine under `digest` (that of the present sources, if
        none is given). A lab that runs is left as it is; what a killed start left is cleared first.

        Raises:
            CjsmError: the lab runs with another number of relays, or the machine cannot hold so many hosts.
        """
        machine.require(self.say)
        folder.require_describable(self.name, checked_relays(relays), checked_scenario(scenario))
        images.ensure(self.say, scenarios=(scenario,) if scenario else ())
        with self._lock():
            if self.running():
                self._must_have(relays, scenario)
                self.say(f"the lab '{self.name}' is already up")
            else:
                self._start(label, digest, relays, scenario)
            folder.prepare(self.name)

    def down(self) -> None:
        """End everything of the lab and remove every trace of it, also of one half started."""
        machine.need_root()
        with self._lock() as lock:
            self._clear()
            lock.unlink(missing_ok=True)
        if LABS.exists() and not any(LABS.iterdir()):
            LABS.rmdir()

    def status(self) -> list[HostState]:
        """Each host and how it is."""
        return [self._state(host) for host in self.hosts]

    def exec(self, host: str, argv: Sequence[str], input: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run a command as root in a host, through its namespaces and not over SSH."""
        return hosts.run_in(self.name, self._chosen([host])[0], list(argv), stdin=input)

    def address(self, host: str) -> str:
        """The IPv4 address at which a host answers SSH."""
        return self._chosen([host])[0].address

    def root(self, host: str) -> Path:
        """A host's file system as a path of this machine."""
        return hosts.root(self.name, self._chosen([host])[0])

    def publish_update(self, package: str) -> str:
        """Put a newer version of a package into the security archive that the hosts look at; that version."""
        return updates.publish(self.name, package)

    def sign(self, names: Sequence[str] = ()) -> list[Path]:
        """Play the operator: certify what the hosts asked for in ORG/certificates."""
        return folder.sign(self.name, self._chosen(names))

    def save(self, label: str = HEALTHY) -> None:
        """Stop all hosts, freeze what happened to them as a label, and start them again on top of it.

        Raises:
            CjsmError: a host does not run, or is not settled: what is saved half-way is half-way at each reset.
        """
        labels.checked_label(label)
        with self._lock():
            self._must_run()
            self._must_be_settled()
            self._each(self.hosts, self._power_off)
            labels.set_current(self.name, {host.name: labels.freeze(self.name, host) for host in self.hosts})
            labels.save(self.name, label)
            self._boot(self.hosts)

    def reset(self, names: Sequence[str] = (), label: str = HEALTHY) -> None:
        """Cut the power of hosts and start them again as they were when the label was saved."""
        with self._lock():
            self._must_exist()
            wanted, state = self._chosen(names), labels.read(self.name, label)
            self._each(wanted, self._discard)
            self._go_to(state, wanted)

    def restart(self, names: Sequence[str] = ()) -> None:
        """Reboot hosts: everything that is only in memory is lost, the kernel's packet filter included."""
        with self._lock():
            self._must_exist()
            wanted = self._chosen(names)
            self._each(wanted, self._power_off)
            self._boot(wanted)

    def keep(self, label: str = HEALTHY, digest: str = "") -> Path:
        """Keep a saved label on this machine, so that a later `up` can start from it."""
        return kept.keep(self.name, label, digest or of_applied(members.relays(self.name)))

    def mistake(self) -> Path:
        """A fresh copy of the organisation folder, to be broken; it carries the lab's marker as hosts do."""
        target = entry.mistaken_folder(self.name)
        self.correct()
        shutil.copytree(self.organisation_folder, target, ignore=shutil.ignore_patterns(".cjsm", "evidence*"))
        machine.write(target / MISTAKEN, f"{self.name}\n")
        return target

    def correct(self) -> None:
        """Forget the copy of the organisation folder."""
        machine.remove_tree(entry.mistaken_folder(self.name))

    def certify(self, authority_name: str, request: str, **wrong: Any) -> str:
        """A chain for a request by the "hub"'s operator or the "inner" authority, wrong on purpose: what may be wrong
        is in authority.Authority.sign_wrongly."""
        signer = {"hub": authority.operator, "inner": authority.inner}[authority_name]()
        return signer.sign_wrongly(request, **wrong)

    def _start(self, label: str, digest: str, relays: int, scenario: str) -> None:
        found = None if label == BARE else kept.find(label, digest or of_applied(relays))
        self._clear()
        machine.require_inotify(INOTIFY_PER_HOST * len(hosts_with(relays)))
        home = LABS / self.name
        home.mkdir(parents=True, exist_ok=True)
        # one mount of its own: a lab leaves with it, and a host's disk costs no disk access
        run(["mount", "-t", "tmpfs", "-o", "mode=0700,size=75%", "cjsm", str(home)])
        members.remember(self.name, relays, scenario)
        labels.save_bare(self.name)
        if found:
            kept.adopt(self.name, label, found)
        network.make_switch(self.name)
        network.make_node(self.name, ADMIN)
        self._go_to(labels.read(self.name, label), self.hosts)

    def _go_to(self, state: labels.Label, wanted: list[Host]) -> None:
        """Start stopped hosts from a label's layers, with the certificates of that time."""
        labels.set_current(self.name, {host.name: state.layers[host.name] for host in wanted})
        folder.restore_certificates(self.name, state.certificates, wanted)
        self._boot(wanted)

    def _boot(self, wanted: list[Host]) -> None:
        """Start hosts side by side and wait until each has started everything."""
        layers = labels.current(self.name)
        self._each(wanted, lambda host: self._start_host(host, layers[host.name]))

    def _start_host(self, host: Host, layers: list[Path]) -> None:
        hosts.boot(self.name, host, layers)
        state = hosts.wait_settled(self.name, host)
        failed = "" if state == "running" else f"; failed: {', '.join(hosts.failed_units(self.name, host))}"
        self.say(f"{host.name} is {state} at {host.address}{failed}")

    def _power_off(self, host: Host) -> None:
        if not hosts.power_off(self.name, host):
            self.say(f"{host.name} did not stop in time: its power was cut")

    def _discard(self, host: Host) -> None:
        hosts.cut_power(self.name, host)
        hosts.forget(self.name, host)

    def _clear(self) -> None:
        """End and remove whatever there is of the lab, in the order in which nothing can come back."""
        self._each(EVERY_HOST, partial(hosts.cut_power, self.name))
        network.end_processes(self.name)
        network.remove_all(self.name)
        home = LABS / self.name
        machine.unmount_below(home)
        machine.remove_tree(home)
        folder.remove_generated(self.name)

    def _state(self, host: Host) -> HostState:
        process = hosts.first_process(self.name, host)
        return HostState(host.name, host.address, hosts.state(self.name, host), process)

    def _chosen(self, names: Sequence[str]) -> list[Host]:
        return members.chosen(self.name, names)

    def _must_have(self, relays: int, scenario: str) -> None:
        if members.scenario(self.name) != scenario:
            raise CjsmError(f"the lab '{self.name}' runs with another estate; cjsm lab down --lab {self.name}")
        found = members.relays(self.name)
        if found != relays:
            raise CjsmError(
                f"the lab '{self.name}' runs with {found} relays, not {relays}; end it first: "
                f"cjsm lab down --lab {self.name}"
            )

    def _must_exist(self) -> None:
        if not entry.is_up(self.name):
            raise CjsmError(f"the lab '{self.name}' is not up; start it with `cjsm lab up --lab {self.name}`.")

    def _must_run(self) -> None:
        self._must_exist()
        stopped = [state.host for state in self.status() if not state.process]
        if stopped:
            raise CjsmError(f"{', '.join(stopped)} of the lab '{self.name}' does not run; `cjsm lab reset` first.")

    def _must_be_settled(self) -> None:
        self.say("waiting until every host is settled")
        unsettled = {host.name: hosts.wait_until_at_rest(self.name, host) for host in self.hosts}
        told = [f"{name}: {', '.join(what)}" for name, what in unsettled.items() if what]
        if told:
            raise CjsmError(
                f"nothing was saved: not settled within {hosts.REST_SECONDS} s: {'; '.join(told)}. "
                f"Look: cjsm lab exec --lab {self.name} HOST -- systemctl list-jobs"
            )

    def _lock(self) -> AbstractContextManager[Path]:
        machine.need_root()
        return locked(LABS / f"{self.name}.lock")

    @staticmethod
    def _each(wanted: Sequence[Host], work: Callable[[Host], object]) -> None:
        """Do the same to several hosts, a few at a time; the first error is raised when all have ended."""
        with ThreadPoolExecutor(max_workers=AT_ONCE) as pool:
            list(pool.map(work, wanted))
