"""Arguments of SMTP tries (cjsm_connect/remote/smtp.py), built from the organisation; pure.

Authorities travel as text, so that a try depends on no file that a deploy has written; client certificates are named by
their path, because private keys never leave their host.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cjsm_connect.organisation import Host, Organisation, Vantage
from cjsm_connect.organisation.routes import SELF_TEST_RECIPIENT, address_for, hub_side_address
from cjsm_connect.organisation.suites import permitted

OWN_CHAINS = {"hub": "/etc/cjsm/tls/hub.chain.pem", "inner": "/etc/cjsm/tls/inner.chain.pem"}
FOREIGN = "cjsm-selftest.invalid"  # RFC 6761: nobody's domain, so that an open relay sends nothing anywhere
UNKNOWN_USER = "no-such-user-cjsm-selftest"
SYSTEM_ACCOUNTS = ("nobody", "www-data", "daemon", "sshd")
"""Accounts of every Unix, behind which there is nobody; an alias of such a name is the administrator's decision."""
MOST_LISTED = 50  # recipients asked for in one session; a mail server ends one that goes on for too long
SMTP_PORT = 25

# what a scanner is tried with: the attachment's content, how it is packed, and whether the message is nearly too large
SAMPLES: dict[str, dict[str, Any]] = {
    "clean": {"content": "clean"},
    "eicar-plain": {"content": "eicar"},
    "eicar-zip": {"content": "eicar", "packing": "zip"},
    "eicar-nested": {"content": "eicar", "packing": "nested"},
    "eicar-large": {"content": "eicar", "large": True},
}
ROOM_FOR_HEADERS = 20_000  # each host on the way adds a Received: line before the size is judged

# What must be refused by the other side. Our side verifies nothing here: it must not be the one that refuses.
TOLERANT: dict[str, Any] = {"authorities": None, "control": True}
# each name is a version of its own, so that one answer is one fact
OLD_VERSIONS = {
    "TLSv1.0": {**TOLERANT, "minimum": "TLSv1", "maximum": "TLSv1", "ciphers": "ALL:@SECLEVEL=0"},
    "TLSv1.1": {**TOLERANT, "minimum": "TLSv1.1", "maximum": "TLSv1.1", "ciphers": "ALL:@SECLEVEL=0"},
}
ANY_SUITE = {"minimum": "TLSv1.2", "ciphers": "ALL:COMPLEMENTOFALL:!aNULL:!eNULL:!PSK:!SRP:@SECLEVEL=0"}
UNPROTECTED = {**TOLERANT, "maximum": "TLSv1.2", "ciphers": "aNULL:eNULL:@SECLEVEL=0"}


def vantage(organisation: Organisation, name: str) -> Vantage | None:
    """The vantage of that name, if the organisation has one."""
    return next((found for found in organisation.vantage if found.name == name), None)


def text_of(organisation: Organisation, path: Path | None) -> str:
    """A CA file's text; empty when the organisation has none (pinned keys)."""
    return organisation.files.get(path.relative_to(organisation.folder).as_posix(), "") if path else ""


def from_hub(organisation: Organisation, relay: Host, certificate: str | None = "hub", **more: Any) -> dict[str, Any]:
    """A session with the relay's listener for the hub, from the vantage `hub` with a certificate of it, or none."""
    place = vantage(organisation, "hub")
    tls = {
        "authorities": text_of(organisation, organisation.hub.ca_file),
        "names": [relay.fqdn],
        "server_name": relay.fqdn,
        "certificate": _certificate(place, certificate),
    }
    return {
        "address": str(hub_side_address(organisation, relay)),
        "port": organisation.hub.listen_port,
        "source": str(place.source) if place and place.source else None,
        "helo": organisation.hub.host,
        "tls": tls,
        **more,
    }


def _certificate(place: Vantage | None, name: str | None) -> str | None:
    """Its path. A name that the vantage does not have becomes a path to nothing, so that the try cannot tell: a session
    without any certificate would be refused, and look like a success."""
    if name is None:
        return None
    return place.certificates.get(name, f"certificates.{name} of this vantage") if place else None


def between(organisation: Organisation, client: Host, server: Host, **more: Any) -> dict[str, Any]:
    """A session on the inner hop, as `client` would hold it with `server`."""
    inner = organisation.inner
    tls = {
        "authorities": text_of(organisation, inner.ca_file),
        "names": [server.fqdn],
        "server_name": server.fqdn,
        "certificate": OWN_CHAINS["inner"],
    }
    return {
        "address": str(address_for(server, client)),
        "port": inner.relay_port if server.role == "relay" else inner.mail_port,
        "helo": client.fqdn,
        "tls": tls,
        **more,
    }


