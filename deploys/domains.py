"""domains: one list of domains, and every lookup table that follows from it.

All tables of a host are one set behind one symbolic link, so a domain is in all of them or in none: there is no moment
at which a table sends mail by MX. On a relay a row that is missing anyhow is an error, never MX (relay's main.cf).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from ipaddress import IPv4Address, IPv6Address

from cjsm_connect.desired import Desired, Health, Map
from cjsm_connect.desired.languages import regexp_literal
from cjsm_connect.desired.snapshot import MAPS
from cjsm_connect.organisation import Host, Organisation, uts46
from cjsm_connect.organisation.addresses import Address
from cjsm_connect.organisation.routes import (
    CJSM_DOMAINS,
    NOTICE_SENDER,
    SELF_TEST_RECIPIENT,
    hub_is_open,
    hub_next_hop,
    inner_is_open,
    inner_next_hops,
    relayed_domains,
)

Rows = tuple[tuple[str, str], ...]

# retry(8) keeps mail in the queue and shows this text there; 4.7.5: cryptographic failure (RFC 3463)
NO_HUB_CERTIFICATE = "retry:4.7.5 waiting for the certificate from the CJSM operator"
NO_INNER_CERTIFICATE = "retry:4.7.5 waiting for the certificate of the inner hop"

NOT_TO_THE_HUB = "error:5.1.2 this is the CJSM hub itself; write to a member's address below its domain"
# IPv4 written as IPv6 (RFC 4291 2.5.5): an address literal of which no table knows the other form
IPV4_AS_IPV6 = (r"/@\[ipv6:[0:]*ffff:/", "write an IPv4 address as such")
# a label of ASCII only in the form that is made for others (RFC 5891 4.2.1): no name, but some readers show it as one
PUNYCODE = (r"/[@.]xn--[a-z0-9-]*-(\.|$)/", "the domain has a label that begins with xn-- and encodes nothing")
# RFC 3463, X.1.3 and X.1.7: the syntax of a recipient's address, and of a sender's
NO_RECIPIENT, NO_SENDER = "error:5.1.3", "REJECT 5.1.7"


def desired(organisation: Organisation, host: Host) -> Desired:
    """The tables of a relay, or of a Postfix mail server."""
    if not organisation.mail_servers or host.role == "firewall" or host.mta != "postfix":
        return Desired()
    maps = _relay_maps if host.role == "relay" else _mail_maps
    tables = tuple(maps(organisation, host))
    return Desired(maps=tables, health=tuple(_health(tables)))


def _health(tables: tuple[Map, ...]) -> Iterator[Health]:
    """Every domain's route, as Postfix itself reads it."""
    for parameter, name in (("transport_maps", "transport"), ("relay_domains", "relay_domains")):
        for table in tables:
            if table.name == name:
                arguments = (("parameter", parameter), ("table", f"lmdb:{MAPS}/{name}"), ("rows", table.rows))
                yield Health(f"{parameter} knows every domain", "tables", arguments)


def _relay_maps(organisation: Organisation, host: Host) -> Iterator[Map]:
    yield Map("relay_domains", tuple((name, "OK") for name in relayed_domains(organisation)))
    yield Map("transport", _relay_transport(organisation, host))
    yield Map("recipients", _recipients(organisation))
    yield Map("aliases", _aliases(organisation, host))
    yield Map("tls_policy", (_hub_policy(organisation), *_inner_policies(organisation, host)))


def _mail_maps(organisation: Organisation, host: Host) -> Iterator[Map]:
    yield Map("transport", tuple(_mail_transport(organisation, host)))
    recipients = _disguised("disguised_domains", NO_RECIPIENT, organisation.domains.names)
    yield replace(recipients, rows=(*recipients.rows, *_hub_in_any_spelling(organisation)))
    yield _disguised("disguised_senders", NO_SENDER)
    yield Map(
        "never_by_mx",
        tuple((rf"/(^|\.){regexp_literal(name)}\. [0-9]+ IN /", "IGNORE") for name in _suffixes()),
        "regexp",
    )
    yield Map("tls_policy", _inner_policies(organisation, host))
    yield Map("cjsm_senders", _cjsm_senders())
    if host.mailboxes == "local":
        yield Map("local_domains", tuple((name, "OK") for name in organisation.domains.names))


