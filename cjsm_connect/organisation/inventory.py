"""The hosts as pyinfra wants them: one group a role, each host with the data that its SSH connector reads.

https://docs.pyinfra.com/en/3.x/connectors/ssh.html
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any

from cjsm_connect.results import CjsmError

from .access import WITHOUT_SHA1
from .hosts import Host
from .model import Organisation
from .reading import load, secret

Groups = dict[str, list[tuple[str, dict[str, Any]]]]


def groups(folder: Path) -> Groups:
    """What an inventory.py hands to pyinfra. Ends the program with the problems, as pyinfra would show a traceback."""
    try:
        # `pyinfra debug-inventory` prints all data as it is: then there is no secret in it
        return hosts(load(folder), secrets="debug-inventory" not in sys.argv)
    except CjsmError as error:
        print(error, file=sys.stderr)
        raise SystemExit(2) from None


def hosts(organisation: Organisation, *, secrets: bool = True) -> Groups:
    """pyinfra's groups `relay`, `mail` and `firewall`, without the hosts of a release that is only assessed."""
    groups: Groups = {}
    for host in organisation.hosts:
        if host.managed:
            groups.setdefault(host.role, []).append((host.name, data(organisation, host, secrets=secrets)))
    return groups


def data(organisation: Organisation, host: Host, *, secrets: bool = True) -> dict[str, Any]:
    """One host's data: strict host keys, no SHA-1, sudo as declared. Raises CjsmError for a missing secret."""
    ssh = host.ssh
    found: dict[str, Any] = {
        "ssh_hostname": str(host.address),
        "ssh_port": ssh.port,
        "ssh_user": ssh.user,
        "ssh_allow_agent": ssh.agent,
        "ssh_look_for_keys": False,
        "ssh_strict_host_key_checking": "yes",
        "ssh_known_hosts_file": str(organisation.folder / "known_hosts"),
        "ssh_paramiko_connect_kwargs": WITHOUT_SHA1,
        "_sudo": ssh.sudo != "none",
        "cjsm_organisation": str(organisation.folder),
    }
    if ssh.key_file:
        found["ssh_key"] = str(ssh.key_file)
    if organisation.ssh_config:
        found["ssh_config_file"] = str(organisation.ssh_config)
    if ssh.sudo_password_ref and secrets:
        found["_sudo_password"] = secret(ssh.sudo_password_ref, organisation.folder, os.environ)
    return found
