"""The plain pyinfra entry point: `pyinfra inventories/NAME/inventory.py deploys/connection.py`."""

from __future__ import annotations

import getpass
import hashlib
import json
import platform
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cjsm_connect import __version__
from cjsm_connect.desired import merge
from cjsm_connect.operations import DesiredOf, programs
from cjsm_connect.organisation import Host, Organisation, load
from cjsm_connect.organisation.flows import for_host
from cjsm_connect.organisation.routes import text_of


def run_deploy(name: str, parts: tuple[DesiredOf, ...]) -> None:
    """Queue what one concern (or all) wants of pyinfra's current host."""
    from pyinfra import host
    from pyinfra.api.deploy import deploy

    from cjsm_connect.operations.converge import Job, converge

    organisation = load(Path(host.data.cjsm_organisation))
    subject = organisation.host(host.name)
    desired = merge(part(organisation, subject) for part in parts)
    noted = about(organisation)
    deploy(name)(converge)(Job(organisation, desired, lambda other: errand(organisation, other, noted)))


def errand(organisation: Organisation, host: Host, noted: dict[str, Any]) -> programs.Errand:
    """One apply on one host: who it is, how long a change waits, and what the host must still be able to reach."""
    needed = for_host(organisation, host).outgoing
    return programs.Errand(noted, organisation.policy.confirm_seconds.value, needed)


def about(organisation: Organisation) -> dict[str, Any]:
    """What a generation notes of the apply that made it."""
    return {
        "apply": uuid.uuid4().hex,
        "trust": trust(organisation),
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": f"{getpass.getuser()}@{platform.node()}",
        "tool_version": __version__,
        "organisation_digest": organisation.digest,
    }


def trust(organisation: Organisation) -> str:
    """A digest of who is trusted: hub and inner hop with their addresses, names and keys.

    A rollback brings nothing back that names them as they were before this changed (see generation.row).
    """
    hub = organisation.hub.model_dump(mode="json", exclude={"ca_file"})
    inner = organisation.inner.model_dump(mode="json", exclude={"ca_file"})
    authorities = [text_of(organisation, one.ca_file) for one in (organisation.hub, organisation.inner) if one.ca_file]
    pinned = {host.name: host.inner_fingerprint for host in organisation.hosts}
    return hashlib.sha256(json.dumps([hub, inner, authorities, pinned], sort_keys=True).encode()).hexdigest()
