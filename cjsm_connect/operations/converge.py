"""Our pyinfra operations: packages, tree, activation, confirmation. Each is one command on a host, or none.

This module imports pyinfra and is itself imported only when pyinfra runs.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from typing import Any

import pyinfra
from pyinfra import host
from pyinfra.api import FunctionCommand, StringCommand, operation

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
    # confirmed before the services start, which may take longer than the timer of the rules
    confirm(job, name="Confirm the firewall over a fresh connection")
    activate(job, name="Activate services and try them")


Commands = Generator[StringCommand | FunctionCommand, None, None]


@operation()
def packages(job: Job) -> Commands:
    """Install what is missing in one apt transaction."""
    wanted = yield from differs(job)
    if not wanted.packages:
        host.noop("all packages are installed")
        return
    yield command(programs.packages(wanted))
    forget()


@operation()
def tree(job: Job) -> Commands:
    """Stage, validate and rename files, maps and keys."""
    wanted = yield from differs(job)
    if not wanted.writes:
        host.noop("all files, maps and keys are as wanted")
        return
    yield command(programs.install(wanted, job.about))
    forget()
    memory()["installed"] = True


@operation()
def activate(job: Job) -> Commands:
    """Make running services what the files say; the host goes back by itself when a try fails."""
    installed = bool(memory().get("installed"))
    if not installed:
        wanted = yield from differs(job)
        if not wanted.services:
            host.noop("all services are as wanted")
            return
    yield command(programs.activate(job.desired, installed))
    forget()


@operation()
def confirm(job: Job) -> Commands:
    """Keep new firewall rules, once every host they could cut off has answered over a connection of its own."""
    if pyinfra.state.is_executing and not memory().get("installed"):
        host.noop("no firewall rules wait for confirmation")
        return
    if job.desired.firewalls:
        yield FunctionCommand(confirmed_freshly, (job,), {})


def confirmed_freshly(state: Any, host: Any, job: Job) -> bool:
    """Open new SSH connections to every host whose path crosses the change, then confirm over one of them.

    False when one did not answer: the host puts its old rules back by itself. `state` and `host` are pyinfra's.
    """
    own = job.organisation.host(host.name)
    crossing = job.organisation.hosts if own.role == "firewall" else (own,)
    try:
        for other in crossing:
            ssh.connected(job.organisation, other).close()
        ssh.run(job.organisation, own, lambda: programs.confirm(job.desired))
    except ssh.HostError as error:
        memory()["put_back"] = True
        within = f"the old rules come back within {programs.CONFIRM_SECONDS} s"
        return failed(state, host, f"the firewall was not confirmed, {within}: {error}")
    return True


def failed(state: Any, host: Any, problem: str) -> bool:
    """Note why a step failed; as a pyinfra function command it fails the step without a traceback."""
    memory()["problem"] = problem
    return False


def differs(job: Job) -> Generator[FunctionCommand, None, Change]:
    """Desired against a snapshot that no command of ours has made stale; fails the step when there is none."""
    known = memory()
    if "snapshot" not in known:
        try:
            known["snapshot"] = take(job.desired)
        except ssh.HostError as error:
            yield FunctionCommand(failed, (str(error),), {})
            return Change()
    return change(job.desired, known["snapshot"])


def take(desired: Desired) -> Any:
    """A snapshot of the current host, in one command."""
    program = programs.collect(desired)
    line = StringCommand(remote.command(program.seconds))
    _ok, output = host.run_shell_command(line, **privilege(), _stdin=text(program))
    try:
        return remote.answer(output.stdout)
    except remote.RemoteError as error:
        raise ssh.HostError(ssh.explained(host, str(error), output.stderr)) from error


def command(program: ssh.Program) -> StringCommand:
    """The pyinfra command that runs a program; its text goes to standard input, never to the command line."""
    return StringCommand(remote.command(program.seconds), _stdin=text(program))


def text(program: ssh.Program) -> str:
    """A program's text."""
    return remote.program(program.modules, program.entry, program.arguments)


def privilege() -> dict[str, Any]:
    """The sudo arguments of the inventory, which direct commands do not take by themselves."""
    return {"_sudo": host.data.get("_sudo", False), "_sudo_password": host.data.get("_sudo_password")}


def memory() -> dict[str, Any]:
    """What is known of the current host in this phase: it may change between pyinfra's prepare and execute."""
    phases = host.connector_data.setdefault("cjsm", {False: {}, True: {}})
    known = phases[bool(pyinfra.state.is_executing)]
    assert isinstance(known, dict)
    return known


def forget() -> None:
    """The host has changed: the next question needs a new snapshot."""
    memory().pop("snapshot", None)
