"""Judging Postfix: what a service's setting is in effect, and what its tables answered. Shared by several checks.

Settings are compared by what they mean to Postfix, not by how somebody wrote them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from checks.nftables import inside
from cjsm_connect.organisation.addresses import Network, network
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results.judge import Verdict

TLS_1_2 = ">=TLSv1.2"
VERSIONS = ("sslv2", "sslv3", "tlsv1", "tlsv1.1", "tlsv1.2", "tlsv1.3")
"""Oldest first, as postconf(5), smtp_tls_mandatory_protocols, writes them."""

# what Postfix reads without regard to case: booleans, levels, digests, grades (dict name_code(3))
BOOLEANS = {"yes", "no"}
LEVELS = {"none", "may", "encrypt", "dane", "dane-only", "fingerprint", "verify", "secure"}
WORDS = BOOLEANS | LEVELS | {"sha256", "normalize", "medium", "high"}
SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
LOOPBACK = [network("127.0.0.0/8"), network("::1/128"), network("::ffff:127.0.0.0/104")]


def setting(seen: Seen, name: str) -> str:
    """A setting of main.cf in effect."""
    return plain(str(seen.fact("relay", "main", name)))


def since(seen: Seen, *version: int) -> bool:
    """Whether a host's Postfix is of this version or newer; one whose number cannot be read is taken for newer."""
    numbers = re.match(r"(\d+)\.(\d+)", str(seen.fact("relay", "version")))
    return numbers is None or tuple(map(int, numbers.groups())) >= version


def plain(value: str) -> str:
    """A value with single spaces, and in lower case where Postfix does not care."""
    text = " ".join(value.split())
    return text.lower() if text.lower() in WORDS else text


def option(seen: Seen, name: str, parameter: str) -> str:
    """A setting as one service has it: its own `-o`, else main.cf's (master(5))."""
    options = seen.fact("relay", "services", name, "options")
    return plain(str(options[parameter])) if parameter in options else setting(seen, parameter)


def modern(protocols: str) -> bool:
    """Do these protocols leave only TLS 1.2 and newer? `>=TLSv1.2`, and every other way to say it (postconf(5))."""
    allowed, named = set(VERSIONS), set()
    for word in re.split(r"[\s,:]+", protocols.strip().lower()):
        sign, version = re.fullmatch(r"(>=|<=|!|)(.*)", word).groups()  # type: ignore[union-attr]
        if version not in VERSIONS:
            return False
        at = VERSIONS.index(version)
        allowed -= {">=": set(VERSIONS[:at]), "<=": set(VERSIONS[at + 1 :]), "!": {version}, "": set()}[sign]
        named |= set() if sign else {version}
    left = allowed & named if named else allowed
    return bool(left) and left <= set(VERSIONS[4:])


def seconds(time: str, unit: str) -> int | None:
    """A time of Postfix in seconds, in `unit` where it names none; None for what is no time."""
    found = re.fullmatch(r"(\d+)([smhdw]?)", time.strip().lower())
    return int(found[1]) * SECONDS[found[2] or unit] if found else None


# tls_misc.c of Postfix: the levels that write a line for each session; postconf(5) names the digits only
SUMMARY = {*"123456789", "routine", "debug", "ssl-expert", "ssl-developer", "summary"}


def writes_summary(level: str) -> bool:
    """Does a level of smtp_tls_loglevel or smtpd_tls_loglevel write protocol and cipher of each session?"""
    return bool(SUMMARY & set(re.split(r"[\s,]+", level.strip().lower())))


def hops(route: str) -> list[str]:
    """The next hops of a route, in order."""
    return [hop for hop in re.split(r"[\s,]+", route.partition(":")[2]) if hop]


def same_route(found: str | None, wanted: str) -> bool:
    """The same transport and the same next hops, however they are spaced."""
    return found is not None and found.partition(":")[0] == wanted.partition(":")[0] and hops(found) == hops(wanted)


def policy(seen: Seen, name: str, text: str) -> tuple[str, set[str], bool]:
    """A row of a TLS policy table: its level, the names or fingerprints it wants, and whether only new TLS is left.

    What the row leaves out is the service's own setting (postconf(5), smtp_tls_policy_maps).
    """
    words = text.split()
    level = plain(words[0]) if words else ""
    attributes = dict(word.split("=", 1) for word in words[1:] if "=" in word)
    if level not in ("secure", "verify", "fingerprint"):
        return level, set(), False
    protocols = attributes.get("protocols") or option(seen, name, "smtp_tls_mandatory_protocols")
    if level == "fingerprint":
        return level, {attributes.get("match", "")}, modern(protocols)
    names = attributes.get("match") or option(seen, name, "smtp_tls_secure_cert_match")
    return level, set(re.split(r"[\s,:]+", names)), modern(protocols)


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
        "smtpd_sasl_auth_enable": "no",
        "tls_append_default_CA": "no",
    }
    for parameter, value in wanted.items():
        found = option(seen, name, parameter)
        expected = f"{name}: {parameter} = {value}"
        verdict(found == value, expected=expected, observed=f"{parameter} = {found}")
    only_modern(seen, verdict, name, "smtpd_tls_mandatory_protocols")


def only_modern(seen: Seen, verdict: Verdict, name: str, parameter: str) -> None:
    """A service speaks TLS 1.2 and newer only."""
    found = option(seen, name, parameter)
    verdict(modern(found), expected=f"{name}: {parameter} = {TLS_1_2}", observed=f"{parameter} = {found}")


def admitted(seen: Seen, verdict: Verdict, lookup: str, addresses: Iterable[str], stranger: str) -> None:
    """These addresses go on to the next question, a stranger's is refused."""
    found = answers(seen, lookup)
    for address in addresses:
        verdict(found[address] in ("DUNNO", "OK"), expected=f"{address} goes on", observed=found[address] or "unknown")
    refused = (found[stranger] or "").startswith("REJECT")
    verdict(refused, expected=f"{stranger} is refused", observed=found[stranger] or "not refused by the table")


def within(text: str, networks: Iterable[Network]) -> bool:
    """Whether an entry of mynetworks lies in these networks, also across several that touch; a table or a negation does
    not."""
    try:
        found = network(text.replace("[", "").replace("]", ""), strict=False)
    except ValueError:
        return False
    return inside((found,), networks)
