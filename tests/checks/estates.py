"""Estates whose networks touch: nft puts neighbours together, and lists them otherwise than they were written."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from cjsm_connect.organisation import Organisation
from cjsm_connect.organisation.flows import for_host
from deploys.firewall import ruleset
from tests.made_up import lab_file, organisation

LAN, DMZ, WAN = "192.0.2.", "198.51.100.", "203.0.113."


def moved(**places: str) -> Organisation:
    """The lab's organisation with its networks elsewhere: `lan="10.73.2."`."""
    text = json.dumps(lab_file(), default=str)
    for old, new in ((LAN, places.get("lan", LAN)), (DMZ, places.get("dmz", DMZ)), (WAN, places.get("wan", WAN))):
        text = text.replace(old, new)
    file = json.loads(text)
    return organisation(**{key: file[key] for key in ("estate", "hosts", "vantage", "hub")})


def with_networks(*more: tuple[str, str, str], **changes: Any) -> Organisation:
    """The lab's organisation with more networks: (name, network, zone). The mail server stands in `six`, too."""
    added = [{"name": name, "cidr": cidr, "zone": zone} for name, cidr, zone in more]
    file = lab_file()
    if any(name == "six" for name, *_ in more):
        [mail] = [host for host in file["hosts"] if host["name"] == "mail"]
        mail["interfaces"]["six"] = "2001:db8:0:1::10"
    return organisation(estate={"networks": [*file["estate"]["networks"], *added]}, hosts=file["hosts"], **changes)


def flow(name: str, *sources: str, ports: tuple[int, ...] = (993,)) -> dict[str, Any]:
    told = {"reason": "Staff read mail.", "approver": "Chris Technical", "host": "mail"}
    return {"name": name, "source": list(sources), "ports": list(ports), **told}


EGRESS = {"to": "any:443", "approver": "Robin Signatory", "reason": "No mirror yet."}

ESTATES: dict[str, Callable[[], Organisation]] = {
    "apart": organisation,
    "two that touch": lambda: moved(dmz="10.73.1.", lan="10.73.2."),
    "two that are one network": lambda: moved(dmz="10.73.2.", lan="10.73.3."),
    "three that touch": lambda: with_networks(
        ("office", "192.0.3.0/24", "lan"), ("depot", "192.0.1.0/24", "lan"), flows=[flow("web", "0.0.0.0/0")]
    ),
    "three that are no network together": lambda: moved(dmz="10.73.255.", lan="10.74.0.", wan="10.74.1."),
    "of version 6 that touch": lambda: with_networks(
        ("six", "2001:db8:0:1::/64", "lan"),
        ("seven", "2001:db8:0:2::/64", "dmz"),
        ("eight", "2001:db8:0:8::/64", "dmz"),
        flows=[flow("web", "::/0", "2001:db8:0:9::/64", "2001:db8:0:a::1", ports=(443,)), flow("all", "::/0")],
    ),
    "a host beside a network": lambda: organisation(
        estate={
            "administered_from": ["192.0.2.100", "198.18.0.255", "198.18.1.0/24", "198.18.3.0/24"],
            "egress": EGRESS,
        },
    ),
    "networks that make no network": lambda: organisation(
        flows=[
            flow("imap", "192.0.2.64/26", "192.0.2.128/25"),
            flow("other", "192.0.2.0/25", "192.0.2.128/25", ports=(995,)),
        ]
    ),
    "hosts in a row, ports in a row": lambda: organisation(
        flows=[flow("imap", "192.0.2.20", "192.0.2.21", "192.0.2.22", "192.0.2.24", ports=(143, 144, 145, 993))]
    ),
    "everybody": lambda: organisation(
        estate={"egress": EGRESS},
        flows=[flow("web", "0.0.0.0/0"), flow("six", "::/0"), flow("halves", "0.0.0.0/1", "128.0.0.0/1", ports=(995,))],
    ),
}  # fmt: skip


def rules(made: Organisation, host: str) -> str:
    return ruleset(made.host(host), for_host(made, made.host(host)))
