"""What the connection must not be: listeners and mail servers that accept what they should refuse."""

from __future__ import annotations

import re

from faults import FaultError, Patient, fault

HUB_SIDE = "postfix/cjsm-listener"
INNER_SIDE = "postfix/cjsm-inner-listener"

RELAY = "198.51.100.10"
TAMPERING = "table ip tampering {{ chain arriving {{ type filter hook input priority mangle; {rule}; }}; }}\n"

# why further requirements must fail too
CONFIGURED = "what was tried and what is configured are judged apart, and both are wrong"
OPTIONAL_TLS = "settings for mandatory TLS no longer apply (postconf(5), smtpd_tls_security_level)"
PERMITS_ALL = "nobody looks at the recipient any more"


def service(host: Patient, log_name: str) -> str:
    """The name in master.cf of the service that logs under `log_name`."""
    for line in host.run(["postconf", "-P"]).stdout.splitlines():
        name, _, value = line.partition(" = ")
        if name.endswith("/syslog_name") and value == log_name:
            return name.removesuffix("/syslog_name")
    raise FaultError(f"{host.name}: no service in master.cf logs as {log_name}; is its certificate missing?")


def override(host: Patient, log_name: str, **settings: str) -> None:
    """Give a listener other settings, and prove that Postfix took them up."""
    listener = service(host, log_name)
    for name, value in settings.items():
        host.run(["postconf", "-P", f"{listener}/{name}={value}"])
        assert host.run(["postconf", "-Ph", f"{listener}/{name}"]).stdout.strip() == value
    host.reload_postfix()


SHOWN = ("-cert", "/etc/cjsm/tls/hub.chain.pem", "-key", "/etc/cjsm/tls/hub.chain.pem")


def spoken(host: Patient, agreed: str, *words: str) -> None:
    """Prove by a handshake that the hub's listener speaks it: an OpenSSL that allows it on paper may refuse it still.

    Reloaded, Postfix lets its old processes end by themselves: the first answer may be one of theirs.
    """
    where = service(host, HUB_SIDE).removesuffix("/inet")
    for _ in range(20):
        said = host.run(["openssl", "s_client", "-connect", where, "-starttls", "smtp", *words], "QUIT\n", check=False)
        if re.search(rf"New, .*{agreed}", said.stdout):
            return
        host.run(["sleep", "0.1"])
    raise AssertionError(f"{agreed} is not spoken: {said.stderr.strip()[-200:]}")


def configure(host: Patient, **settings: str) -> None:
    """Give the whole mail server other settings, and prove that Postfix took them up."""
    for name, value in settings.items():
        host.run(["postconf", "-e", f"{name}={value}"])
        assert host.run(["postconf", "-h", name]).stdout.strip() == value
    host.reload_postfix()


@fault(
    "connection.clear-text-to-relay",
    host="relay",
    violates="connection.never-clear-text",
    entails={
        "connection.only-the-hub": OPTIONAL_TLS,
        "connection.modern-tls": OPTIONAL_TLS,
        "relay.only-the-hub": CONFIGURED,
        "relay.renewed-key": CONFIGURED,
    },
)
def clear_text_to_relay(host: Patient) -> None:
    """TLS became optional at the hub's listener, so that a sender with trouble could get through."""
    override(host, HUB_SIDE, smtpd_tls_security_level="may", smtpd_client_restrictions="")


GREETS = """
import socket
with socket.create_connection(("hub.cjsm.example", 4545), 5) as hub:
    hub.recv(4096)
    hub.sendall(b"EHLO relay.council.example\\r\\n")
    print(hub.recv(4096).decode().replace("\\r", ""))
"""


@fault(
    "connection.starttls-stripped",
    host="relay",
    violates="connection.hub-identity",
    entails={
        "connection.mail-both-ways": "mail to the hub waits for TLS",
        "firewall.foreign-tables": "what strips it is made of nftables here, and of a table of its own",
    },
)
def starttls_stripped(host: Patient) -> None:
    """A device on the way blots out the word STARTTLS in what the hub says, as some inspect mail."""
    offer = host.run(["python3", "-c", GREETS]).stdout.replace("\n", "\r\n").index("STARTTLS")
    word = f"@ih,{8 * offer},64"
    rule = f"ip saddr 203.0.113.20 tcp sport 4545 {word} {0x5354415254544C53} {word} set {0x5858585858585858}"
    host.run(["nft", "-f", "-"], input=TAMPERING.format(rule=rule))
    assert "STARTTLS" not in host.run(["python3", "-c", GREETS]).stdout


