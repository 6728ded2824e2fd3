"""Ways in which certificates and keys stop proving anything."""

from __future__ import annotations

from faults import Patient, fault
from faults.connection import HUB_SIDE, override

FOLDER = "/etc/cjsm/tls"
NO_HUB = {
    "connection.hub-accepts-certificate": "the hub refuses the relay as a client",
    "connection.relay-identity": "the relay proves nothing to the hub",
    "connection.hub-can-deliver": "the hub refuses to deliver to it",
    "connection.mail-both-ways": "mail waits on both sides",
}
NO_INNER_HOP = {
    "connection.inner-hop": "the other end does not believe it",
    "connection.mail-both-ways": "mail waits on both sides",
}
NO_RECIPIENTS = {"connection.hub-can-deliver": "the relay cannot ask the mail server which recipients exist"}


def certified(host: Patient, which: str, **wrong: int | str) -> str:
    """The key on the host, certified by the right authority but wrong in one thing; proved to be for that key."""
    chain = host.certify(which, host.read(f"{FOLDER}/{which}.csr"), **wrong)
    certified_key = host.run(["openssl", "x509", "-noout", "-pubkey"], input=chain).stdout
    assert certified_key == host.run(["openssl", "pkey", "-in", f"{FOLDER}/{which}.key", "-pubout"]).stdout
    return chain


def self_signed(host: Patient, name: str, subject: str, days: str = "365") -> str:
    """A certificate that nobody vouches for, for the key that is there; its text."""
    words = ["-subj", f"/CN={subject}", "-addext", f"subjectAltName=DNS:{subject}", "-days", days]
    return host.run(["openssl", "req", "-new", "-x509", "-key", f"{FOLDER}/{name}.key", *words]).stdout


def installed(host: Patient, name: str, certificate: str) -> None:
    """Put a certificate behind the key in the chain file, and let Postfix read it."""
    host.write(f"{FOLDER}/{name}.chain.pem", host.read(f"{FOLDER}/{name}.key") + certificate)
    host.reload_postfix()
    assert certificate.strip() in host.read(f"{FOLDER}/{name}.chain.pem")


def says(host: Patient, certificate: str, *question: str) -> str:
    """What openssl-x509(1) says of a certificate; its exit code is ignored, -checkend answers by it too."""
    return host.run(["openssl", "x509", "-noout", *question], input=certificate, check=False).stdout


@fault("tls.self-signed", host="relay", violates="tls.operator-certificate", entails=NO_HUB)
def made_by_hand(host: Patient) -> None:
    """Somebody made a certificate instead of waiting for the operator's."""
    installed(host, "hub", self_signed(host, "hub", "relay.council.example"))


@fault("tls.expired", host="relay", violates="tls.certificate-in-date", entails=NO_HUB)
def expired(host: Patient) -> None:
    """The operator's certificate ended yesterday."""
    certificate = certified(host, "hub", starts=-90, days=89)
    assert "will expire" in says(host, certificate, "-checkend", "0")
    installed(host, "hub", certificate)


@fault("tls.not-yet-valid", host="relay", violates="tls.certificate-in-date", entails=NO_HUB)
def not_yet_valid(host: Patient) -> None:
    """The renewed certificate begins next week, and was installed today."""
    certificate = certified(host, "hub", starts=7)
    begins = host.run(["date", "-u", "-d", "7 days", "+%Y-%m-%d"]).stdout.strip()
    assert begins in says(host, certificate, "-startdate", "-dateopt", "iso_8601")
    installed(host, "hub", certificate)


@fault(
    "tls.wrong-usage",
    host="relay",
    violates="tls.operator-certificate",
    entails={
        "connection.hub-accepts-certificate": "the hub refuses as a client what is certified as a server only",
        "connection.mail-both-ways": "mail to the hub waits",
    },
)
def wrong_usage(host: Patient) -> None:
    """The certificate was ordered from the template for web servers."""
    certificate = certified(host, "hub", use="server")
    assert "Client Authentication" not in says(host, certificate, "-ext", "extendedKeyUsage")
    installed(host, "hub", certificate)


@fault(
    "tls.wrong-name",
    host="mail",
    violates="tls.inner-certificate",
    entails=NO_INNER_HOP | NO_RECIPIENTS,
)
def wrong_name(host: Patient) -> None:
    """The mail server presents the certificate of its web mail."""
    installed(host, "inner", certified(host, "inner", name="webmail.council.example"))


@fault("tls.relays-wrong-name", host="relay", violates="tls.inner-certificate", entails=NO_INNER_HOP)
def relays_wrong_name(host: Patient) -> None:
    """The relay presents to the mail server the certificate of the host that it replaced."""
    installed(host, "inner", certified(host, "inner", name="gateway.council.example"))


