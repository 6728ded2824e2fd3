"""relay: Postfix on both sides of the inner hop. On the relay all of main.cf and master.cf is ours; on the mail server
a few settings and two services are laid over what its administrator has.

Who may hand in what:
    hub          -> relay         our own domains, known recipients     source address, operator's CA, public key
    mail server  -> relay         cjsm.net and below, our own senders   source address, inner CA or public key
    relay        -> mail server   what the mail server has              source address, inner CA or public key
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import replace

from cjsm_connect.desired import Answer, Desired, Directory, File, Health, Map, Package, Service, Settings
from cjsm_connect.desired.languages import POSTFIX, Written, table_row
from cjsm_connect.desired.render import fragment, template
from cjsm_connect.organisation import Host, Organisation, secret
from cjsm_connect.organisation.routes import (
    CJSM_DOMAINS,
    SELF_TEST_RECIPIENT,
    Address,
    bracketed,
    hub_is_open,
    hub_next_hop,
    hub_side_address,
    inner_addresses,
    inner_is_open,
)
from cjsm_connect.organisation.suites import TlsException, permitted
from cjsm_connect.remote.unknown_keys import PUT_OFF

MAIN = "/etc/postfix/main.cf"
MASTER = "/etc/postfix/master.cf"
MAPS = "/etc/cjsm/maps"
TLS = "/etc/cjsm/tls"
MAILBOXES = tuple(f"/etc/cjsm/mailboxes/{name}" for name in ("people", "aliases", "delivery-status"))
PASSWORDS = "/etc/cjsm/hub-password"
FOLDER = Directory("/etc/cjsm")
SCANNER = "unix:/run/clamav/clamav-milter.ctl"
EVERYWHERE = ("0.0.0.0/0", "::/0")
PACKAGES = (Package("postfix"), Package("postfix-lmdb"))
# dpkg(1) writes these lists when it unpacks: processes that are older run what is no longer installed
PROGRAMS = tuple(f"/var/lib/dpkg/info/{package.name}.list" for package in PACKAGES)
Restrictions = tuple[str, ...]
# settings of an administrator's own Postfix that are not a matter of taste
WRITTEN_DOWN = (("smtp_tls_loglevel", "1"), ("smtpd_tls_loglevel", "1"), ("smtpd_tls_received_header", "yes"))
NO_SMUGGLING = (("smtpd_forbid_bare_newline", "normalize"), ("smtpd_forbid_unauth_pipelining", "yes"))
# a hub that is told this keeps the mail and comes again; its operator reads what to do (RFC 5321 4.2.1, RFC 3463 X.7.1)
UNKNOWN_KEYS = "hub_unknown_keys"
UNKNOWN_KEY = f"450 4.7.1 {PUT_OFF} here yet; tell this organisation its fingerprint, and try again"
# who on the internet would speak for CJSM, and who would only seem to
FORGED = (
    f"check_sender_access lmdb:{MAPS}/cjsm_senders",
    f"check_sender_access regexp:{MAPS}/disguised_senders",
)
SELF_TEST = POSTFIX.words("check_recipient_access", f"lmdb:{MAPS}/self_test")


def desired(organisation: Organisation, host: Host) -> Desired:
    """A relay of its own, or the part of a Postfix mail server that faces it."""
    if not organisation.mail_servers or host.role == "firewall" or host.mta != "postfix":
        return Desired()
    return _relay(organisation, host) if host.role == "relay" else _mail_server(organisation, host)


def _relay(organisation: Organisation, host: Host) -> Desired:
    maps = tuple(_relay_maps(organisation))
    files = (
        File(MAIN, _main(organisation, host), reason="CJSM mail only, never in clear text", returns="same hub"),
        File(
            MASTER, _master(organisation, host), reason="one listener and one route for each side", returns="same hub"
        ),
        *_passwords(organisation),
    )
    # packages arrive before files: Debian's own start must not listen on the network for a moment
    answers = (Answer("postfix", "postfix/main_mailer_type", "select", "Local only"),)
    packages = (*PACKAGES, Package("libsasl2-modules")) if organisation.hub.auth else PACKAGES
    service = Service("postfix.service", on_change="reload", watches=_watched(maps, files), order=60)
    health = tuple(_health(organisation, host))
    wanted = Desired(packages=packages, answers=answers, directories=(FOLDER,), files=files, maps=maps)
    return replace(wanted, services=(service,), health=health)


def _watched(maps: tuple[Map, ...], files: tuple[File, ...]) -> tuple[str, ...]:
    """What Postfix has read at its start or last reload. The tables are one set: one name stands for all."""
    certificates = (f"{TLS}/hub-ca.pem", f"{TLS}/inner-ca.pem", "hub", "inner")
    return (*(file.path for file in files), *(table.name for table in maps), *certificates, *PROGRAMS)


def _main(organisation: Organisation, host: Host) -> str:
    return template(
        "relay/main.cf.j2",
        organisation=organisation.organisation.name,
        hostname=host.fqdn,
        protocols=_protocols(organisation),
        maps=MAPS,
        recipients=organisation.recipients.mode,
        message_size_limit=organisation.mail.message_size_limit,
        queue_lifetime_days=organisation.mail.queue_lifetime_days,
        cjsm_is_open=hub_is_open(organisation, host),
        scanner=organisation.antivirus.hook.milter if organisation.antivirus.hook else SCANNER,
    )


def _protocols(organisation: Organisation) -> str:
    """Both, unless no mail flows between IPv6 addresses: then Postfix need not look for them (inet_protocols)."""
    hosts = (*organisation.relays, *organisation.mail_servers)
    inner = (address for host in hosts for address in host.addresses)
    addresses = (*inner, *organisation.hub.addresses, *organisation.hub.sources)
    return "ipv4" if all(address.version == 4 for address in addresses) else "all"


def _master(organisation: Organisation, host: Host) -> str:
    receivers = tuple(receiver.fqdn for receiver in organisation.mail_servers)
    return template(
        "relay/master.cf.j2",
        organisation=organisation.organisation.name,
        cjsm_is_open=hub_is_open(organisation, host),
        inner_is_open=inner_is_open(organisation, host),
        hub_listener=_hub_listener(organisation, host),
        inner_listeners=[_relay_inner_listener(organisation, at) for at in inner_addresses(organisation, host)],
        hub_client=_hub_client(organisation, host),
        inner_client=_inner_client(organisation, "inner", receivers),
    )


def _hub_listener(organisation: Organisation, host: Host) -> Written:
    """`cidr` says DUNNO or REJECT, then the public key says OK, or all others are refused (access(5)).

    A hub of which the key alone is unknown has renewed it: 450, so that it keeps the mail until the key is declared.

    Testers are let in beside the hub, up to RCPT: to begin a message is the hub's alone. So a tester's address or key
    in a wrong place refuses too much, never too little.
    """
    known = ("reject_unlisted_recipient",) if organisation.recipients.mode == "file" else _asked()
    admitted = "admitted" if organisation.hub.testers else "hub"
    renewed = POSTFIX.words("check_client_access", f"cidr:{MAPS}/{UNKNOWN_KEYS}")
    return fragment(
        "relay/listener.j2",
        service="cjsm-listener",
        address=bracketed(hub_side_address(organisation, host)),
        port=organisation.hub.listen_port,
        authority=f"{TLS}/hub-ca.pem",
        chain=f"{TLS}/hub.chain.pem",
        suites=_suites(organisation.hub.tls_exceptions),
        clients=(*_known_as(admitted), renewed, "reject"),
        messages=(*_known_as("hub"), "reject") if organisation.hub.testers else (),
        key_logged=True,
        scanned=True,
        senders=(),
        relaying=(SELF_TEST, "reject_unauth_destination"),
        recipients=(SELF_TEST, *known),
    )


def _known_as(who: str) -> Restrictions:
    address = POSTFIX.words("check_client_access", f"cidr:{MAPS}/{who}_sources")
    return address, POSTFIX.words("check_ccert_access", f"lmdb:{MAPS}/{who}_certificates")


def _asked() -> Restrictions:
    """The table names the domains whose mail server is asked; a recipient elsewhere is refused."""
    return POSTFIX.words("check_recipient_access", f"lmdb:{MAPS}/recipients"), "reject"


def _relay_inner_listener(organisation: Organisation, address: Address) -> Written:
    return _inner_listener(
        organisation,
        address,
        "relay",
        senders=(SELF_TEST, POSTFIX.words("check_sender_access", f"lmdb:{MAPS}/inner_senders"), "reject"),
        relaying=(SELF_TEST, POSTFIX.words("check_recipient_access", f"lmdb:{MAPS}/inner_destinations"), "reject"),
    )


def _inner_listener(
    organisation: Organisation, address: Address, role: str, *, senders: Restrictions, relaying: Restrictions
) -> Written:
    """The listener of a host of this role for the other end of the inner hop. The mail server does not scan again what
    the relay has scanned."""
    pinned = organisation.inner.mode == "pinned"
    port = organisation.inner.relay_port if role == "relay" else organisation.inner.mail_port
    key = (POSTFIX.words("check_ccert_access", f"lmdb:{MAPS}/inner_certificates"), "reject")
    clients = (POSTFIX.words("check_client_access", f"cidr:{MAPS}/inner_clients"),)
    return fragment(
        "relay/listener.j2",
        service="cjsm-inner-listener",
        address=bracketed(address),
        port=port,
        authority="" if pinned else f"{TLS}/inner-ca.pem",
        chain=f"{TLS}/inner.chain.pem",
        suites=_suites(organisation.inner.tls_exceptions),
        clients=(*clients, *key) if pinned else clients,
        messages=(),
        key_logged=False,
        senders=senders,
        relaying=relaying,
        recipients=(),
        scanned=role == "relay",
    )


def _suites(declared: tuple[TlsException, ...]) -> Written:
    """What OpenSSL takes for a list of suites (openssl-ciphers(1))."""
    return POSTFIX.written(":".join(map(POSTFIX.value, permitted(declared))))


def _hub_client(organisation: Organisation, host: Host) -> Written:
    return fragment(
        "relay/client.j2",
        service="cjsm",
        authority=f"{TLS}/hub-ca.pem",
        chain=f"{TLS}/hub.chain.pem",
        suites=_suites(organisation.hub.tls_exceptions),
        maps=MAPS,
        match=organisation.hub.match,
        implicit=organisation.hub.mode == "implicit",
        source=str(hub_side_address(organisation, host)),
        passwords=PASSWORDS if organisation.hub.auth else "",
    )


def _inner_client(organisation: Organisation, service: str, receivers: tuple[str, ...]) -> Written:
    pinned = organisation.inner.mode == "pinned"
    return fragment(
        "relay/client.j2",
        service=service,
        authority="" if pinned else f"{TLS}/inner-ca.pem",
        chain=f"{TLS}/inner.chain.pem",
        suites=_suites(organisation.inner.tls_exceptions),
        maps=MAPS,
        match=receivers,
        implicit=False,
        source="",
        passwords="",
    )


def _relay_maps(organisation: Organisation) -> Iterator[Map]:
    """Who may speak to which listener, and what the mail servers may ask for."""
    yield _admitted("hub_sources", organisation.hub.sources, "only the CJSM hub connects here")
    yield Map("hub_certificates", tuple((fingerprint, "OK") for fingerprint in organisation.hub.fingerprints))
    yield _said(UNKNOWN_KEYS, organisation.hub.sources, UNKNOWN_KEY, "this client is not the CJSM hub")
    yield from _with_testers(organisation)
    yield from _inner_maps(organisation, organisation.mail_servers)
    yield Map("inner_destinations", tuple((name, "OK") for name in CJSM_DOMAINS))
    # delivery reports come from the null sender (RFC 5321 4.5.5); postconf(5), smtpd_null_access_lookup_key
    yield Map("inner_senders", (*((name, "OK") for name in organisation.domains.names), ("<>", "OK")))
    yield Map("self_test", ((SELF_TEST_RECIPIENT, "OK"),))


def _with_testers(organisation: Organisation) -> Iterator[Map]:
    """The hub and whoever tests the listener; the firewall knows until when."""
    hub, testers = organisation.hub, organisation.hub.testers
    if testers:
        addresses = (*hub.sources, *(address for tester in testers for address in tester.addresses))
        keys = (*hub.fingerprints, *(key for tester in testers for key in tester.fingerprints))
        yield _admitted(
            "admitted_sources", tuple(dict.fromkeys(addresses)), "only the CJSM hub and testers connect here"
        )
        yield Map("admitted_certificates", tuple((key, "OK") for key in dict.fromkeys(keys)))


def _inner_maps(organisation: Organisation, others: tuple[Host, ...]) -> Iterator[Map]:
    addresses = tuple(address for other in others for address in other.addresses)
    yield _admitted("inner_clients", addresses, "only the other end of the inner hop connects here")
    if organisation.inner.mode == "pinned":
        yield Map("inner_certificates", tuple((str(other.inner_fingerprint), "OK") for other in others))


def _admitted(name: str, addresses: tuple[Address, ...], why: str) -> Map:
    """DUNNO for these addresses, so that the next restriction is asked too; REJECT for all others (cidr_table(5))."""
    return _said(name, addresses, "DUNNO", why)


def _said(name: str, addresses: tuple[Address, ...], action: str, why: str) -> Map:
    rows = (*((str(address), action) for address in addresses), *((net, f"REJECT {why}") for net in EVERYWHERE))
    return Map(name, rows, "cidr")


def _passwords(organisation: Organisation) -> Iterator[File]:
    """The hub's log-in, if its operator asks for one; the key is the next hop, verbatim (SASL_README)."""
    auth = organisation.hub.auth
    if auth is not None:
        password = secret(auth.password_ref, organisation.folder, os.environ)
        row = (hub_next_hop(organisation), f"{auth.user}:{password}")
        table_row(*row, "texthash")
        yield File(PASSWORDS, f"{' '.join(row)}\n", mode=0o600, secret=True)


