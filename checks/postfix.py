"""Judging Postfix: what a service's setting is in effect, and what its tables answered. Shared by several checks."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from ipaddress import IPv4Network, IPv6Network, ip_network
from typing import Any

from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

Network = IPv4Network | IPv6Network

TLS_1_2 = ">=TLSv1.2"
LOOPBACK = [ip_network("127.0.0.0/8"), ip_network("::1/128"), ip_network("::ffff:127.0.0.0/104")]


def setting(seen: Seen, name: str) -> str:
    """A setting of main.cf in effect."""
    return str(seen.fact("relay", "main", name))


def option(seen: Seen, name: str, parameter: str) -> str:
    """A setting as one service has it: its own `-o`, else main.cf's (master(5))."""
    options = seen.fact("relay", "services", name, "options")
    return str(options[parameter]) if parameter in options else setting(seen, parameter)


def restrictions(seen: Seen, name: str, parameter: str) -> list[str]:
    """The parts of a restriction list, each with its table."""
    parts = re.split(r",|\s+(?=(?:check|permit|reject|defer|warn)_?\w*)", option(seen, name, parameter))
    return [part.strip() for part in parts if part.strip()]


def answers(seen: Seen, lookup: str) -> Mapping[str, str | None]:
    """What the tables of a setting answered; None: they do not know the key."""
    found: Mapping[str, str | None] = seen.fact("relay", "lookups", lookup, "answers")
    return found


def service(seen: Seen, verdict: Verdict, name: str, command: str) -> None:
    """A service is in master.cf and runs that program; without it the check ends here."""
    found: Mapping[str, Any] = seen.fact("relay", "services").get(name, {})
    observed = found.get("command", "not in master.cf: closed, or waiting for its certificate")
    verdict(observed == command, expected=f"{name} runs {command}", observed=observed)


def inet_services(seen: Seen) -> list[str]:
    """Every service that listens for SMTP on the network."""
    services: Mapping[str, Any] = seen.fact("relay", "services")
    return [name for name, found in services.items() if name.endswith("/inet") and found["command"] == "smtpd"]


def listener(seen: Seen, verdict: Verdict, name: str, *, authority: str) -> None:
    """TLS is mandatory, a client certificate is demanded, and of one authority only (none: keys are pinned)."""
    service(seen, verdict, name, "smtpd")
    wanted = {
        "smtpd_tls_security_level": "encrypt",  # req_ccert means nothing at a lower level (postconf(5))
        "smtpd_tls_req_ccert" if authority else "smtpd_tls_ask_ccert": "yes",
        "smtpd_tls_CAfile": authority,
        "smtpd_tls_CApath": "",
        "smtpd_tls_mandatory_protocols": TLS_1_2,
        "smtpd_sasl_auth_enable": "no",
        "tls_append_default_CA": "no",
    }
    for parameter, value in wanted.items():
        found = option(seen, name, parameter)
        expected = f"{name}: {parameter} = {value}"
        verdict(found == value, expected=expected, observed=f"{parameter} = {found}")


def admitted(seen: Seen, verdict: Verdict, lookup: str, addresses: Iterable[str], stranger: str) -> None:
    """These addresses go on to the next question, a stranger's is refused."""
    found = answers(seen, lookup)
    for address in addresses:
        verdict(found[address] in ("DUNNO", "OK"), expected=f"{address} goes on", observed=found[address] or "unknown")
    refused = (found[stranger] or "").startswith("REJECT")
    verdict(refused, expected=f"{stranger} is refused", observed=found[stranger] or "not refused by the table")


def within(text: str, networks: Iterable[Network]) -> bool:
    """Whether an entry of mynetworks lies in one of these networks; a table or a negation does not."""
    try:
        found = ip_network(text.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False
    return any(found.version == one.version and found.subnet_of(one) for one in networks)  # type: ignore[arg-type]
