"""Ways in which certificates and keys stop proving anything."""

from __future__ import annotations

from faults import Patient, fault
from faults.connection import HUB_SIDE, override

FOLDER = "/etc/cjsm/tls"
NO_HUB = {
    "connection.hub-accepts-certificate": "the hub does not know the certificate's issuer",
    "connection.relay-identity": "the relay presents what the operator did not issue",
    "connection.mail-both-ways": "the hub refuses the relay",
    "connection.hub-can-deliver": "the hub refuses to deliver to it",
    "connection.every-domain": "the hub refuses to deliver to it",
}


def self_signed(host: Patient, name: str, subject: str, days: str = "365") -> str:
    """A certificate that nobody vouches for, for the key that is there; its text."""
    words = ["-subj", f"/CN={subject}", "-addext", f"subjectAltName=DNS:{subject}", "-days", days]
    return host.run(["openssl", "req", "-new", "-x509", "-key", f"{FOLDER}/{name}.key", *words]).stdout


def installed(host: Patient, name: str, certificate: str) -> None:
    """Put a certificate behind the key in the chain file, and let Postfix read it."""
    host.write(f"{FOLDER}/{name}.chain.pem", host.read(f"{FOLDER}/{name}.key") + certificate)
    host.run(["postfix", "reload"])
    assert certificate.strip() in host.read(f"{FOLDER}/{name}.chain.pem")


@fault("tls.self-signed", host="relay", violates="tls.operator-certificate", entails=NO_HUB)
def made_by_hand(host: Patient) -> None:
    """Somebody made a certificate instead of waiting for the operator's."""
    installed(host, "hub", self_signed(host, "hub", "relay.council.example"))


@fault(
    "tls.wrong-name",
    host="mail",
    violates="tls.inner-certificate",
    entails={
        "connection.inner-hop": "the mail server does not prove its name",
        "connection.mail-both-ways": "mail waits on both sides",
        "connection.hub-can-deliver": "the relay cannot ask the mail server which recipients exist",
        "connection.every-domain": "the relay cannot ask the mail server which recipients exist",
    },
)
def wrong_name(host: Patient) -> None:
    """The mail server presents the certificate of its web mail."""
    installed(host, "inner", self_signed(host, "inner", "webmail.council.example"))


@fault("tls.key-readable", host="relay", violates="tls.private-keys")
def key_readable(host: Patient) -> None:
    """A copy for the backup left the key readable to everybody."""
    host.run(["chmod", "0644", f"{FOLDER}/hub.key"])
    assert host.run(["stat", "-c", "%a", f"{FOLDER}/hub.key"]).stdout.strip() == "644"


@fault("tls.folder-open", host="mail", violates="tls.private-keys")
def folder_open(host: Patient) -> None:
    """The folder of the keys can be listed by everybody."""
    host.run(["chmod", "0755", FOLDER])
    assert host.run(["stat", "-c", "%a", FOLDER]).stdout.strip() == "755"


@fault(
    "tls.renewed-elsewhere",
    host="relay",
    violates="tls.presented",
    entails={name: why for name, why in NO_HUB.items() if name != "connection.hub-accepts-certificate"},
)
def renewed_elsewhere(host: Patient) -> None:
    """The listener goes on presenting a file of its own, whatever is installed."""
    other = f"{FOLDER}/before.chain.pem"
    certificate = self_signed(host, "hub", "relay.council.example")
    host.run(["install", "-m", "0600", f"{FOLDER}/hub.key", other])
    host.write(other, host.read(other) + certificate)
    override(host, HUB_SIDE, smtpd_tls_chain_files=other)


@fault("tls.one-more-authority", host="relay", violates="tls.trust-anchor")
def one_more_authority(host: Patient) -> None:
    """A CA of somebody else is trusted for the hub too."""
    added = self_signed(host, "inner", "Somebody else's CA")
    host.write(f"{FOLDER}/hub-ca.pem", host.read(f"{FOLDER}/hub-ca.pem") + added)
    host.run(["postfix", "reload"])
    assert host.read(f"{FOLDER}/hub-ca.pem").count("BEGIN CERTIFICATE") > 1


@fault(
    "tls.about-to-expire",
    host="mail",
    violates="tls.certificate-in-date",
    entails={
        "tls.inner-certificate": "it was made by hand, not by the declared CA",
        "connection.inner-hop": "the relay does not trust it",
        "connection.mail-both-ways": "mail waits on both sides",
    },
)
def about_to_expire(host: Patient) -> None:
    """The certificate of the inner hop has three days left, and was made by hand."""
    installed(host, "inner", self_signed(host, "inner", "mail.council.example", "3"))