def _mail_transport(organisation: Organisation, host: Host) -> Iterator[tuple[str, str]]:
    """CJSM goes to the relay. What is addressed to the hub itself has no route: it would be reached without TLS."""
    yield from ((name, _inner_route(organisation, host, "cjsm-inner")) for name in CJSM_DOMAINS)
    yield from ((name, NOT_TO_THE_HUB) for name in _hub_itself(organisation))


def _hub_in_any_spelling(organisation: Organisation) -> Iterator[tuple[str, str]]:
    """The hub's IPv6 addresses as literals that the table of routes does not have: RFC 4291 2.2 has many for each."""
    for address in _hubs_addresses(organisation):
        if isinstance(address, IPv6Address):
            yield rf"/@\[ipv6:({'|'.join(_spellings(address))})\]$/", NOT_TO_THE_HUB


def _spellings(address: IPv6Address) -> Iterator[str]:
    """Expressions for all texts of an address: with leading zeros, any run of zeros left out, its end as IPv4."""
    whole = [f"{int(group, 16):x}" for group in address.exploded.split(":")]
    for parts in (whole, [*whole[:6], str(IPv4Address(int(address) & 0xFFFFFFFF)).replace(".", r"\.")]):
        zeros = [index for index, part in enumerate(parts) if part == "0"]
        padded = [part if "." in part else f"0*{part}" for part in parts]
        yield ":".join(padded)
        for first in zeros:
            for behind in range(first + 1, len(parts) + 1):
                if set(range(first, behind)) <= set(zeros):
                    yield f"{':'.join(padded[:first])}::{':'.join(padded[behind:])}"


def _hubs_addresses(organisation: Organisation) -> tuple[Address, ...]:
    return tuple(dict.fromkeys((*organisation.hub.addresses, *organisation.hub.sources)))


def _hub_itself(organisation: Organisation) -> Iterator[str]:
    """The hub by its name and by its addresses, as an address literal has them (RFC 5321 4.1.3)."""
    yield str(organisation.hub.host)
    for address in _hubs_addresses(organisation):
        yield f"[IPv6:{address}]" if address.version == 6 else f"[{address}]"


def _disguised(name: str, action: str, typed: tuple[str, ...] = ()) -> Map:
    """Domains that only DNS would read as another one; UTS #46 and our tables do not agree on them. A recipient's would
    be reached by MX, a sender's would pass for CJSM's. `typed`: domains that may not be written in their own letters.

    A regular expression is asked of the whole address (transport(5), access(5)), whoever handed the message in.
    """
    rows = [(f"/@.*{text}/", _said_of(character, becomes)) for character, becomes, text in _characters()]
    rows += [(f"/@{_typed(one)}$/", f"write this domain as {one}") for one in typed if "xn--" in one]
    named = [(key, f"{action} {why}") for key, why in (*rows, PUNYCODE, IPV4_AS_IPV6)]
    told = "a domain with a character that UTS #46 maps to ASCII is refused (https://www.unicode.org/reports/tr46/)"
    return Map(name, (("if", "/[^ -~]/"), *named[: len(rows)], ("endif", ""), *named[len(rows) :]), "regexp", told)


def _characters() -> Iterator[tuple[str, str, str]]:
    """Each character, what it becomes, and the expression in which it stands for that."""
    for character, becomes in uts46.plain().items():
        yield character, becomes, character
    for joiner in uts46.JOINERS:  # beside plain letters it joins nothing
        yield joiner, "", f"([ -~]{joiner}|{joiner}([ -~]|$))"


def _typed(name: str) -> str:
    """A domain with IDNA labels, however it is typed, as a regular expression."""
    texts = [[regexp_literal(way) for way in ways] for ways in uts46.spellings(name)]
    return "".join(ways[0] if len(ways) == 1 else f"({'|'.join(ways)})" for ways in texts)


