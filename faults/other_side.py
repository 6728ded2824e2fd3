"""What goes wrong at the hub, which is nobody's to repair here, and what stands between relay and hub."""

from __future__ import annotations

from faults import Patient, fault
from faults.connection import HUB_SIDE, INNER_SIDE, override, service

MEMBERS = "postfix/members"
MASTER = "/etc/postfix/master.cf"


@fault(
    "connection.hub-turns-us-away",
    host="hub",
    violates="connection.hub-accepts-certificate",
    entails={"connection.mail-both-ways": "mail to the hub waits, or is refused"},
)
def hub_turns_us_away(host: Patient) -> None:
    """The hub believes another CA than the one that issued the relay's certificate: it refuses the relay."""
    subject = ["-subj", "/CN=next operator", "-days", "30", "-nodes", "-keyout", "/dev/null"]
    another = host.run(["openssl", "req", "-x509", "-newkey", "rsa:2048", *subject]).stdout
    host.write("/etc/cjsm-hub/next-ca.pem", another)
    override(host, MEMBERS, smtpd_tls_CAfile="/etc/cjsm-hub/next-ca.pem")


@fault("connection.hub-asks-nobody", host="hub", violates="connection.hub-asks-certificate")
def hub_asks_nobody(host: Patient) -> None:
    """The hub takes clients without a certificate."""
    override(host, MEMBERS, smtpd_tls_req_ccert="no", smtpd_client_restrictions="")


@fault(
    "connection.hub-is-another-member",
    host="hub",
    violates="connection.hub-identity",
    entails={"connection.mail-both-ways": "mail to the hub waits"},
)
def hub_is_another_member(host: Patient) -> None:
    """At the hub's address answers somebody with another member's certificate, which is as valid."""
    files = ",".join(f"/etc/cjsm-hub/member.{kind}" for kind in ("key", "pem"))
    override(host, MEMBERS, smtpd_tls_chain_files=files)


@fault(
    "connection.hub-has-old-suites-only",
    host="hub",
    violates="connection.modern-tls",
    entails={
        "connection.hub-identity": "without a handshake the hub shows no certificate",
        "connection.hub-accepts-certificate": "and greets nobody inside TLS",
        "connection.mail-both-ways": "mail to the hub waits",
    },
)
def hub_has_old_suites_only(host: Patient) -> None:
    """The hub speaks TLS 1.2 with CBC only, as machines of 2010 do."""
    override(
        host,
        MEMBERS,
        smtpd_tls_mandatory_protocols="TLSv1.2",
        smtpd_tls_mandatory_ciphers="high",
        tls_high_cipherlist="ECDHE-ECDSA-AES256-SHA:AES256-SHA",
    )


@fault(
    "connection.another-chain-for-the-hub",
    host="relay",
    violates="connection.relay-identity",
    entails={
        "tls.presented": "it is not the certificate that was installed for the hub",
        "connection.hub-can-deliver": "the hub refuses to deliver to it",
        "connection.mail-both-ways": "mail from the hub waits",
    },
)
def another_chain_for_the_hub(host: Patient) -> None:
    """The listener for the hub presents the certificate of the inner hop."""
    override(host, HUB_SIDE, smtpd_tls_chain_files="/etc/cjsm/tls/inner.chain.pem")


def before_all_others(host: Patient, restriction: str) -> None:
    """Put a restriction of recipients in front of those of the hub's listener."""
    text, setting = host.read(MASTER), "smtpd_recipient_restrictions = "
    at = text.index(setting, text.index(service(host, HUB_SIDE).removesuffix("/inet")))
    host.write(MASTER, f"{text[:at]}{setting}{restriction}, {text[at + len(setting) :].lstrip()}")
    host.reload_postfix()
    found = host.run(["postconf", "-Ph", f"{service(host, HUB_SIDE)}/smtpd_recipient_restrictions"]).stdout
    assert found.startswith(restriction)


@fault("connection.second-domain-refused", host="relay", violates="connection.every-domain")
def second_domain_refused(host: Patient) -> None:
    """Mail for one of the domains is refused at the hub's listener since a complaint."""
    before_all_others(host, "check_recipient_access inline:{licensing.council.example=REJECT}")


@fault(
    "connection.closed-for-maintenance",
    host="relay",
    violates="connection.hub-can-deliver",
    entails={"connection.mail-both-ways": "mail from the hub is refused"},
)
def closed_for_maintenance(host: Patient) -> None:
    """The relay was told to take nothing during the last maintenance, and never told otherwise."""
    before_all_others(host, "check_recipient_access static:{REJECT closed for maintenance}")


@fault(
    "connection.relay-turned-away-inside",
    host="mail",
    violates="connection.inner-hop",
    entails={
        "connection.hub-can-deliver": "the relay cannot ask the mail server which recipients exist",
        "connection.mail-both-ways": "mail for the organisation waits",
    },
)
def relay_turned_away_inside(host: Patient) -> None:
    """The mail server greets nobody on the inner hop since a spammer was seen there."""
    override(host, INNER_SIDE, smtpd_helo_restrictions="reject")


@fault("connection.nobody-home", host="mail", violates="connection.mail-both-ways")
def nobody_home(host: Patient) -> None:
    """What arrives for a mailbox is thrown away by an alias that was set for a test."""
    host.write("/etc/aliases", host.read("/etc/aliases") + "clerk: /dev/null\n")
    host.run(["newaliases"])
    assert host.run(["postalias", "-q", "clerk", "hash:/etc/aliases"], check=False).stdout.strip()
