"""What Postfix is asked: names of settings, and keys for its lookup tables, some of which must not be there. Pure."""

from __future__ import annotations

from typing import Any

from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.routes import (
    CJSM_DOMAINS,
    SELF_TEST_RECIPIENT,
    bracketed,
    hub_next_hop,
    hub_side_address,
    inner_addresses,
    inner_next_hops,
    next_hop,
)
from cjsm_connect.probes.steering import NAMES

STRANGER = "192.0.2.254"  # an address that no table may admit (RFC 5737)
FOREIGN_DOMAIN = "elsewhere.example"
UNKNOWN_KEYS = "hub_unknown_keys"
"""The table that says what a client with an unknown key is told, by its address."""

_READ = (
    "address_verify_map",
    "authorized_submit_users",
    "bounce_queue_lifetime",
    "default_transport",
    "local_transport",
    "maximal_queue_lifetime",
    "message_size_limit",
    "mydestination",
    "mynetworks",
    "non_smtpd_milters",
    "parent_domain_matches_subdomains",
    "relay_domains",
    "relay_recipient_maps",
    "relay_transport",
    "relayhost",
    "smtp_dns_reply_filter",
    "smtp_fallback_relay",
    "smtp_line_length_limit",
    "message_drop_headers",
    "smtp_tls_CAfile",
    "smtp_tls_CApath",
    "smtp_tls_chain_files",
    "smtp_tls_loglevel",
    "smtp_tls_exclude_ciphers",
    "smtp_tls_mandatory_ciphers",
    "smtp_tls_mandatory_exclude_ciphers",
    "smtp_tls_mandatory_protocols",
    "smtp_tls_policy_maps",
    "smtp_tls_security_level",
    "smtp_tls_secure_cert_match",
    "smtp_tls_wrappermode",
    "smtpd_client_restrictions",
    "smtpd_data_restrictions",
    "smtpd_delay_reject",
    "smtpd_end_of_data_restrictions",
    "smtpd_forbid_bare_newline",
    "smtpd_forbid_bare_newline_exclusions",
    "smtpd_forbid_unauth_pipelining",
    "smtpd_milters",
    "smtpd_recipient_restrictions",
    "smtpd_relay_restrictions",
    "smtpd_sasl_auth_enable",
    "smtpd_sender_restrictions",
    "smtpd_tls_CAfile",
    "smtpd_tls_CApath",
    "smtpd_tls_ask_ccert",
    "smtpd_tls_auth_only",
    "smtpd_tls_chain_files",
    "smtpd_tls_fingerprint_digest",
    "smtpd_tls_exclude_ciphers",
    "smtpd_tls_loglevel",
    "smtpd_tls_mandatory_ciphers",
    "smtpd_tls_mandatory_exclude_ciphers",
    "smtpd_tls_mandatory_protocols",
    "smtpd_tls_received_header",
    "smtpd_tls_req_ccert",
    "smtpd_tls_security_level",
    "smtpd_tls_wrappermode",
    "tls_append_default_CA",
    "tls_high_cipherlist",
    "tls_medium_cipherlist",
    "tls_required_enable",
    "transport_maps",
    "unverified_recipient_defer_code",
    "unverified_recipient_reject_code",
    "virtual_alias_maps",
)

PARAMETERS = tuple(sorted({*_READ, *NAMES}))

Lookups = dict[str, dict[str, Any]]


def hub_listener(organisation: Organisation, relay: Host) -> str:
    """The relay's service for the hub, as master.cf and `postconf -M` write it."""
    return f"{bracketed(hub_side_address(organisation, relay))}:{organisation.hub.listen_port}/inet"


def inner_listeners(organisation: Organisation, host: Host) -> tuple[str, ...]:
    """The services of a relay or mail server for the inner hop."""
    port = organisation.inner.relay_port if host.role == "relay" else organisation.inner.mail_port
    return tuple(f"{bracketed(address)}:{port}/inet" for address in inner_addresses(organisation, host))