@fault(
    "tls.wrong-name-for-the-hub",
    host="relay",
    violates="tls.operator-certificate",
    entails={name: why for name, why in NO_HUB.items() if name != "connection.hub-accepts-certificate"},
)
def wrong_name_for_the_hub(host: Patient) -> None:
    """The operator was asked to certify the name of another host."""
    installed(host, "hub", certified(host, "hub", name="gateway.council.example"))


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


@fault("tls.renewed-elsewhere", host="relay", violates="tls.presented")
def renewed_elsewhere(host: Patient) -> None:
    """The listener goes on presenting the certificate of before: master.cf names another file than was renewed."""
    other = f"{FOLDER}/before.chain.pem"
    host.run(["install", "-m", "0600", f"{FOLDER}/hub.key", other])
    host.write(other, host.read(other) + certified(host, "hub"))
    override(host, HUB_SIDE, smtpd_tls_chain_files=other)


@fault("tls.one-more-authority", host="relay", violates="tls.trust-anchor")
def one_more_authority(host: Patient) -> None:
    """A CA of somebody else is trusted for the hub too."""
    added = self_signed(host, "inner", "Somebody else's CA")
    host.write(f"{FOLDER}/hub-ca.pem", host.read(f"{FOLDER}/hub-ca.pem") + added)
    host.reload_postfix()
    assert host.read(f"{FOLDER}/hub-ca.pem").count("BEGIN CERTIFICATE") > 1


@fault(
    "tls.no-authority",
    host="relay",
    violates="tls.trust-anchor",
    entails={
        "tls.presented": "Postfix switches TLS off in a listener whose CA file it cannot load",
        **{name: why for name, why in NO_HUB.items() if name != "connection.hub-accepts-certificate"},
    },
)
def no_authority(host: Patient) -> None:
    """The file of the operator's CA was emptied: nobody can be believed, and mail waits."""
    host.write(f"{FOLDER}/hub-ca.pem", "")
    host.reload_postfix()
    assert not host.read(f"{FOLDER}/hub-ca.pem")


@fault("tls.about-to-expire", host="mail", violates="tls.certificate-in-date")
def about_to_expire(host: Patient) -> None:
    """The certificate of the inner hop has three days left."""
    installed(host, "inner", certified(host, "inner", starts=-27))


def revoked(host: Patient, which: str) -> None:
    """A certificate that is right in everything, and that its authority has taken back; proved by that number."""
    certificate = certified(host, which, revoked=True)
    assert says(host, certificate, "-serial").strip() == "serial=0BAD"
    installed(host, which, certificate)


@fault("tls.revoked", host="relay", violates="tls.not-revoked")
def revoked_by_the_operator(host: Patient) -> None:
    """The operator has revoked the relay's certificate; the relay, and a hub that reads no lists, go on with it."""
    revoked(host, "hub")


@fault("tls.inner-revoked", host="mail", violates="tls.not-revoked")
def revoked_inside(host: Patient) -> None:
    """The council's own CA has revoked the mail server's certificate, after a backup was lost."""
    revoked(host, "inner")


@fault("tls.stale-list", host="relay", violates="tls.not-revoked")
def stale_list(host: Patient) -> None:
    """The operator has not renewed its list of revoked certificates for a week: nobody knows what happened since."""
    certificate = certified(host, "hub", stale=True)
    assert "-stale.crl" in says(host, certificate, "-ext", "crlDistributionPoints")
    installed(host, "hub", certificate)


OPENSSL = "/etc/ssl/openssl.cnf"
LENIENT = """
[lenient_init]
ssl_conf = lenient_ssl
[lenient_ssl]
system_default = lenient
[lenient]
CipherString = DEFAULT@SECLEVEL=0
"""


@fault("tls.short-key", host="relay", violates="tls.strong-keys", entails=NO_HUB)
def short_key(host: Patient) -> None:
    """The key is of the year 2005, and OpenSSL was told to put up with it."""
    host.write(f"{FOLDER}/hub.key", host.run(["openssl", "genrsa", "1024"]).stdout)
    words = ["-subj", "/CN=relay.council.example", "-addext", "subjectAltName=DNS:relay.council.example"]
    host.write(f"{FOLDER}/hub.csr", host.run(["openssl", "req", "-new", "-key", f"{FOLDER}/hub.key", *words]).stdout)
    host.replace(OPENSSL, "openssl_conf = openssl_init", "openssl_conf = lenient_init")
    host.write(OPENSSL, host.read(OPENSSL) + LENIENT)
    installed(host, "hub", certified(host, "hub"))
    host.run(["systemctl", "restart", "postfix.service"])
    assert "(1024 bit)" in says(host, host.read(f"{FOLDER}/hub.chain.pem"), "-text")
