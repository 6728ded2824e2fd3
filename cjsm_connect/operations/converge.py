"""Our pyinfra operations: packages, tree, new connections, activation. Each is one command on a host, or none.

This module imports pyinfra and is itself imported only when pyinfra runs.
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any

import pyinfra
from pyinfra import host
from pyinfra.api import FunctionCommand, StringCommand, operation

from cjsm_connect import remote
from cjsm_connect.desired import Desired, access, closing
from cjsm_connect.desired.certificate import problems
from cjsm_connect.desired.change import Change, change
from cjsm_connect.operations import programs, ssh
from cjsm_connect.organisation import Host, Organisation

TROUBLE: dict[str, str] = {}
"""By host: why connections to it or from it do not work any more. A firewall's change stands or falls by all."""


@dataclass(frozen=True, slots=True)
class Job:
    """What one host must become, and who says so. `errand_of` gives the connections that any host needs."""

    organisation: Organisation
    desired: Desired
    errand_of: Callable[[Host], programs.Errand]
    to: int = 0  # the generation that a rollback goes back to
    asked: bool = False  # has `cjsm apply` asked about what would close?

    @property
    def host(self) -> Host:
        """pyinfra's current host, as the organisation file describes it."""
        return self.organisation.host(host.name)

    @property
    def errand(self) -> programs.Errand:
        """This apply, on pyinfra's current host."""
        return self.errand_of(self.host)


def converge(job: Job) -> None:
    """Queue the four operations for the current host, in their order."""
    packages(job, name="Install packages")
    tree(job, name="Install files, maps and keys")
    # confirmed before the services start, which may take longer than the timer of the change
    reach(job, name="Come in over new connections, and try those that the host needs")
    activate(job, name="Keep the change, activate services and try them")


def roll_back(job: Job) -> None:
    """Queue the three operations that take the current host back to a generation of its own."""
    back(job, name=f"Put back what was there after generation {job.to}")
    reach(job, name="Come in over new connections, and try those that the host needs")
    activate(job, name="Keep the change, activate services and try them")


Commands = Generator[StringCommand | FunctionCommand, None, None]


@operation()
def packages(job: Job) -> Commands:
    """Install what is missing in one apt transaction.

    What the plan saw missing needs no new look: apt leaves alone what has come in the meantime.
    """
    seen = memories()[False].get("snapshot")
    wanted = change(job.desired, seen) if seen else Change()
    if not wanted.packages:
        wanted = yield from differs(job)
    if not wanted.packages:
        host.noop("all packages are installed")
        return
    yield FunctionCommand(packages_installed, (job, wanted), {})
    memory()["worked"] = True


def packages_installed(state: Any, host: Any, job: Job, wanted: Change) -> bool:
    """apt on the host; it answers with a new snapshot, which spares a round trip."""
    try:
        memory()["snapshot"] = execute(programs.packages(wanted, job.desired, job.errand))["snapshot"]
    except ssh.HostError as error:
        return failed(state, host, str(error))
    return True


@operation()
def tree(job: Job) -> Commands:
    """Stage, validate and rename files, maps and keys; what has changed then waits to be confirmed."""
    wanted = yield from differs(job)
    if not wanted.writes:
        host.noop("all files, maps and keys are as wanted")
        return
    if refused := objections(job, wanted):
        yield FunctionCommand(failed, (sentences(*refused),), {})
        return
    yield command(programs.install(wanted, job.desired, job.errand))
    forget()
    memory()["installed"] = memory()["worked"] = True


def objections(job: Job, wanted: Change) -> list[str]:
    """Why this change must not be made on the current host. `apply` has asked the same, of all hosts together, before.

    Plain pyinfra prepares one host after another: what a firewall lets through to those behind it is left to the new
    connections and the host's own timer.
    """
    snapshot = memory()["snapshot"]
    ways = [access.way(job.host, wanted, snapshot)] if wanted.firewalls else []
    cut_off = [text for _, text in access.refusals(job.organisation, ways)]
    return [*problems(job.desired, snapshot), *cut_off, *unasked(job, wanted)]


def unasked(job: Job, wanted: Change) -> list[str]:
    """What is in use and would close, where nobody was asked; as it was before packages of ours came and listened."""
    if job.asked or not wanted.firewalls:
        return []
    before = memories()[False].get("snapshot", memory()["snapshot"])
    found = closing.closing(job.organisation, job.host, closing.traffic_of(wanted, before))
    return [f"the new firewall rules would close what is in use: {one.text}" for one in found] + (
        ["keep it by [[flows]] in organisation.toml, or close it by `cjsm apply`, which asks"] if found else []
    )


@operation()
def back(job: Job) -> Commands:
    """Stage, validate and rename what the host has kept; it then waits to be confirmed like any change."""
    yield command(programs.rollback(job.to, job.errand))
    memory()["installed"] = True


@operation()
def reach(job: Job) -> Commands:
    """Open new connections to every host that the change could cut off, and try from there what the host needs."""
    if pyinfra.state.is_executing and not memory().get("installed"):
        host.noop("nothing waits for confirmation")
        return
    yield FunctionCommand(reached_freshly, (job,), {})