def _said_of(character: str, becomes: str) -> str:
    """The reason for refusing it, in ASCII: it is said to clients that know nothing else."""
    meant = {"": "cannot be seen", ".": "stands for a dot"}.get(becomes, f'stands for "{becomes}"')
    return f"the domain has the character U+{ord(character):04X} in it, which {meant}; type it anew"


def _suffixes() -> tuple[str, ...]:
    return tuple(dict.fromkeys(name.removeprefix(".") for name in CJSM_DOMAINS))


def _cjsm_senders() -> Rows:
    """Nobody on the internet speaks for CJSM, but for its own notices: the whole address is asked first (access(5))."""
    refused = tuple((name, "REJECT CJSM mail does not come this way") for name in CJSM_DOMAINS)
    return (*refused, (NOTICE_SENDER, "DUNNO"))


def _relay_transport(organisation: Organisation, host: Host) -> Rows:
    """CJSM to the hub, the organisation's own domains to its mail server, the self-test nowhere."""
    hub = f"cjsm:{hub_next_hop(organisation)}" if hub_is_open(organisation, host) else NO_HUB_CERTIFICATE
    inner = _inner_route(organisation, host, "inner")
    return (
        *((name, hub) for name in CJSM_DOMAINS),
        *((name, inner) for name in organisation.domains.names),
        (SELF_TEST_RECIPIENT, "discard:self-test"),
    )


def _inner_route(organisation: Organisation, host: Host, service: str) -> str:
    """Several hosts behind one hop are tried in turn (transport(5), from Postfix 3.5)."""
    if not inner_is_open(organisation, host):
        return NO_INNER_CERTIFICATE
    return f"{service}:{', '.join(inner_next_hops(organisation, host))}"


def _recipients(organisation: Organisation) -> Rows:
    """verify: the domains whose recipients the mail server is asked about. file: every address that exists."""
    if organisation.recipients.mode == "file":
        return tuple((address, "OK") for address in _listed(organisation))
    return tuple((name, "reject_unverified_recipient, permit") for name in relayed_domains(organisation))


def _listed(organisation: Organisation) -> Iterator[str]:
    yield from organisation.recipients.addresses
    if organisation.domains.accept_suffixed:
        yield from (f"{address}.cjsm.net" for address in organisation.recipients.addresses)


def _aliases(organisation: Organisation, host: Host) -> Rows:
    """The relay's own postmaster and root go to people; DOMAIN.cjsm.net, if accepted from the hub, becomes DOMAIN."""
    helpdesk = organisation.contacts.helpdesk.email
    own = helpdesk.rpartition("@")[2] in organisation.domains.names
    people = helpdesk if own else f"postmaster@{organisation.domains.names[0]}"
    suffixed = organisation.domains.names if organisation.domains.accept_suffixed else ()
    return (
        *((f"{user}@{host.fqdn}", people) for user in ("root", "postmaster", "abuse")),
        *((f"@{name}.cjsm.net", f"@{name}") for name in suffixed),
    )


def _hub_policy(organisation: Organisation) -> tuple[str, str]:
    """`secure`: the certificate carries one of the operator's names and chains to their CA, or the mail waits."""
    return hub_next_hop(organisation), f"secure match={':'.join(organisation.hub.match)} {MINIMUM}"


# Postfix's own minimum is TLS 1.0 (postconf(5), smtp_tls_mandatory_protocols); GOV.UK asks for 1.2
MINIMUM = "protocols=>=TLSv1.2 ciphers=high"


def _inner_policies(organisation: Organisation, host: Host) -> Rows:
    hops = inner_next_hops(organisation, host)
    return tuple((hop, _inner_policy(organisation, receiver)) for hop, receiver in hops.items())


def _inner_policy(organisation: Organisation, receiver: Host) -> str:
    """Declared names under a declared CA, or the pinned public key; both never clear text."""
    if organisation.inner.mode == "pinned":
        return f"fingerprint match={receiver.inner_fingerprint} {MINIMUM}"
    return f"secure match={receiver.fqdn} {MINIMUM}"


if __name__ == "builtins":  # so pyinfra executes a deploy file
    from deploys.connection import mail_path  # tls, relay and domains share one Postfix and one set of maps

    mail_path()