def _health(organisation: Organisation, host: Host) -> Iterator[Health]:
    yield Health("Postfix runs", "postfix_runs")
    own, cjsm = f"postmaster@{organisation.domains.names[0]}", f"postmaster@{CJSM_DOMAINS[0]}"
    if host.role == "relay" and hub_is_open(organisation, host):
        at = (str(hub_side_address(organisation, host)), organisation.hub.listen_port)
        yield _listener("the listener for the hub admits nobody else", at, "hub", own)
        yield from _hub_suites(organisation, host)
    if inner_is_open(organisation, host):
        port = organisation.inner.relay_port if host.role == "relay" else organisation.inner.mail_port
        for address in inner_addresses(organisation, host):
            name = f"the inner listener on {address} admits nobody else"
            yield _listener(name, (str(address), port), "inner", cjsm if host.role == "relay" else own)
    for client in _clients(organisation, host):
        arguments = (("service", f"{client}/unix"), ("parameter", "tls_required_enable"), ("value", "no"))
        yield Health(f"no message turns TLS off for {client}", "postfix_setting", arguments)
    if host.mailboxes == "local":
        yield Health("the mail server greets", "smtp_banner", (("address", "127.0.0.1"), ("port", 25)))


def _hub_suites(organisation: Organisation, host: Host) -> Iterator[Health]:
    """Before the route stays open: EHLO, STARTTLS, QUIT with each address of the hub. Only a hub that is there and has
    none of our suites fails."""
    hub = organisation.hub
    tls = {"certificate": f"{TLS}/hub.chain.pem", "implicit": hub.mode == "implicit", "server_name": hub.host}
    for address in hub.addresses:
        at = {"address": str(address), "port": hub.port, "source": str(hub_side_address(organisation, host))}
        asked = {**at, "helo": host.fqdn, "tls": tls, "permitted": permitted(hub.tls_exceptions)}
        yield Health(f"the hub at {address} has a suite that is permitted", "hub_suites", tuple(asked.items()))


