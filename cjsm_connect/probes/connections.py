"""SSH to the hosts that are looked at: testinfra's ssh backend over one shared, strictly verified connection a host."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import testinfra

from cjsm_connect import ending, remote
from cjsm_connect.desired.languages import ssh_value
from cjsm_connect.organisation import Host, Organisation, Vantage, secret
from cjsm_connect.probes import programs
from cjsm_connect.results import CjsmError

CONNECT_SECONDS = 5
PREFERRED_EXCHANGES = ("mlkem768x25519-sha256", "curve25519-sha256")  # ssh_config(5), KexAlgorithms
Place = Host | Vantage

_SUDO = {"passwordless": "sudo -n -- ", "password": "sudo -S -p '' -- ", "none": ""}

# what ssh says -> what it means and what to do; the first that fits is taken
_SSH_SAYS = (
    (
        ("Host key verification failed", "IDENTIFICATION HAS CHANGED", "host key is known for"),
        "its SSH host key is not the pinned one, so nothing was asked. If it was reinstalled: compare the fingerprint "
        "on its console, then pin the new key in known_hosts",
    ),
    (
        ("Permission denied", "Too many authentication failures"),
        "SSH refused the user or the key; compare ssh.user and ssh.key_file with the host's authorized_keys",
    ),
    (
        ("banner exchange", "kex_exchange_identification", "ssh_exchange_identification"),
        remote.NO_CONVERSATION,
    ),
    (
        ("timed out", "No route to host", "Connection refused", "Network is unreachable"),
        "SSH does not reach it; check that it is up, and that the firewall admits SSH from this address",
    ),
)


def places(organisation: Organisation) -> tuple[Place, ...]:
    """Every host that SSH is used for: the managed ones, and those that are only looked from."""
    return (*organisation.hosts, *organisation.vantage)


class Unreachable(CjsmError):
    """A host could not be asked; the message says why and what to do."""


class Connections:
    """Asks hosts by their name. Made by `opened`; every method may be called from several threads."""

    def __init__(self, organisation: Organisation, folder: Path) -> None:
        self.organisation = organisation
        self.configuration = folder / "ssh_config"
        self.configuration.write_text(ssh_configuration(organisation, folder), encoding="utf-8")
        self._opening = {place.name: threading.Lock() for place in places(organisation)}
        self._used: set[Place] = set()

    def ask(self, place: Place, names: tuple[str, ...], entry: str, arguments: dict[str, Any], seconds: int) -> Any:
        """Run a program of cjsm_connect.remote on a host and return its answer.

        Raises:
            Unreachable: SSH, sudo or python3 was refused or missing, or there was no answer in time.
            RemoteError: the program itself failed.
        """
        with self._opening[place.name]:  # a second connection beside one that is being opened would be its own
            self._used.add(place)
        line = programs.command(names, entry, arguments, seconds, sudo=_SUDO[place.ssh.sudo])
        code, out, err = self._with_password(place, line) if place.ssh.sudo == "password" else self._plain(place, line)
        if code:
            raise Unreachable(_why(place, code, err, seconds))
        return remote.answer(out)

    def open(self, place: Place) -> None:
        """Open the shared connection ahead of the first command. If that fails, the first command says why."""
        argv = ["ssh", "-F", os.fspath(self.configuration), str(place.address), "true"]
        with self._opening[place.name]:
            self._used.add(place)
            subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, check=False)

    def _plain(self, place: Place, line: str) -> tuple[int, str, str]:
        # controlpersist=0: testinfra's own options share no connection, the configuration's do
        host = testinfra.get_host(
            f"ssh://{_bracketed(place)}",
            ssh_config=os.fspath(self.configuration),
            timeout=CONNECT_SECONDS,
            controlpersist=0,
        )
        try:
            done = host.run(line)
        except RuntimeError as error:  # testinfra's word for exit code 255, which is ssh's own
            done = error.args[0]
        return done.rc, done.stdout_bytes.decode(errors="replace"), done.stderr_bytes.decode(errors="replace")

    def _with_password(self, place: Place, line: str) -> tuple[int, str, str]:
        """sudo's password goes in by standard input, which testinfra does not offer; the connection is the same."""
        word = secret(place.ssh.sudo_password_ref or "", self.organisation.folder, os.environ) + "\n"
        argv = ["ssh", "-F", os.fspath(self.configuration), str(place.address), line]
        done = subprocess.run(argv, input=word, capture_output=True, text=True, errors="replace", check=False)
        return done.returncode, done.stdout, done.stderr

    def leave(self) -> None:
        """This process ends now: the shared connections, which would outlive it, are ended, the folder goes."""
        for process in self._end():
            with suppress(subprocess.TimeoutExpired):
                process.wait(0.2)
        shutil.rmtree(self.configuration.parent, ignore_errors=True)

    def close(self) -> None:
        """End the shared connections, all at once."""
        for process in self._end():
            try:
                process.wait(CONNECT_SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()

    def _end(self) -> list[subprocess.Popen[bytes]]:
        argv = ["ssh", "-F", os.fspath(self.configuration), "-O", "exit"]
        return [subprocess.Popen([*argv, str(place.address)], stderr=subprocess.DEVNULL) for place in [*self._used]]


@contextmanager
def opened(organisation: Organisation) -> Iterator[Connections]:
    """Connections to all hosts of an organisation, ended and forgotten afterwards.

    Raises:
        CjsmError: no host keys are pinned; without them nobody knows whom we ask.
    """
    if organisation.known_hosts is None:
        raise CjsmError(
            "no known_hosts beside organisation.toml: expected the pinned SSH host keys of every host. Collect them "
            "with ssh-keyscan and compare each fingerprint with the host's console"
        )
    # /tmp and not TMPDIR: a control socket's path may have about 100 bytes (unix(7)); the folder is ours alone (0700)
    with tempfile.TemporaryDirectory(prefix="cjsm-", dir="/tmp") as folder:
        connections = Connections(organisation, Path(folder))
        try:
            with ending.clearing(connections.leave), ending.saying(remote.ENDS_BY_ITSELF):
                yield connections
        finally:
            connections.close()


def ssh_configuration(organisation: Organisation, folder: Path) -> str:
    """ssh_config(5) for one run. The first value wins there: the organisation's own file cannot weaken ours."""
    blocks = [_block(place) for place in places(organisation)]
    common = [
        "Host *",
        "  BatchMode yes",
        f"  ConnectTimeout {CONNECT_SECONDS}",
        "  ServerAliveInterval 5",
        "  ServerAliveCountMax 3",
        "  StrictHostKeyChecking yes",
        f"  UserKnownHostsFile {ssh_value(organisation.known_hosts)}",
        "  GlobalKnownHostsFile none",
        "  UpdateHostKeys no",
        "  ForwardAgent no",
        "  PermitLocalCommand no",
        "  ControlMaster auto",
        "  ControlPersist 60",
        f'  ControlPath "{folder}/%C"',
    ]
    included = [f"Include {ssh_value(organisation.ssh_config, pattern=True)}"] if organisation.ssh_config else []
    return "\n".join([*blocks, *common, *included, *_exchanges()]) + "\n"


@cache
def _exchanges() -> list[str]:
    """Which key exchange is preferred, where the organisation's own file says nothing of it; the rest stay possible.

    ML-KEM if this ssh has it, else X25519 as in an apply. Many an ssh would first take sntrup761, which costs it an
    eighth of a second of a core for each host.
    """
    asked = ["ssh", "-Q", "kex"]
    known = subprocess.run(asked, capture_output=True, text=True, check=False).stdout.split()
    preferred = [name for name in PREFERRED_EXCHANGES if name in known]
    return [f"  KexAlgorithms ^{','.join(preferred)}"] if preferred else []


def _block(place: Place) -> str:
    key = place.ssh.key_file
    lines = [f"Host {place.address}", f"  User {ssh_value(place.ssh.user)}", f"  Port {place.ssh.port}"]
    lines += [f"  IdentityFile {ssh_value(key)}"] if key else []
    lines += [] if place.ssh.agent else ["  IdentitiesOnly yes", "  IdentityAgent none"]
    return "\n".join(lines)


def _bracketed(place: Place) -> str:
    return f"[{place.address}]" if place.address.version == 6 else str(place.address)


def _why(place: Place, code: int, said: str, seconds: int) -> str:
    """One sentence: what was seen, and what to do."""
    said = remote.meant(said)
    last = (said.strip().splitlines() or [f"exit code {code}"])[-1]
    if code == 255:
        meaning = next((text for signs, text in _SSH_SAYS if any(sign in said for sign in signs)), "SSH failed")
        return f"{meaning} ({last})"
    if "sudo:" in said:
        return f"sudo refused user {place.ssh.user} ({last}); allow it in sudoers, or correct ssh.sudo"
    if code in (124, 137):
        return f"it did not answer within {seconds} seconds; look at its load and its disks"
    if "python3" in said:
        return f"python3 cannot be run there ({last}); install Debian's python3"
    return f"the program on it ended with {code} ({last})"
