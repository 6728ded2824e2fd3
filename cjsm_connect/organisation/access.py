"""How a host is reached over SSH, as plain data: known from the judged model, or ahead of it from the bare file.

Imports nothing heavy: what is found ahead lets connections be opened while the model is still being imported and
judged. A connection is not a command; commands are sent only with an Access that the judged model gave.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cjsm_connect.results import inputs

if TYPE_CHECKING:
    from .hosts import Host, Vantage
    from .model import Organisation

MANAGED_RELEASES = ("trixie", "bookworm")

# paramiko 4 still offers SHA-1 (CVE-2026-44405); a host of a managed release never needs it
WITHOUT_SHA1 = {
    "disabled_algorithms": {
        "keys": ["ssh-rsa"],
        "pubkeys": ["ssh-rsa"],
        "kex": [
            "diffie-hellman-group-exchange-sha1",
            "diffie-hellman-group14-sha1",
            "diffie-hellman-group1-sha1",
        ],
        "macs": ["hmac-sha1", "hmac-sha1-96", "hmac-md5", "hmac-md5-96"],
    }
}


@dataclass(frozen=True)
class Access:
    """Everything that one connection is made of. Texts only, "" for what is not there, so that it is JSON as well."""

    name: str
    address: str
    port: int
    user: str
    key_file: str
    agent: bool
    known_hosts: str  # file of pinned host keys; without one nothing is connected
    ssh_config: str  # ssh_config(5) with the jump hosts

    @property
    def where(self) -> str:
        """The host in an error message."""
        return f"{self.name}: SSH to {self.user}@{self.address}:{self.port}"


def access(organisation: Organisation, host: Host | Vantage) -> Access:
    """How the judged organisation says that a host is reached."""
    ssh = host.ssh
    return Access(
        host.name,
        str(host.address),
        ssh.port,
        ssh.user,
        str(ssh.key_file or ""),
        ssh.agent,
        str(organisation.known_hosts or ""),
        str(organisation.ssh_config or ""),
    )


def ahead(folder: Path, limit: Collection[str] = ()) -> list[Access]:
    """How the managed hosts are probably reached, from the bare file; nothing for what is not plain and complete.

    Not with an ssh_config: the programs that it names are started only after everything has been judged.
    """
    if (folder / "ssh_config").exists():
        return []
    try:
        with inputs.opened(folder / "known_hosts", inputs.SSH):
            pass
        tables = inputs.toml(inputs.text(folder / "organisation.toml", inputs.ORGANISATION))["hosts"]
        return list(_plain(tables, folder, limit))
    except (inputs.Unreadable, ValueError, KeyError, TypeError, AttributeError):
        return []  # the model will say what is wrong with it


def _plain(tables: list[dict[str, Any]], folder: Path, limit: Collection[str]) -> Iterator[Access]:
    for table in tables:
        name, ssh = table["name"], table["ssh"]
        if table["release"] not in MANAGED_RELEASES or (limit and name not in limit):
            continue
        key_file = str(folder / Path(ssh["key_file"]).expanduser()) if "key_file" in ssh else ""
        known_hosts = str(folder / "known_hosts")
        yield Access(
            name, table["address"], ssh.get("port", 22), ssh["user"], key_file, ssh.get("agent", False), known_hosts, ""
        )