def reached_freshly(state: Any, host: Any, job: Job) -> bool:
    """Never fails the step: every host is asked before any of them decides (`activate`)."""
    own = job.host
    others = job.organisation.hosts if own.role == "firewall" else ()
    try:
        for other in others:
            if other.name != own.name:
                ssh.connected(job.organisation, other).close()
        blocked = ssh.run(job.organisation, own, lambda: programs.reach(job.errand))["blocked"]
        if blocked:
            TROUBLE[own.name] = f"{own.name} could connect before the change and cannot now: {', '.join(blocked)}"
    except ssh.HostError as error:
        TROUBLE[own.name] = str(error)
    return True


@operation()
def activate(job: Job) -> Commands:
    """Make running services what the files say; the host goes back by itself when a try fails."""
    if memory().get("installed"):
        yield FunctionCommand(kept_or_put_back, (job,), {})
        return
    wanted = yield from differs(job)
    if not wanted.services and not memory().get("worked"):
        host.noop("all services are as wanted")
        return
    yield command(programs.activate(job.desired, job.errand, installed=False))
    forget()


def kept_or_put_back(state: Any, host: Any, job: Job) -> bool:
    """Over a new connection: keep the change and start its services, or take it back at once.

    False when the host went back, or will by its timer. `state` and `host` are pyinfra's.
    """
    trouble = TROUBLE.get(host.name) or ("; ".join(TROUBLE.values()) if job.host.role == "firewall" else "")
    trouble = trouble or fallen(state)
    if trouble:
        return failed(state, host, sentences(trouble, taken_back(trouble, job.errand.seconds)), put_back=True)
    try:
        answer = ssh.run(job.organisation, job.host, lambda: programs.activate(job.desired, job.errand, installed=True))
    except ssh.HostError as error:
        back = taken_back(str(error), job.errand.seconds)
        return failed(state, host, sentences(f"the change was not confirmed: {error}", back), put_back=True)
    if "failed" in answer:
        back = "; ".join(["The host went back to how it was", *answer["problems"]])
        return failed(state, host, sentences(answer["failed"], back), put_back=True)
    return True


def fallen(state: Any) -> str:
    """Why no host of this apply is changed, when one of them could not take its files; "" when all could.

    A relay that had its new route by then would hand mail to a server that does not listen for it.
    """
    names = sorted(other.name for other in state.failed_hosts)
    return (
        f"{', '.join(names)} could not be changed, and half a connection is worse than the one before" if names else ""
    )


def sentences(*texts: str) -> str:
    """Several texts as sentences, whether or not each ends in a full stop."""
    return " ".join(f"{text.rstrip('. ')}." for text in texts)


def taken_back(why: str, seconds: int) -> str:
    """Put the current host back over the connection that is still open; else its own timer does."""
    try:
        execute(programs.put_back(why))
    except (ssh.HostError, OSError, EOFError):
        return f"The host puts everything back by itself within {seconds} s"
    return "Everything was put back"


def failed(state: Any, host: Any, problem: str, put_back: bool = False) -> bool:
    """Note why a step failed, and tell who runs plain pyinfra; as a function command it fails the step."""
    memory().update(problem=problem, put_back=put_back)
    host.log(problem)
    return False


def differs(job: Job) -> Generator[FunctionCommand, None, Change]:
    """Desired against a snapshot that no command of ours has made stale; fails the step when there is none."""
    known = memory()
    if "snapshot" not in known:
        try:
            known["snapshot"] = execute(programs.collect(job.desired))
        except ssh.HostError as error:
            yield FunctionCommand(failed, (str(error),), {})
            return Change()
    return change(job.desired, known["snapshot"])


def execute(program: ssh.Program) -> Any:
    """A program's answer from the current host, in one command over pyinfra's connection.

    Raises:
        HostError: it gave none.
    """
    line = StringCommand(remote.command(program.seconds))
    _ok, output = host.run_shell_command(line, **privilege(), _stdin=program.text)
    try:
        return remote.answer(output.stdout)
    except remote.RemoteError as error:
        raise ssh.HostError(ssh.explained(host, str(error), output.stderr)) from error


def command(program: ssh.Program) -> StringCommand:
    """The pyinfra command that runs a program; its text goes to standard input, never to the command line."""
    return StringCommand(remote.command(program.seconds), _stdin=program.text)


def privilege() -> dict[str, Any]:
    """The sudo arguments of the inventory, which direct commands do not take by themselves."""
    return {"_sudo": host.data.get("_sudo", False), "_sudo_password": host.data.get("_sudo_password")}


def memory() -> dict[str, Any]:
    """What is known of the current host in this phase: it may change between pyinfra's prepare and execute."""
    return memories()[bool(pyinfra.state.is_executing)]


def memories() -> dict[bool, dict[str, Any]]:
    """What was known when pyinfra prepared (False), and is known while it executes (True)."""
    phases = host.connector_data.setdefault("cjsm", {False: {}, True: {}})
    assert isinstance(phases, dict)
    return phases


def forget() -> None:
    """The host has changed: the next question needs a new snapshot."""
    memory().pop("snapshot", None)
