"""Our pyinfra operations: packages, tree, activation, confirmation. Each is one command on a host, or none.

This module imports pyinfra and is itself imported only when pyinfra runs.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pyinfra import host, state
from pyinfra.api import FunctionCommand, StringCommand, operation
from pyinfra.api.exceptions import OperationError

from cjsm_connect import remote
from cjsm_connect.desired import Desired
from cjsm_connect.desired.change import Change, change
from cjsm_connect.operations import programs, ssh
from cjsm_connect.organisation import Organisation


@dataclass(frozen=True, slots=True)
class Job:
    """What one host must become, and who says so."""

    organisation: Organisation
    desired: Desired
    about: dict[str, Any]


def converge(job: Job) -> None:
    """Queue the four operations for the current host, in their order."""
    packages(job, name="Install packages")
    tree(job, name="Install files, maps and keys")
    activate(job, name="Activate services and try them")
    confirm(job, name="Confirm the firewall over a fresh connection")


@operation()
def packages(job: Job) -> Iterator[StringCommand]:
    """Install what is missing in one apt transaction."""
    wanted = differs(job)
    if not wanted.packages:
        host.noop("all packages are installed")
        return
    yield command(programs.packages(wanted))
    forget()


@operation()
def tree(job: Job) -> Iterator[StringCommand]:
    """Stage, validate and rename files, maps and keys."""
    wanted = differs(job)
    if not wanted.writes:
        host.noop("all files, maps and keys are as wanted")
        return
    yield command(programs.install(wanted, job.about))
    forget()
    memory()["installed"] = True


@operation()
def activate(job: Job) -> Iterator[StringCommand]:
    """Make running services what the files say; the host goes back by itself when a try fails."""
    installed = bool(memory().get("installed"))
    if not installed:
        wanted = differs(job)
        if not (wanted.services or wanted.firewalls):
            host.noop("all services are as wanted")
            return
    yield command(programs.activate(job.desired, installed))
    forget()
    memory()["activated"] = True


@operation()
def confirm(job: Job) -> Iterator[FunctionCommand]:
    """Keep new firewall rules, once every host they could cut off has answered over a connection of its own."""
    if state.is_executing and not memory().get("activated"):
        host.noop("no firewall rules wait for confirmation")
        return
    if job.desired.firewalls:
        yield FunctionCommand(confirm_freshly, (job, host.name), {})


def confirm_freshly(job: Job, name: str) -> None:
    """Open new SSH connections to every host whose path crosses the change, then confirm over one of them.

    Raises:
        OperationError: one of them did not answer; the host puts its old rules back by itself.
    """
    own = job.organisation.host(name)
    crossing = job.organisation.hosts if own.role == "firewall" else (own,)
    try:
        for other in crossing:
            ssh.connected(job.organisation, other).close()
        ssh.run(job.organisation, own, programs.confirm(job.desired))
    except ssh.HostError as error:
        within = f"the old rules come back within {programs.CONFIRM_SECONDS} s"
        raise OperationError(f"not confirmed, {within}: {error}") from error


def differs(job: Job) -> Change:
    """Desired against a snapshot that no command of ours has made stale."""
    known = memory()
    if "snapshot" not in known:
        known["snapshot"] = take(job.desired)
    return change(job.desired, known["snapshot"])


def take(desired: Desired) -> Any:
    """A snapshot of the current host, in one command."""
    _ok, output = host.run_shell_command(command(programs.collect(desired)), **privilege())
    try:
        return remote.answer(output.stdout)
    except remote.RemoteError as error:
        raise OperationError(ssh.explained(host, str(error), output.stderr)) from error


def command(program: ssh.Program) -> StringCommand:
    """The pyinfra command that runs a program; its text goes to standard input, never to the command line."""
    text = remote.program(program.modules, program.entry, program.arguments)
    return StringCommand(remote.command(program.seconds), _stdin=text)


def privilege() -> dict[str, Any]:
    """The sudo arguments of the inventory, which direct commands do not take by themselves."""
    return {"_sudo": bool(host.data.get("_sudo")), "_use_sudo_password": host.data.get("_use_sudo_password", False)}


def memory() -> dict[str, Any]:
    """What is known of the current host in this phase: it may change between pyinfra's prepare and execute."""
    phases = host.connector_data.setdefault("cjsm", {False: {}, True: {}})
    known = phases[bool(state.is_executing)]
    assert isinstance(known, dict)
    return known


def forget() -> None:
    """The host has changed: the next question needs a new snapshot."""
    memory().pop("snapshot", None)