def relay_lookups(organisation: Organisation, host: Host) -> Lookups:
    """Routes, TLS policy of each next hop (and of look-alikes), and who is admitted by each listener."""
    hub, inner = hub_listener(organisation, host), inner_listeners(organisation, host)[0]
    destinations = (*CJSM_DOMAINS, *organisation.domains.names, SELF_TEST_RECIPIENT, FOREIGN_DOMAIN)
    testers = (str(address) for tester in organisation.hub.testers for address in tester.addresses)
    sources = (*map(str, organisation.hub.sources), *testers, STRANGER)
    mail = tuple(str(address) for other in organisation.mail_servers for address in other.addresses)
    return _messages(organisation, hub, sources) | {
        "routes": _asked("", "transport_maps", destinations),
        "hub_policy": _asked("cjsm/unix", "smtp_tls_policy_maps", (hub_next_hop(organisation), *CJSM_DOMAINS)),
        "inner_policy": _asked("inner/unix", "smtp_tls_policy_maps", inner_next_hops(organisation, host)),
        "hub_sources": _asked(hub, "smtpd_client_restrictions", sources),
        "unknown_keys": {**_asked(hub, "smtpd_client_restrictions", sources), "table": UNKNOWN_KEYS},
        "inner_sources": _asked(inner, "smtpd_client_restrictions", (*mail, STRANGER)),
        "inner_destinations": _asked(inner, "smtpd_relay_restrictions", (*CJSM_DOMAINS, FOREIGN_DOMAIN)),
        "inner_senders": _asked(inner, "smtpd_sender_restrictions", (*organisation.domains.names, FOREIGN_DOMAIN)),
    }


def _messages(organisation: Organisation, hub: str, sources: tuple[str, ...]) -> Lookups:
    """Who may begin and end a message, where somebody is let in who may not."""
    if not organisation.hub.testers:
        return {}
    return {
        "message_sources": _asked(hub, "smtpd_data_restrictions", sources),
        "whole_message_sources": _asked(hub, "smtpd_end_of_data_restrictions", sources),
    }


def mail_lookups(organisation: Organisation, host: Host) -> Lookups:
    """The route to the relay, its TLS policy, who uses the inner listener, and whom the internet may not speak for."""
    inner = inner_listeners(organisation, host)[0]
    relays = tuple(str(address) for other in organisation.relays for address in other.addresses)
    hops = tuple(inner_next_hops(organisation, host))
    return {
        "routes": _asked("", "transport_maps", (*CJSM_DOMAINS, FOREIGN_DOMAIN)),
        "inner_policy": _asked("cjsm-inner/unix", "smtp_tls_policy_maps", (*hops, next_hop(STRANGER, 25))),
        "inner_sources": _asked(inner, "smtpd_client_restrictions", (*relays, STRANGER)),
        "internet_senders": _asked("smtp/inet", "smtpd_sender_restrictions", (*CJSM_DOMAINS, FOREIGN_DOMAIN)),
        "disguised_senders": _asked("smtp/inet", "smtpd_sender_restrictions", disguised(organisation)),
        "disguised": _asked("", "transport_maps", disguised(organisation)),
        "mx_answers": _asked("", "smtp_dns_reply_filter", mx_answers()),
    }


DOTS = "\u3002\uff0e\uff61"  # ideographic and full-width ones
UNSEEN = "\u00ad\u200b\u2060\ufe0f\ufeff"  # what a pasted address carries
FULL_WIDTH = 0xFEE0  # from "a" to its full-width form


def disguised(organisation: Organisation) -> list[str]:
    """An address in CJSM and one of our own, each with a character that DNS alone reads as a plain one (UTS #46)."""
    suffix, own = CJSM_DOMAINS[0], organisation.domains.names[0]
    wide = "".join(character if character == "." else chr(ord(character) + FULL_WIDTH) for character in suffix)
    names = [f"member.{form}" for dot in DOTS for form in (suffix.replace(".", dot), dot.join(("example", suffix)))]
    names += [f"member.{form}" for unseen in UNSEEN for form in (suffix[:2] + unseen + suffix[2:], suffix + unseen)]
    return [f"user@{name}" for name in (*names, f"member.{wide}", own.replace(".", DOTS[0]))]


def mx_answers() -> list[str]:
    """What a public DNS could say of CJSM, as a filter of answers sees it (postconf(5), smtp_dns_reply_filter)."""
    name = CJSM_DOMAINS[0]
    return [f"{name}. 60 IN MX 10 mx.elsewhere.example.", f"member.{name}. 3600 IN A {STRANGER}"]


def _asked(service: str, parameter: str, keys: Any) -> dict[str, Any]:
    return {"service": service, "parameter": parameter, "keys": list(keys)}