def _clients(organisation: Organisation, host: Host) -> Iterator[str]:
    """The services by which CJSM mail leaves this host."""
    if host.role == "relay" and hub_is_open(organisation, host):
        yield "cjsm"
    if inner_is_open(organisation, host):
        yield "inner" if host.role == "relay" else "cjsm-inner"


def _listener(name: str, at: tuple[str, int], key: str, recipient: str) -> Health:
    """`recipient` is one that the right machine may write to here."""
    arguments = (("address", at[0]), ("port", at[1]), ("chain", f"{TLS}/{key}.chain.pem"), ("recipient", recipient))
    return Health(name, "smtp_listener", arguments)


def _mail_server(organisation: Organisation, host: Host) -> Desired:
    """All of Postfix where it keeps the mailboxes for us; else two services beside the administrator's own."""
    maps = tuple(_inner_maps(organisation, organisation.relays))
    ours = host.mailboxes == "local"
    files = (MAIN, MASTER, *(MAILBOXES if ours else ()))
    watches = (*files, f"{TLS}/inner-ca.pem", "inner", *(table.name for table in maps), *PROGRAMS)
    return Desired(
        packages=PACKAGES,
        answers=(Answer("postfix", "postfix/main_mailer_type", "select", "Internet Site"),) if ours else (),
        directories=(FOLDER, Directory("/etc/cjsm/mailboxes")) if ours else (FOLDER,),
        files=tuple(_mail_files(organisation, host)) if ours else (),
        settings=() if ours else tuple(_mail_settings(organisation, host)),
        maps=maps,
        services=(Service("postfix.service", on_change="reload", watches=watches, order=60),),
        health=tuple(_health(organisation, host)),
    )


