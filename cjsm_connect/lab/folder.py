"""The generated part of a lab's organisation folder: what the engineer would send, SSH access, signed certificates."""

from __future__ import annotations

import re
import shutil
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

from cjsm_connect.lab import access, authority, hub
from cjsm_connect.lab.entry import CLONE, organisation_folder
from cjsm_connect.lab.machine import remove_tree, write
from cjsm_connect.lab.members import members, relays
from cjsm_connect.lab.topology import MADE_BY_US, RELAY, Host, relay
from cjsm_connect.results import CjsmError

DESCRIPTION = CLONE / "inventories" / "lab"
ORGANISATION = "organisation.toml"
CERTIFICATES = "certificates"
INNER = "-inner"  # HOST-inner.csr asks the organisation's own authority, HOST.csr the operator


def prepare(lab: str) -> None:
    """Write what the lab knows into the folder: trust anchors, fingerprints, the SSH key and the pinned host keys."""
    target = organisation_folder(lab)
    _copy_description(target, relays(lab))
    key = access.administrator()
    write(target / "ssh" / key.name, key.read_text(), 0o600)
    write(target / "ssh" / f"{key.name}.pub", access.public(key))
    write(target / "known_hosts", access.known_hosts(members(lab)))
    write(target / "hub" / "ca.pem", authority.pem(authority.operator().root))
    write(target / "hub" / "inner-ca.pem", authority.pem(authority.inner().root))
    title = "# sha256 of the public key of the hub's client certificate, one a line"
    write(target / "hub" / "fingerprints.txt", "\n".join([title, *hub.fingerprints()]) + "\n")


def require_describable(lab: str, number: int, scenario: str = MADE_BY_US) -> None:
    """The organisation file of the lab `lab` is kept in the clone and has one relay and hosts that we make; what is
    otherwise wants another lab's name."""
    if scenario and organisation_folder(lab) == DESCRIPTION:
        raise CjsmError(f"start it under another name: cjsm lab up --lab {scenario} --scenario {scenario}")
    if number > 1 and organisation_folder(lab) == DESCRIPTION:
        raise CjsmError(
            f"the lab '{lab}' is described by {DESCRIPTION / ORGANISATION}, which has one relay; "
            f"start several under another name: cjsm lab up --lab several --relays {number}"
        )


def _copy_description(target: Path, number: int) -> None:
    """A lab of another name describes itself by a copy of the lab's own organisation file, with all its relays."""
    if target == DESCRIPTION or not DESCRIPTION.exists():
        return
    target.mkdir(parents=True, exist_ok=True)
    if not (target / ORGANISATION).exists():
        described = with_relays((DESCRIPTION / ORGANISATION).read_text(), number)
        write(target / ORGANISATION, declared_lately(described, datetime.now(UTC).date()))
        shutil.copy(DESCRIPTION / "inventory.py", target / "inventory.py")


def declared_lately(description: str, today: date) -> str:
    """The organisation file with statements of a month ago: whatever the day, none of them is stale."""
    return re.sub(r"(?m)^date = \d{4}-\d\d-\d\d$", f"date = {today - timedelta(days=30)}", description)


def with_relays(description: str, number: int) -> str:
    """The lab's organisation file with so many relays: what it says of the first is said of each, with another name,
    other addresses and another time to restart."""
    start = description.index('[[hosts]]\nname = "relay"\n')
    end = description.index("\n[[", start) + 1
    block = description[start:end]
    return description[:end] + "".join(_described(block, other) for other in range(2, number + 1)) + description[end:]


def _described(block: str, number: int) -> str:
    host = relay(number)
    minutes = 5 * 60 + 10 * number
    named = block.replace('name = "relay"', f'name = "{host.name}"').replace(RELAY.fqdn, host.fqdn)
    return named.replace(RELAY.address, host.address).replace("04:00", f"{minutes // 60:02}:{minutes % 60:02}")


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
    for file in _certificates_of(organisation_folder(lab) / CERTIFICATES, members(lab)):
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