def with_hub(organisation: Organisation, relay: Host, address: object) -> dict[str, Any]:
    """A handshake with the hub at one of its addresses, as the relay would hold it; nothing is sent."""
    hub = organisation.hub
    tls = {
        "authorities": text_of(organisation, hub.ca_file),
        "names": list(hub.match),
        "server_name": hub.host,
        "certificate": OWN_CHAINS["hub"],
        "minimum": "TLSv1.2",
        "ciphers": ":".join(permitted(hub.tls_exceptions)),
        "implicit": hub.mode == "implicit",
    }
    source = str(hub_side_address(organisation, relay))
    return {"address": str(address), "port": hub.port, "source": source, "helo": relay.fqdn, "tls": tls}


def own_listener(organisation: Organisation, relay: Host) -> dict[str, Any]:
    """A handshake of the relay with its own listener for the hub: it has a certificate of the operator, if no leave."""
    session = from_hub(organisation, relay, None)
    return with_tls({**session, "source": None, "helo": relay.fqdn}, certificate=OWN_CHAINS["hub"])


def in_clear(arguments: dict[str, Any]) -> dict[str, Any]:
    """The same session without TLS."""
    return {**arguments, "tls": None}


def unproven(arguments: dict[str, Any]) -> dict[str, Any]:
    """The same session with TLS, not verified by us, without a certificate of ours."""
    return with_tls(arguments, certificate=None, authorities=None)


def with_tls(arguments: dict[str, Any], **options: Any) -> dict[str, Any]:
    """The same session with other TLS options."""
    return {**arguments, "tls": {**arguments["tls"], **options}}


def envelope(sender: str, recipients: Sequence[str]) -> dict[str, Any]:
    """What is asked for with MAIL and RCPT; without a message nothing is sent as DATA."""
    return {"sender": sender, "recipients": list(recipients)}


def content(organisation: Organisation, sample: str, sender: str) -> dict[str, Any]:
    """A message of SAMPLES to the recipient that is thrown away."""
    message = {**SAMPLES[sample], "mark": sample}
    if message.pop("large", False):
        message["size"] = organisation.mail.message_size_limit - ROOM_FOR_HEADERS
    return {**envelope(sender, [SELF_TEST_RECIPIENT]), "message": message}


def foreign_recipients(organisation: Organisation) -> list[str]:
    """Recipients elsewhere, in the spellings that have fooled mail servers (RFC 5321 3.6.1 source routes, "%" hack)."""
    own = organisation.domains.names[0]
    return [f"someone@{FOREIGN}", f"someone%{FOREIGN}@{own}", f"@{own}:someone@{FOREIGN}", f'"someone@{FOREIGN}"@{own}']


def nobodies(organisation: Organisation) -> list[str]:
    """Recipients that nobody should be: accounts of the system, also with an extension, and a name that is none."""
    own = organisation.domains.names[0]
    accounts = (*SYSTEM_ACCOUNTS, f"{SYSTEM_ACCOUNTS[0]}+{UNKNOWN_USER}")
    return [f"{name}@{own}" for name in (UNKNOWN_USER, *accounts)]


def sampled(addresses: Sequence[str]) -> list[str]:
    """At most MOST_LISTED of a list, spread evenly."""
    return list(addresses[:: -(-len(addresses) // MOST_LISTED) or 1])


def known_user(organisation: Organisation) -> str:
    """A mailbox of ours that exists: the declared one, else the one that every domain must have (RFC 5321 4.5.1)."""
    return organisation.tests.internal or f"postmaster@{organisation.domains.names[0]}"


def contacts(organisation: Organisation) -> list[str]:
    """Who is told of faults, maintenance and re-certification, as far as it is one of our own addresses."""
    people = (organisation.contacts.helpdesk, organisation.contacts.administrator)
    addresses = dict.fromkeys(person.email for person in people)
    return [address for address in addresses if address.rpartition("@")[2] in organisation.domains.names]


def cjsm_user(organisation: Organisation) -> str:
    """An address below cjsm.net; it is only asked for with RCPT, unless a message through the hub was wished for."""
    return organisation.tests.external or f"someone@{FOREIGN}.cjsm.net"