@fault(
    "connection.any-member-is-the-hub",
    host="relay",
    violates="connection.only-the-hub",
    entails={"relay.only-the-hub": CONFIGURED, "relay.renewed-key": CONFIGURED},
)
def any_member_is_the_hub(host: Patient) -> None:
    """Every certificate of the operator is accepted as the hub's."""
    override(host, HUB_SIDE, smtpd_client_restrictions="permit_tls_all_clientcerts,reject")


@fault(
    "connection.no-certificate-needed",
    host="relay",
    violates="connection.only-the-hub",
    entails={
        "connection.modern-tls": "without a demand for certificates Postfix offers anonymous ciphers too",
        "relay.only-the-hub": CONFIGURED,
        "relay.renewed-key": CONFIGURED,
    },
)
def no_certificate_needed(host: Patient) -> None:
    """The listener relies on the hub's address alone."""
    override(host, HUB_SIDE, smtpd_tls_req_ccert="no", smtpd_client_restrictions="")


@fault(
    "connection.old-tls",
    host="relay",
    violates="connection.modern-tls",
    # seen on Debian 13: Postfix 3.10 speaks nothing below TLS 1.2 where it demands a certificate, whatever it is told
    entails={
        "connection.only-the-hub": "TLS 1.0 needs a listener that demands no certificate",
        "relay.only-the-hub": CONFIGURED,
        "relay.renewed-key": CONFIGURED,
    },
)
def old_tls(host: Patient) -> None:
    """For the time of a migration an old gateway may come in by TLS 1.0, known by its address."""
    override(
        host,
        HUB_SIDE,
        smtpd_tls_mandatory_protocols=">=TLSv1",
        tls_high_cipherlist="ALL:@SECLEVEL=0",
        smtpd_tls_req_ccert="no",
        smtpd_client_restrictions="",
    )
    spoken(host, "Cipher is [^(]", "-tls1", "-cipher", "ALL:@SECLEVEL=0")


@fault(
    "connection.weak-ciphers",
    host="relay",
    violates="connection.modern-tls",
    entails={
        "connection.only-the-hub": "Postfix speaks no such cipher with a listener that demands a certificate",
        "relay.only-the-hub": CONFIGURED,
        "relay.renewed-key": CONFIGURED,
    },
)
def weak_ciphers(host: Patient) -> None:
    """A list of ciphers from the internet lets in some that do not encrypt at all."""
    override(
        host,
        HUB_SIDE,
        tls_high_cipherlist="ALL:eNULL:@SECLEVEL=0",
        smtpd_tls_req_ccert="no",
        smtpd_client_restrictions="",
    )
    spoken(host, "NULL-SHA", "-tls1_2", "-cipher", "eNULL:@SECLEVEL=0")


@fault("connection.suites-of-before", host="relay", violates="connection.modern-tls")
def suites_of_before(host: Patient) -> None:
    """The hub's listener is back at Postfix's own list: RSA key exchange, CBC, CAMELLIA."""
    override(host, HUB_SIDE, tls_high_cipherlist="aNULL:-aNULL:HIGH:@STRENGTH")
    spoken(host, "AES256-GCM-SHA384", "-tls1_2", "-cipher", "AES256-GCM-SHA384", *SHOWN)


@fault("connection.one-old-suite", host="relay", violates="connection.modern-tls")
def one_old_suite(host: Patient) -> None:
    """One suite more for an old hub, behind the good ones, and written down nowhere."""
    listed = host.run(["postconf", "-Ph", f"{service(host, HUB_SIDE)}/tls_high_cipherlist"]).stdout.strip()
    override(host, HUB_SIDE, tls_high_cipherlist=f"{listed}:ECDHE-RSA-AES128-SHA")
    spoken(host, "ECDHE-RSA-AES128-SHA", "-tls1_2", "-cipher", "ECDHE-RSA-AES128-SHA:@SECLEVEL=0", *SHOWN)


@fault("connection.client-takes-any-suite", host="relay", violates="connection.modern-tls")
def client_takes_any_suite(host: Patient) -> None:
    """The relay offers the hub what it offered before, RSA key exchange with it."""
    override(host, "postfix/cjsm", tls_high_cipherlist="aNULL:-aNULL:HIGH:@STRENGTH")


@fault("connection.inner-suites-of-before", host="mail", violates="connection.modern-tls")
def inner_suites_of_before(host: Patient) -> None:
    """The mail server's listener for the relay takes whatever its public port takes."""
    override(host, INNER_SIDE, tls_high_cipherlist="aNULL:-aNULL:HIGH:@STRENGTH")


