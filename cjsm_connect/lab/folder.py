"""The generated part of a lab's organisation folder: what the engineer would send, SSH access, signed certificates."""

from __future__ import annotations

import shutil
from pathlib import Path

from cjsm_connect.lab import access, authority, hub
from cjsm_connect.lab.entry import CLONE, organisation_folder
from cjsm_connect.lab.machine import remove_tree, write
from cjsm_connect.lab.topology import HOSTS, Host

CERTIFICATES = "certificates"
INNER = "-inner"  # HOST-inner.csr asks the organisation's own authority, HOST.csr the operator


def prepare(lab: str) -> None:
    """Write what the lab knows into the folder: trust anchors, fingerprints, the SSH key and the pinned host keys."""
    target = organisation_folder(lab)
    _copy_description(target)
    key = access.administrator()
    write(target / "ssh" / key.name, key.read_text(), 0o600)
    write(target / "ssh" / f"{key.name}.pub", access.public(key))
    write(target / "known_hosts", access.known_hosts(list(HOSTS.values())))
    write(target / "hub" / "ca.pem", authority.pem(authority.operator().root))
    write(target / "hub" / "inner-ca.pem", authority.pem(authority.inner().root))
    title = "# sha256 of the public key of the hub's client certificate, one a line"
    write(target / "hub" / "fingerprints.txt", "\n".join([title, *hub.fingerprints()]) + "\n")


def _copy_description(target: Path) -> None:
    """A lab of another name describes itself by a copy of the lab's own organisation file."""
    source = CLONE / "inventories" / "lab"
    if target == source:
        return
    target.mkdir(parents=True, exist_ok=True)
    for name in ("organisation.toml", "inventory.py"):
        if (source / name).exists() and not (target / name).exists():
            shutil.copy(source / name, target / name)


def remove_generated(lab: str) -> None:
    """Take away what belongs to hosts that are gone. Evidence stays: it is somebody's result."""
    for name in ("ssh", "hub", CERTIFICATES):
        remove_tree(organisation_folder(lab) / name)
    (organisation_folder(lab) / "known_hosts").unlink(missing_ok=True)


def sign(lab: str, hosts: list[Host]) -> list[Path]:
    """Play the operator: answer every certificate request of these hosts; the chains that were written."""
    names = {name for host in hosts for name in (host.name, host.name + INNER)}
    requests = sorted((organisation_folder(lab) / CERTIFICATES).glob("*.csr"))
    return [_answer(request) for request in requests if request.stem in names]


def _answer(request: Path) -> Path:
    signer = authority.inner() if request.stem.endswith(INNER) else authority.operator()
    chain = request.with_suffix(".pem")
    write(chain, signer.sign_request(request.read_text()))
    return chain


def save_certificates(lab: str, target: Path) -> None:
    """Keep requests and chains as they are now; they belong to the keys on the hosts."""
    target.mkdir(parents=True, exist_ok=True)
    for file in _certificates_of(organisation_folder(lab) / CERTIFICATES, list(HOSTS.values())):
        shutil.copy(file, target / file.name)


def restore_certificates(lab: str, source: Path, hosts: list[Host]) -> None:
    """Put back the requests and chains that belong to the saved keys of these hosts, and no others of theirs."""
    current = organisation_folder(lab) / CERTIFICATES
    for file in _certificates_of(current, hosts):
        file.unlink()
    for file in _certificates_of(source, hosts):
        write(current / file.name, file.read_text())


def _certificates_of(folder: Path, hosts: list[Host]) -> list[Path]:
    names = {host.name + suffix for host in hosts for suffix in ("", INNER)}
    files = [*folder.glob("*.csr"), *folder.glob("*.pem")]
    return [file for file in files if file.stem in names]
