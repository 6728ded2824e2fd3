"""The plain pyinfra entry point: `pyinfra inventories/NAME/inventory.py deploys/connection.py`."""

from __future__ import annotations

import getpass
import platform
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cjsm_connect import __version__
from cjsm_connect.desired import merge
from cjsm_connect.operations import DesiredOf
from cjsm_connect.organisation import Organisation, load


def run_deploy(name: str, parts: tuple[DesiredOf, ...]) -> None:
    """Queue what one concern (or all) wants of pyinfra's current host."""
    from pyinfra import host
    from pyinfra.api.deploy import deploy

    from cjsm_connect.operations.converge import Job, converge

    organisation = load(Path(host.data.cjsm_organisation))
    subject = organisation.host(host.name)
    desired = merge(part(organisation, subject) for part in parts)
    deploy(name)(converge)(Job(organisation, desired, about(organisation)))


def about(organisation: Organisation) -> dict[str, Any]:
    """What a generation notes of the apply that made it."""
    return {
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
        "who": f"{getpass.getuser()}@{platform.node()}",
        "tool_version": __version__,
        "organisation_digest": organisation.digest,
    }
