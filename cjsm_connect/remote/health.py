"""Tries on the host itself after activation: each uses what was configured, and fails with what was seen."""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cjsm_connect.remote import common, health_host, health_mail, health_scanner

PATIENCE = 20  # seconds that a service may need after its start before a try counts as failed


def all_well(tries: list[dict[str, Any]]) -> None:
    """Run every try at the same time, each until it succeeds or its patience is over.

    Raises:
        Failed: some did not succeed; the message has every one with what was seen.
    """
    with ThreadPoolExecutor(max_workers=max(1, min(16, len(tries)))) as pool:
        failed = [told for told in pool.map(patiently, tries) if told]
    if failed:
        raise common.Failed("; ".join(failed))


def patiently(item: dict[str, Any]) -> str:
    """One try, repeated for up to PATIENCE seconds: what was seen last, "" when all is well."""
    last = time.monotonic() + PATIENCE
    while True:
        try:
            PROBES[item["probe"]](dict(item["arguments"]))
        except (common.Failed, OSError) as error:
            if time.monotonic() > last:
                return f"{item['name']}: {error}"
            time.sleep(0.3)
        else:
            return ""


PROBES = {
    "postfix_runs": health_mail.postfix_runs,
    "smtp_banner": health_mail.banner,
    "smtp_listener": health_mail.listener,
    "postfix_setting": health_mail.setting,
    "hub_suites": health_mail.hub_suites,
    "tables": health_mail.tables,
    "chain": health_mail.chain,
    "clamd": health_scanner.clamd,
    "milter": health_scanner.milter,
    "firewall": health_host.firewall_denies,
    "drops_recorded": health_host.drops_recorded,
    "log_line": health_host.log_line,
    "timer": health_host.timer,
    "ssh_keys_only": health_host.ssh_keys_only,
    "unit_active": health_host.unit_active,
    "command": health_host.command,
}
