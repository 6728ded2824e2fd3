"""What each topic of the collector is told before it looks at a host.

A concern adds its topic here: a function from the organisation and the host to builtin types, or to None for a host
that the topic does not concern. The collector itself is cjsm_connect/remote/observe/TOPIC.py. Nothing secret goes in.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.remote.firewall import BOOT, LOG, TABLE

Arguments = Callable[[Organisation, Host], dict[str, Any] | None]


def system(organisation: Organisation, host: Host) -> dict[str, Any]:
    """Nothing: what all concerns share is the same for every host."""
    return {}


def logging(organisation: Organisation, host: Host) -> dict[str, Any]:
    """Where the mail log is."""
    return {"mail_log": "/var/log/cjsm/mail.log"}


def firewall(organisation: Organisation, host: Host) -> dict[str, Any]:
    """Which table is ours, where it is kept for boot, and where dropped packets are recorded."""
    return {"table": TABLE, "boot_path": BOOT, "log_file": LOG}


ARGUMENTS: dict[str, Arguments] = {
    "system": system,
    "firewall": firewall,
    "logging": logging,
}


def topics(organisation: Organisation, host: Host) -> dict[str, dict[str, Any]]:
    """The topics for a host with their arguments."""
    told = {topic: function(organisation, host) for topic, function in ARGUMENTS.items()}
    return {topic: arguments for topic, arguments in told.items() if arguments is not None}
