"""Other tools, given the same state: stock pyinfra operations, and ansible-core in an environment of its own."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

from cjsm_connect.bench import environment, measure
from cjsm_connect.bench.state import State, digests, spoil
from cjsm_connect.lab import Lab
from cjsm_connect.lab.entry import controller
from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.results import CjsmError

HERE = Path(__file__).resolve().parent
LOCK = HERE / "requirements-ansible.txt"


def commands(root: Path, organisation: Organisation, states: dict[str, State], folder: Path) -> dict[str, list[str]]:
    """The command of each peer; what it needs is written below `folder`."""
    (folder / "state.json").write_text(json.dumps(states))
    return {
        "pyinfra": pyinfra(organisation, folder),
        "ansible": ansible(environment.made(root, "ansible", LOCK), organisation, states, folder),
    }


def inside(lab: str, argv: list[str]) -> list[str]:
    """A command started inside the lab's network at once."""
    return ["nsenter", f"--net={controller(lab)}", *argv]


def pyinfra(organisation: Organisation, folder: Path) -> list[str]:
    """pyinfra's own command line and operations, without confirmation: one pass."""
    settings = ["env", f"CJSM_BENCH_STATE={folder / 'state.json'}"]
    program = str(Path(sys.executable).with_name("pyinfra"))
    return [*settings, program, "-y", str(organisation.folder / "inventory.py"), str(HERE / "stock_pyinfra.py")]


def ansible(environment: Path, organisation: Organisation, states: dict[str, State], folder: Path) -> list[str]:
    """ansible-playbook with pipelining, one fork a host and its usual shared connections."""
    hosts = {name: variables(organisation, organisation.host(name)) | {"state": states[name]} for name in states}
    (folder / "hosts.json").write_text(json.dumps({"all": {"hosts": hosts}}))
    (folder / "ansible.cfg").write_text(
        f"[defaults]\nforks = {len(states)}\nhost_key_checking = True\nlocal_tmp = {folder}/local\nnocows = True\n"
        f"[connection]\npipelining = True\n[ssh_connection]\ncontrol_path_dir = {folder}/cp\n"
    )
    settings = ["env", f"ANSIBLE_CONFIG={folder / 'ansible.cfg'}", f"ANSIBLE_HOME={folder / 'home'}"]
    program = str(environment / "bin" / "ansible-playbook")
    return [*settings, program, "-i", str(folder / "hosts.json"), str(HERE / "playbook.json")]


def variables(organisation: Organisation, host: Host) -> dict[str, Any]:
    """How ansible reaches a host: as we do, with pinned host keys."""
    known = f"-o UserKnownHostsFile={organisation.known_hosts} -o GlobalKnownHostsFile=none"
    return {
        "ansible_host": str(host.address),
        "ansible_port": host.ssh.port,
        "ansible_user": host.ssh.user,
        "ansible_ssh_private_key_file": str(host.ssh.key_file),
        "ansible_ssh_common_args": f"{known} -o StrictHostKeyChecking=yes -o IdentitiesOnly=yes",
        "ansible_python_interpreter": "/usr/bin/python3",
        "ansible_become": True,
    }


def proved(lab: Lab, states: dict[str, State], peers: dict[str, list[str]]) -> None:
    """Let each peer put right what was spoilt: only one that brings about our state is worth a figure.

    Raises:
        CjsmError: a peer failed, or left another state than ours. The hosts are reset to `healthy` in any case.
    """
    wanted = digests(lab, states)
    for name, argv in peers.items():
        try:
            spoil(lab, states)
            if digests(lab, states) == wanted:
                raise CjsmError("expected spoilt hosts to have other digests; found the same, so nothing is compared")
            measure.timed(argv)
            found = digests(lab, states)
        finally:
            lab.reset(list(states))
        differing = [host for host in wanted if found[host] != wanted[host]]
        if differing:
            raise CjsmError(f"{name} left another state than ours on {', '.join(differing)}: its time says nothing")
