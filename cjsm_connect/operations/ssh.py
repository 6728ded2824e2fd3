"""SSH to the hosts of an organisation: pinned host keys, no SHA-1, no delay, one command a program.

The transport of everything that only reads, so that neither pyinfra nor gevent is loaded when nothing differs.
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import paramiko

from cjsm_connect import remote
from cjsm_connect.organisation import Host, Organisation, Vantage, secret
from cjsm_connect.organisation.inventory import WITHOUT_SHA1
from cjsm_connect.results import CjsmError

CONNECT_SECONDS = 10

# paramiko logs a traceback of its own for an unreachable host; we say it in a sentence
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


class HostError(CjsmError):
    """One host could not be worked with; the message names it and says what to do."""


@dataclass(frozen=True, slots=True)
class Program:
    """A program for one host: see `remote.program`."""

    modules: tuple[str, ...]
    entry: str
    arguments: dict[str, Any]
    seconds: int = 60


def run_everywhere(
    organisation: Organisation, names: Sequence[str], program_of: Callable[[str], Program]
) -> dict[str, Any]:
    """Run one program on each named host, all at once; each value is its answer, or the HostError that came instead.

    Programs are made while connections are opened: the one computes, the other waits.
    """

    def answer(name: str) -> Any:
        try:
            return run(organisation, organisation.host(name), lambda: program_of(name))
        except HostError as error:
            return error

    with ThreadPoolExecutor(max_workers=max(len(names), 1)) as pool:
        return dict(zip(names, pool.map(answer, names), strict=True))


def run(organisation: Organisation, host: Host | Vantage, program_of: Callable[[], Program]) -> Any:
    """Run one program over a fresh connection in one SSH command and return its answer.

    Raises:
        HostError: unreachable, unknown or changed host key, refused log-in or sudo, no python3, or a failed program.
    """
    with connected(organisation, host) as client:
        program = program_of()
        text = remote.program(program.modules, program.entry, program.arguments)
        password = sudo_password(organisation, host)
        out, err = _executed(client, _prefix(host) + remote.command(program.seconds), password, text, program.seconds)
    try:
        return remote.answer(out)
    except remote.RemoteError as error:
        raise HostError(explained(host, str(error), err)) from error


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
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    known = organisation.known_hosts
    if known is None:
        raise HostError(
            f"{host.name}: no known_hosts beside the organisation file, so no host key can be checked. "
            f"Compare the host's key with its console, then: ssh-keyscan {host.address} >> known_hosts"
        )
    client.load_host_keys(str(known))
    try:
        client.connect(**_arguments(organisation, host))
    except Exception as error:
        client.close()
        raise HostError(_connect_problem(host, error)) from error
    transport = client.get_transport()
    # through a ProxyCommand there is no socket to speak of
    if transport is not None and isinstance(transport.sock, socket.socket):
        transport.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return client


def _arguments(organisation: Organisation, host: Host | Vantage) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "hostname": str(host.address),
        "port": host.ssh.port,
        "username": host.ssh.user,
        "timeout": CONNECT_SECONDS,
        "banner_timeout": CONNECT_SECONDS,
        "auth_timeout": CONNECT_SECONDS,
        "allow_agent": host.ssh.agent,
        "look_for_keys": False,
        **WITHOUT_SHA1,
    }
    if host.ssh.key_file:
        arguments["key_filename"] = str(host.ssh.key_file)
    proxy = _proxy(organisation, host)
    return arguments | ({"sock": proxy} if proxy else {})


def _proxy(organisation: Organisation, host: Host | Vantage) -> paramiko.ProxyCommand | None:
    """The way through jump hosts, from the ssh_config beside the organisation file (ssh_config(5) ProxyJump)."""
    if organisation.ssh_config is None:
        return None
    found = paramiko.SSHConfig.from_path(str(organisation.ssh_config)).lookup(str(host.address))
    if "proxycommand" in found:
        return paramiko.ProxyCommand(found["proxycommand"])
    if "proxyjump" not in found:
        return None
    target = f"{host.address}:{host.ssh.port}"
    return paramiko.ProxyCommand(f"ssh -F {organisation.ssh_config} -W {target} {found['proxyjump']}")


def _prefix(host: Host | Vantage) -> str:
    return {"passwordless": "sudo -n -- ", "password": "sudo -S -k -p '' -- ", "none": ""}[host.ssh.sudo]


def _executed(client: paramiko.SSHClient, command: str, password: str, text: str, seconds: int) -> tuple[str, str]:
    """Standard output and error of one command that reads `text` on its standard input."""
    stdin, stdout, stderr = client.exec_command(command, timeout=seconds + CONNECT_SECONDS)
    try:
        if password:
            stdin.write(password + "\n")
        stdin.write(text)
        stdin.flush()
        stdin.channel.shutdown_write()
        return stdout.read().decode("utf-8", "replace"), stderr.read().decode("utf-8", "replace")
    except OSError:  # the command ended without reading, or nothing came in time: what it said tells why
        return "", _rest(stderr)


def _rest(stream: Any) -> str:
    try:
        return str(stream.read(4000).decode("utf-8", "replace"))
    except OSError:
        return ""


def _connect_problem(host: Host | Vantage, error: Exception) -> str:
    where = f"{host.name}: SSH to {host.ssh.user}@{host.address}:{host.ssh.port}"
    if isinstance(error, paramiko.BadHostKeyException):
        return (
            f"{where}: the host key has changed (expected {_fingerprint(error.expected_key)}, found "
            f"{_fingerprint(error.key)}). Somebody may be in between, or the host was installed again: compare with "
            f"its console before you change known_hosts"
        )
    if isinstance(error, paramiko.AuthenticationException):
        return f"{where}: the log-in was refused; expected the key of the organisation file to be authorised there"
    if isinstance(error, paramiko.SSHException) and "not found in known_hosts" in str(error):
        return f"{where}: its host key is not in known_hosts; compare it with the console, then add it"
    if isinstance(error, TimeoutError | socket.timeout):
        return f"{where}: no answer within {CONNECT_SECONDS} s; is the host up, and does a firewall let SSH through?"
    return f"{where}: {error}"


def _fingerprint(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.fingerprint}"


HINTS = {
    "a password is required": "sudo asked for a password; expected what ssh.sudo says in the organisation file",
    "is not in the sudoers": "the user may not use sudo there",
    "incorrect password": "sudo refused the password",
    "failed to run command": "python3 is missing; install it there first: apt install python3-minimal",
    "No space left on device": "its disk is full; nothing was replaced. Make room, then run this again",
}


def explained(host: Host | Vantage, problem: str, said: str) -> str:
    """A sentence for a program that gave no good answer, from what the host said on standard error."""
    hint = hinted(problem + "\n" + said)
    last = said.strip().splitlines()[-1:] or [""]
    detail = f" ({last[0][:300]})" if last[0] and last[0] not in problem else ""
    return f"{host.name}: {hint or problem}{detail}"


def hinted(text: str) -> str:
    """What a person should know of a host's own words, "" where we know nothing better."""
    return next((sentence for sign, sentence in HINTS.items() if sign.lower() in text.lower()), "")
