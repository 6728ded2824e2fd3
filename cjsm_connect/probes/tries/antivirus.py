"""What the scanner says to messages that no scanner can look at whole, tried at its milter on each relay."""

from __future__ import annotations

from typing import Any

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.routes import SELF_TEST_RECIPIENT
from cjsm_connect.organisation.sizes import MIB, scan_limits
from cjsm_connect.probes.tries import Try

MILTER = "unix:/run/clamav/clamav-milter.ctl"


def tries(organisation: Organisation) -> list[Try]:
    """One for each relay."""
    return [_whole(organisation, relay) for relay in organisation.relays]


def _whole(organisation: Organisation, relay: Host) -> Try:
    hook = organisation.antivirus.hook
    arguments: dict[str, Any] = {
        "milter": hook.milter if hook else MILTER,
        "client": str(organisation.hub.sources[0]),
        "sender": SELF_TEST_RECIPIENT,
        "recipient": SELF_TEST_RECIPIENT,
        "samples": {
            "clean": {"content": "clean"},
            "oversized": {
                "content": "eicar",
                "packing": "oversized",
                "unpacked": scan_limits(organisation.mail).max_file + 8 * MIB,
            },
            "deep": {"content": "eicar", "packing": "deep"},
            "encrypted": {"content": "clean", "packing": "encrypted"},
            "unopened": {"content": "eicar", "packing": "lzma"},
        },
    }
    return Try(f"antivirus.whole:{relay.name}", relay.name, relay.name, "local-active", "scan", arguments)