@fault(
    "connection.open-relay",
    host="relay",
    violates="connection.no-open-relay",
    entails={
        "connection.unknown-recipients": PERMITS_ALL,
        "connection.addresses-as-agreed": PERMITS_ALL,
        "relay.no-open-relay": CONFIGURED,
        "relay.unknown-recipients": CONFIGURED,
    },
)
def open_relay(host: Patient) -> None:
    """The hub may send to anybody through the relay."""
    override(
        host,
        HUB_SIDE,
        mynetworks="0.0.0.0/0",
        smtpd_relay_restrictions="permit_mynetworks,reject",
        smtpd_recipient_restrictions="",
    )


@fault(
    "connection.everybody-exists",
    host="relay",
    violates="connection.unknown-recipients",
    entails={"relay.unknown-recipients": CONFIGURED},
)
def everybody_exists(host: Patient) -> None:
    """Nobody asks the mail server any more: unknown recipients are accepted, and bounced later."""
    override(host, HUB_SIDE, smtpd_recipient_restrictions="permit")


@fault(
    "connection.smuggling",
    host="relay",
    violates="connection.no-smuggling",
    entails={"relay.no-smuggling": CONFIGURED},
)
def smuggling(host: Patient) -> None:
    """The defaults of Debian 12: <LF>.<CR><LF> ends a message."""
    override(
        host,
        HUB_SIDE,
        smtpd_forbid_bare_newline="no",
        smtpd_forbid_unauth_pipelining="no",
        smtpd_data_restrictions="",
    )


@fault(
    "connection.outgoing-unscanned",
    host="relay",
    violates="connection.infected-mail",
    entails={"antivirus.no-way-around": CONFIGURED},
)
def outgoing_unscanned(host: Patient) -> None:
    """The scanner looks only at what comes in."""
    override(host, INNER_SIDE, smtpd_milters="")


@fault(
    "connection.local-unscanned",
    host="relay",
    violates="connection.infected-mail",
    entails={"antivirus.no-way-around": CONFIGURED},
)
def local_unscanned(host: Patient) -> None:
    """What is handed in on the relay itself is not scanned."""
    configure(host, non_smtpd_milters="")


@fault(
    "connection.small-messages-only",
    host="relay",
    violates="connection.message-size",
    entails={"relay.mail-moves": CONFIGURED},
)
def small_messages_only(host: Patient) -> None:
    """Somebody lowered the limit on one host of the way."""
    configure(host, message_size_limit="5000000")


@fault(
    "connection.inner-clear-text",
    host="mail",
    violates="connection.never-clear-text",
    entails={
        "connection.inner-hop": OPTIONAL_TLS,
        "connection.modern-tls": OPTIONAL_TLS,
        "relay.inner-hop": CONFIGURED,
    },
)
def inner_clear_text(host: Patient) -> None:
    """The inner hop is believed to be safe without TLS."""
    override(host, INNER_SIDE, smtpd_tls_security_level="may")


@fault(
    "connection.public-open-relay",
    host="mail",
    violates="connection.no-open-relay",
    entails={"relay.no-open-relay": CONFIGURED},
)
def public_open_relay(host: Patient) -> None:
    """The whole internet became "my network", so that a supplier could send."""
    configure(host, mynetworks="0.0.0.0/0 127.0.0.0/8")


@fault("connection.public-open-by-domain", host="mail", violates="connection.no-open-relay")
def public_open_by_domain(host: Patient) -> None:
    """Every domain counts as the mail server's own to relay for."""
    configure(host, relay_domains="static:all")


@fault(
    "connection.forged-senders",
    host="mail",
    violates="connection.no-forged-senders",
    entails={"relay.no-forged-senders": CONFIGURED},
)
def forged_senders(host: Patient) -> None:
    """The rule for senders below cjsm.net was lost in a clean-up."""
    configure(host, smtpd_sender_restrictions="")


@fault("connection.public-port-silent", host="mail", violates="connection.public-side")
def public_port_silent(host: Patient) -> None:
    """Ordinary mail is refused since the connection was made."""
    configure(host, smtpd_client_restrictions="reject")


@fault("connection.leased-address", host="relay", violates="connection.static-address")
def leased_address(host: Patient) -> None:
    """The relay has its address from DHCP, and has it for an hour."""
    [row] = [line for line in host.run(["ip", "-oneline", "address"]).stdout.splitlines() if RELAY in line]
    _, interface, _, address, *_ = row.split()
    host.run(["ip", "address", "change", address, "dev", interface, "valid_lft", "3600", "preferred_lft", "3600"])
    assert "dynamic" in host.run(["ip", "-oneline", "address", "show", "to", RELAY]).stdout
