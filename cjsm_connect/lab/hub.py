"""The simulated CJSM hub, and how to make it misbehave.

How the real hub rewrites addresses, which certificate rules it has and how it words its answers is not published:
each unknown is a setting, so that the organisation's side can be tried against every variant.
"""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any

from cjsm_connect.lab import authority, hosts
from cjsm_connect.lab.machine import write, write_settled
from cjsm_connect.lab.members import members
from cjsm_connect.lab.rendering import TEMPLATES, render
from cjsm_connect.lab.topology import HUB, Host
from cjsm_connect.results import CjsmError

PORT = 4545
FOLDER = "etc/cjsm-hub"
SUFFIX = ".cjsm.net"
ORGANISATION = ("council.example", "licensing.council.example")
# certificates of the operator that lie on the hub, and the name in each
CERTIFICATES = {"server": HUB.fqdn, "client": "hub-client.cjsm.example", "member": "member.charity.example"}


@dataclass(frozen=True, slots=True)
class Settings:
    """What the hub does; the defaults are a well-behaved hub."""

    rewriting: str = "both"  # envelope | header | both: where the suffix is taken off and added
    footer: bool = False  # append a transmission footer to text
    server_certificate: str = "server"  # the name of a NAME.pem and NAME.key in /etc/cjsm-hub
    client_certificate: str = "client"  # likewise; `member` is another member's, empty presents none
    source: str = HUB.addresses[1]  # the address it connects to the relay from; .22 is another member's
    offered_tls: str = "encrypt"  # smtpd_tls_security_level: encrypt | may | none
    asks_certificate: bool = True  # are members without a certificate of the operator refused?
    demanded_tls: str = "secure"  # smtp_tls_security_level towards the relay: secure | encrypt | none
    protocols: str = ">=TLSv1.2"
    message_size_limit: int = 52_428_800  # bytes
    answer: str = ""  # said to every recipient instead of accepting, for example `451 4.3.0 try again later`


@dataclass(frozen=True, slots=True)
class Hub:
    """The hub of a running lab."""

    lab: str

    @property
    def settings(self) -> Settings:
        return _settings(hosts.root(self.lab, HUB))

    def configure(self, **changes: Any) -> Settings:
        """Change settings of the running hub and reload it; no changes bring nothing new."""
        known = {field.name for field in fields(Settings)}
        if unknown := set(changes) - known:
            raise CjsmError(f"the hub has no setting '{min(unknown)}'; it has {', '.join(sorted(known))}.")
        settings = replace(self.settings, **changes)
        _write_configuration(hosts.root(self.lab, HUB), settings, relays_of(self.lab))
        done = hosts.run_in(self.lab, HUB, ["postfix", "reload"])
        if done.returncode:
            raise CjsmError(f"the hub's Postfix refused its new settings: {done.stderr.strip()}")
        return settings

    def behave(self) -> Settings:
        """Be the well-behaved hub again."""
        return self.configure(**asdict(Settings()))


def relays_of(lab: str) -> list[Host]:
    """The relays that the hub knows, in the order in which it tries them."""
    return [host for host in members(lab) if host.name.startswith("relay")]


def give(root: Path, relays: list[Host]) -> None:
    """Write keys, certificates and configuration into the hub's root before it starts."""
    write(root / FOLDER / "ca.pem", authority.pem(authority.operator().root))
    for name, common_name in CERTIFICATES.items():
        key, chain = authority.member(f"hub-{name}", common_name)
        write(root / FOLDER / f"{name}.key", key, 0o600)
        write(root / FOLDER / f"{name}.pem", chain)
    write(root / FOLDER / "footer.py", (TEMPLATES / "footer.py").read_text())
    _write_configuration(root, _settings(root), relays)


def fingerprints() -> list[str]:
    """The public-key fingerprints by which the hub is known when it connects to a relay."""
    return [authority.fingerprint(authority.member("hub-client", CERTIFICATES["client"])[1])]


def _settings(root: Path) -> Settings:
    """The settings of a hub's root: they are kept there, so that a reset brings them back too."""
    kept = root / FOLDER / "settings.json"
    return Settings(**json.loads(kept.read_text())) if kept.exists() else Settings()


def _write_configuration(root: Path, settings: Settings, relays: list[Host]) -> None:
    values = {
        "settings": settings,
        "address": HUB.address,
        "port": PORT,
        "relay_names": ":".join(relay.fqdn for relay in relays),
        "relayed": [domain + suffix for domain in ORGANISATION for suffix in ("", SUFFIX)],
        "classes": lambda side: _classes(settings.rewriting, side),
    }
    write_settled(root / "etc/postfix/main.cf", render("hub-main.cf.j2", **values))
    write(root / "etc/postfix/master.cf", render("hub-master.cf.j2", **values))
    for name, rows in _tables(relays).items():
        write(root / FOLDER / name, rows)
    write(root / FOLDER / "settings.json", json.dumps(asdict(settings), indent=2) + "\n")


def _classes(rewriting: str, side: str) -> str:
    """Postfix's address classes for a place of rewriting (postconf(5), sender_canonical_classes)."""
    places = ("envelope", "header") if rewriting == "both" else (rewriting,)
    return ", ".join(f"{place}_{side}" for place in places)


def _tables(relays: list[Host]) -> dict[str, str]:
    """pcre_table(5): the suffix off, the suffix on unless it is there already or the sender is the hub, and the way.

    How the real hub spreads mail over several relays is not published. This one tries them in turn, always from the
    first, as Postfix does with a list of next hops (postconf(5), smtp_fallback_relay; transport(5)).
    """
    suffix, own = re.escape(SUFFIX), re.escape(HUB.fqdn)
    way = ", ".join(f"[{relay.address}]:{PORT}" for relay in relays)
    domains = "|".join(re.escape(domain) for domain in ORGANISATION)
    return {
        "recipients": f"/^(.+){suffix}$/ $1\n",
        "senders": f"/^(.+@(?!.*{suffix}$)(?!{own}$).+)$/ $1{SUFFIX}\n",
        "transport": f"/@({domains})({suffix})?$/ cjsm-out:{way}\n",
    }
