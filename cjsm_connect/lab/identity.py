"""What makes an image one host of one lab: names, keys, the lab's marker, where packages come from."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

from cjsm_connect.lab import access, hub, mirror, outside
from cjsm_connect.lab.machine import write
from cjsm_connect.lab.topology import ADMIN, LAN, OUTSIDE, SUITE, WAN, Host

MARKER = "etc/cjsm-lab"  # a host without it is real: faults refuse it
OPERATOR_HOME = "home/operator"
# tests knock without logging in, on purpose: sshd would soon shut the administrator out (sshd_config(5))
SSHD = f"""\
PasswordAuthentication no
PermitRootLogin no
UseDNS no
PerSourcePenaltyExemptList {LAN.address(ADMIN.legs[0].numbers[0])},{WAN.address(ADMIN.legs[1].numbers[0])}
"""


def give(root: Path, lab: str, host: Host) -> None:
    """Write the identity into a host's root before it starts. It is the same at every start, so that a saved layer
    may be started again in a lab of another name."""
    for path, content in _files(lab, host).items():
        write(root / path, content)
    give_keys(root, host)
    if host.managed:
        write(root / "etc/apt/sources.list.d/debian.sources", apt_source())
    if host.name == "hub":
        hub.give(root, hub.relays_of(lab))
    if host.name == "outside":
        outside.give(root)


def _files(lab: str, host: Host) -> dict[str, str]:
    return {
        MARKER: f"{lab}\n",
        "etc/hostname": f"{host.name}\n",
        "etc/hosts": f"127.0.0.1 localhost\n::1 localhost\n{host.address} {host.fqdn} {host.name}\n",
        "etc/resolv.conf": f"nameserver {OUTSIDE.address}\noptions timeout:2 attempts:2\n",
        "etc/machine-id": uuid.uuid5(uuid.NAMESPACE_DNS, host.fqdn).hex + "\n",
        "etc/mailname": f"{host.fqdn}\n",
        "etc/apt/keyrings/lab.asc": mirror.public_key(),
    }


def give_keys(root: Path, host: Host) -> None:
    """The host's own SSH key, and the administrator's as the only way in."""
    key = access.host_key(host)
    write(root / "etc/ssh/ssh_host_ed25519_key", key.read_text(), 0o600)
    write(root / "etc/ssh/ssh_host_ed25519_key.pub", access.public(key))
    write(root / "etc/ssh/sshd_config.d/lab.conf", SSHD)
    folder = root / OPERATOR_HOME / ".ssh"
    write(folder / "authorized_keys", access.public(access.administrator()), 0o600)
    owner = (root / OPERATOR_HOME).stat()
    for path in (folder, folder / "authorized_keys"):
        os.chown(path, owner.st_uid, owner.st_gid)
    folder.chmod(0o700)


def apt_source() -> str:
    """The hosts' packages come over HTTP from outside, through the firewall, as in real life (sources.list(5))."""
    return (
        "Types: deb\n"
        "URIs: http://mirror.outside.example/debian\n"
        f"Suites: {SUITE} {SUITE}-security\n"
        "Components: main\n"
        "Signed-By: /etc/apt/keyrings/lab.asc\n"
    )