def _mail_files(organisation: Organisation, host: Host) -> Iterator[File]:
    main = template(
        "relay/mail-main.cf.j2",
        organisation=organisation.organisation.name,
        hostname=host.fqdn,
        protocols=_protocols(organisation),
        maps=MAPS,
        message_size_limit=organisation.mail.message_size_limit,
        internet_mail=host.internet_mail,
        inner_is_open=inner_is_open(organisation, host),
        chain=f"{TLS}/inner.chain.pem",
    )
    services = [entry for _, entry in _mail_services(organisation, host) if entry]
    master = template("relay/mail-master.cf.j2", organisation=organisation.organisation.name, services=services)
    yield File(MAIN, main, reason="mailboxes here, CJSM by the relay")
    yield File(MASTER, master, reason="one listener and one route for the inner hop")
    for table in MAILBOXES:
        text = template(f"relay/{table.rpartition('/')[2]}.j2")
        yield File(table, text, reason="nothing that is accepted is bounced later")


def _mail_settings(organisation: Organisation, host: Host) -> Iterator[Settings]:
    """Each table goes in front of what the administrator has in that list; it knows cjsm.net only."""
    main = (
        *WRITTEN_DOWN,
        *NO_SMUGGLING,
        ("transport_maps", f"+lmdb:{MAPS}/transport, regexp:{MAPS}/disguised_domains"),
        ("smtp_dns_reply_filter", f"+regexp:{MAPS}/never_by_mx"),
        ("smtpd_sender_restrictions", f"+{', '.join(FORGED)}"),
    )
    yield Settings(MAIN, "main.cf", main)
    yield Settings(MASTER, "master.cf", tuple(_mail_services(organisation, host)))


def _mail_services(organisation: Organisation, host: Host) -> Iterator[tuple[str, Written | None]]:
    """The two services of the inner hop; taken away while there is no certificate for them."""
    ready = inner_is_open(organisation, host)
    port = organisation.inner.mail_port
    for address in inner_addresses(organisation, host):
        listener = _inner_listener(organisation, address, "mail", senders=(), relaying=("reject_unauth_destination",))
        yield f"{bracketed(address)}:{port}/inet", listener if ready else None
    relays = tuple(relay.fqdn for relay in organisation.relays)
    yield "cjsm-inner/unix", _inner_client(organisation, "cjsm-inner", relays) if ready else None


if __name__ == "builtins":  # so pyinfra executes a deploy file
    from deploys.connection import mail_path  # tls, relay and domains share one Postfix and one set of maps

    mail_path()
