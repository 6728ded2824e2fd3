"""One SSH connection and one command over it: pinned host keys, no SHA-1, no delay. The one place that uses paramiko.

Knows nothing of the organisation, so that a connection can be opened while the organisation is still being judged.
"""

from __future__ import annotations

import importlib
import logging
import shlex
import socket
import sys
from typing import TYPE_CHECKING, Any

from cjsm_connect.operations.trouble import HostError
from cjsm_connect.organisation.access import WITHOUT_SHA1, Access
from cjsm_connect.remote import NO_CONVERSATION

if TYPE_CHECKING:
    import paramiko
else:

    def _paramiko() -> Any:
        """Import it without `invoke`, a third of its import: it is wanted for `Match exec` in an ssh_config only."""
        known = "invoke" in sys.modules
        if not known:
            sys.modules["invoke"] = None
        try:
            return importlib.import_module("paramiko")
        finally:
            if not known:
                del sys.modules["invoke"]

    paramiko = _paramiko()

CONNECT_SECONDS = 10

# paramiko logs a traceback of its own for an unreachable host; we say it in a sentence
logging.getLogger("paramiko").setLevel(logging.CRITICAL)


def connected(access: Access) -> paramiko.SSHClient:
    """An open connection to a host whose key is pinned.

    Raises:
        HostError: with what was expected, what was found and what to do.
    """
    if not access.known_hosts:
        raise HostError(
            f"{access.name}: no known_hosts beside the organisation file, so no host key can be checked. "
            f"Compare the host's key with its console, then: ssh-keyscan {access.address} >> known_hosts"
        )
    client = paramiko.SSHClient()
    client.set_missing_host_key_policy(paramiko.RejectPolicy())
    client.load_host_keys(access.known_hosts)
    try:
        client.connect(**_arguments(access), sock=_proxy(access) or _socket(access))
    except Exception as error:
        client.close()
        raise HostError(_connect_problem(access, error)) from error
    return client


def _arguments(access: Access) -> dict[str, Any]:
    arguments: dict[str, Any] = {
        "hostname": access.address,
        "port": access.port,
        "username": access.user,
        "timeout": CONNECT_SECONDS,
        "banner_timeout": CONNECT_SECONDS,
        "auth_timeout": CONNECT_SECONDS,
        "allow_agent": access.agent,
        "look_for_keys": False,
        **WITHOUT_SHA1,
    }
    return arguments | ({"key_filename": access.key_file} if access.key_file else {})


def _socket(access: Access) -> socket.socket:
    """A socket without Nagle's delay from the first byte: in the key exchange already it waits for the peer's ACK."""
    opened = socket.create_connection((access.address, access.port), timeout=CONNECT_SECONDS)
    opened.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return opened


def _proxy(access: Access) -> paramiko.ProxyCommand | None:
    """The way through jump hosts, from the ssh_config beside the organisation file (ssh_config(5) ProxyJump)."""
    if not access.ssh_config:
        return None
    vars(paramiko.config)["invoke"] = importlib.import_module("invoke")  # see _paramiko
    found = paramiko.SSHConfig.from_path(access.ssh_config).lookup(access.address)
    if "proxycommand" in found:
        return paramiko.ProxyCommand(found["proxycommand"])
    if "proxyjump" not in found:
        return None
    target = f"{access.address}:{access.port}"
    # paramiko takes the command apart as a shell would: a path with a space stays one word
    return paramiko.ProxyCommand(shlex.join(["ssh", "-F", access.ssh_config, "-W", target, "--", found["proxyjump"]]))


def executed(client: paramiko.SSHClient, command: str, text: str, seconds: int) -> tuple[str, str]:
    """Standard output and error of one command that reads `text` on its standard input."""
    stdin, stdout, stderr = client.exec_command(command, timeout=seconds + CONNECT_SECONDS)
    try:
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


def _connect_problem(access: Access, error: Exception) -> str:
    if isinstance(error, paramiko.BadHostKeyException):
        return (
            f"{access.where}: the host key has changed (expected {_fingerprint(error.expected_key)}, found "
            f"{_fingerprint(error.key)}). Somebody may be in between, or the host was installed again: compare with "
            f"its console before you change known_hosts"
        )
    if isinstance(error, paramiko.AuthenticationException):
        expected = "expected the key of the organisation file to be authorised there"
        return f"{access.where}: the log-in was refused; {expected}"
    if isinstance(error, paramiko.SSHException) and "not found in known_hosts" in str(error):
        return f"{access.where}: its host key is not in known_hosts; compare it with the console, then add it"
    if isinstance(error, EOFError | ConnectionResetError) or (
        isinstance(error, paramiko.SSHException) and ("banner" in str(error) or "No existing session" in str(error))
    ):
        return f"{access.where}: {NO_CONVERSATION}"
    if isinstance(error, TimeoutError):
        question = "is the host up, and does a firewall let SSH through?"
        return f"{access.where}: no answer within {CONNECT_SECONDS} s; {question}"
    return f"{access.where}: {error}"


def _fingerprint(key: paramiko.PKey) -> str:
    return f"{key.get_name()} {key.fingerprint}"
