"""SSH keys of the lab: the administrator's and one for each host. Made once on a machine, as saved labs hold them."""

from __future__ import annotations

from pathlib import Path

from cjsm_connect.lab.machine import CACHE, locked, run
from cjsm_connect.lab.topology import Host

KEYS = CACHE / "ssh"


def administrator() -> Path:
    """The private key file of the administrator; the public one lies beside it with `.pub`."""
    return _key("id_ed25519", "administrator@lab.example")


def host_key(host: Host) -> Path:
    """The private host key file of a host."""
    return _key(f"{host.name}_host_ed25519", host.fqdn)


def known_hosts(hosts: list[Host]) -> str:
    """The pinned host keys, one address a line (sshd(8), SSH_KNOWN_HOSTS FILE FORMAT)."""
    rows = [(address, public(host_key(host)).split()) for host in hosts for address in host.addresses]
    return "".join(f"{address} {key[0]} {key[1]}\n" for address, key in rows)


def public(key: Path) -> str:
    """The public half of a key file."""
    return key.with_name(f"{key.name}.pub").read_text()


def _key(name: str, comment: str) -> Path:
    path = KEYS / name
    with locked(KEYS / "lock"):
        if not path.exists():
            run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", comment, "-f", str(path)])
    return path
