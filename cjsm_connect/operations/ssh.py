"""SSH to the hosts of an organisation, one command a program.

The transport of everything that only reads, so that neither pyinfra nor gevent is loaded when nothing differs.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cjsm_connect import ending, remote
from cjsm_connect.operations import ahead
from cjsm_connect.operations.trouble import HostError
from cjsm_connect.organisation import Host, Organisation, Vantage, secret
from cjsm_connect.organisation.access import access

if TYPE_CHECKING:
    import paramiko

__all__ = ["HostError", "Program", "connected", "explained", "hinted", "run", "run_everywhere"]


@dataclass(frozen=True, slots=True)
class Program:
    """A program for one host, see `remote.program`. One that changes it goes on without us once it has begun."""

    modules: tuple[str, ...]
    entry: str
    arguments: dict[str, Any]
    seconds: int = 60
    changes: bool = False

    @property
    def text(self) -> str:
        """What the host's Python is given to read."""
        return remote.program(self.modules, self.entry, self.arguments, self.seconds if self.changes else 0)


def run_everywhere(
    organisation: Organisation, names: Sequence[str], program_of: Callable[[str], Program]
) -> dict[str, Any]:
    """Run one program on each named host, all at once; each value is its answer, or the HostError that came instead.

    Programs are made while connections are opened: by a process that began ahead of this one's imports if there is
    one, else by threads.
    """
    hosts = [organisation.host(name) for name in names]
    with ending.saying(remote.ENDS_BY_ITSELF):
        opened = ahead.taken()
        if opened is None:
            return _in_threads(organisation, hosts, program_of)
        for host in hosts:
            opened.ask(access(organisation, host), *_request(organisation, host, program_of(host.name)))
        said = opened.answers()
    return {host.name: _answer(host, said[host.name]) for host in hosts}


def _in_threads(
    organisation: Organisation, hosts: Sequence[Host], program_of: Callable[[str], Program]
) -> dict[str, Any]:
    from concurrent.futures import ThreadPoolExecutor

    def answer(host: Host) -> Any:
        try:
            return run(organisation, host, lambda: program_of(host.name))
        except HostError as error:
            return error

    with ThreadPoolExecutor(max_workers=max(len(hosts), 1)) as pool:
        return dict(zip((host.name for host in hosts), pool.map(answer, hosts), strict=True))


def run(organisation: Organisation, host: Host | Vantage, program_of: Callable[[], Program]) -> Any:
    """Run one program over a fresh connection in one SSH command and return its answer.

    Raises:
        HostError: unreachable, unknown or changed host key, refused log-in or sudo, no python3, or a failed program.
    """
    from cjsm_connect.operations.transport import executed

    with connected(organisation, host) as client:
        said = executed(client, *_request(organisation, host, program_of()))
    found = _answer(host, said)
    if isinstance(found, HostError):
        raise found
    return found


def _request(organisation: Organisation, host: Host | Vantage, program: Program) -> tuple[str, str, int]:
    """The command line, what it reads on its standard input, and how many seconds it may take."""
    password = sudo_password(organisation, host)
    text = program.text
    command = _prefix(host) + remote.command(program.seconds)
    return command, f"{password}\n{text}" if password else text, program.seconds


def _answer(host: Host | Vantage, said: tuple[str, str] | HostError) -> Any:
    """What a program answered, from its standard output and error; or the HostError that explains why it did not."""
    if isinstance(said, HostError):
        return said
    out, err = said
    try:
        return remote.answer(out)
    except remote.RemoteError as error:
        return HostError(explained(host, str(error), err))


def sudo_password(organisation: Organisation, host: Host | Vantage) -> str:
    """The password that sudo wants on a host, "" when it wants none.

    Raises:
        CjsmError: the organisation file refers to a secret that is not there.
    """
    reference = host.ssh.sudo_password_ref
    return secret(reference, organisation.folder, os.environ) if reference else ""


def connected(organisation: Organisation, host: Host | Vantage) -> paramiko.SSHClient:
    """An open connection to a host whose key is pinned in the organisation's known_hosts.

    Raises:
        HostError: with what was expected, what was found and what to do.
    """
    from cjsm_connect.operations import transport

    return transport.connected(access(organisation, host))


def _prefix(host: Host | Vantage) -> str:
    return {"passwordless": "sudo -n -- ", "password": "sudo -S -k -p '' -- ", "none": ""}[host.ssh.sudo]


HINTS = {
    "a password is required": "sudo asked for a password; expected what ssh.sudo says in the organisation file",
    "is not in the sudoers": "the user may not use sudo there",
    "incorrect password": "sudo refused the password",
    "failed to run command": "python3 is missing; install it there first: apt install python3-minimal",
    "Read-only file system": "its file system is mounted read-only, as Linux does after an error of its disk; nothing "
    "can be changed there. Look why: findmnt, dmesg",
    "No space left on device": "its disk is full; nothing was replaced. Make room, then run this again",
}


def explained(host: Host | Vantage, problem: str, said: str) -> str:
    """A sentence for a program that gave no good answer, from what the host said on standard error."""
    said = remote.meant(said)
    hint = hinted(problem + "\n" + said)
    last = said.strip().splitlines()[-1:] or [""]
    detail = f" ({last[0][:300]})" if last[0] and last[0] not in problem else ""
    return f"{host.name}: {hint or problem}{detail}"


def hinted(text: str) -> str:
    """What a person should know of a host's own words, "" where we know nothing better."""
    return next((sentence for sign, sentence in HINTS.items() if sign.lower() in text.lower()), "")
