"""A hub that renews its key: what it is told, and whether anybody here hears of it."""

from __future__ import annotations

from faults import Patient, fault
from faults.connection import HUB_SIDE, service

MASTER = "/etc/postfix/master.cf"
LAST_QUESTION = ", check_client_access cidr:/etc/cjsm/maps/hub_unknown_keys"
NAME = "hub-client.cjsm.example"
KEY, CHAIN = "/etc/cjsm-hub/client.key", "/etc/cjsm-hub/client.pem"


@fault(
    "relay.hub-renewed-its-key",
    host="hub",
    violates="relay.renewed-key",
    entails={
        "connection.hub-can-deliver": "its mail is put off until the key is declared",
        "connection.mail-both-ways": "mail from the hub waits there",
    },
)
def hub_renewed_its_key(host: Patient) -> None:
    """The hub has a new key: the same name, address and CA, and nobody was told."""
    words = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", KEY]
    named = ["-subj", f"/CN={NAME}", "-addext", f"subjectAltName=DNS:{NAME}"]
    host.write(CHAIN, host.certify("hub", host.run(["openssl", "req", "-new", *words, *named]).stdout))
    host.reload_postfix()
    host.run(
        ["sendmail", "-f", "advocate@charity.example", "clerk@council.example.cjsm.net"], "Subject: renewed\n\n.\n"
    )
    for _ in range(50):
        if " 450 4.7.1 " in host.read("/var/log/mail.log"):
            return
        host.run(["sleep", "0.2"])
    raise AssertionError("the relay did not put off the hub")


@fault(
    "relay.renewed-key-bounces",
    host="relay",
    violates="relay.renewed-key",
    entails={"relay.only-the-hub": "the listener asks other questions than it should"},
)
def renewed_key_bounces(host: Patient) -> None:
    """Whoever has another key is refused for good, also the hub: at its next renewal all mail from it bounces."""
    host.replace(MASTER, LAST_QUESTION, "")
    host.reload_postfix()
    found = host.run(["postconf", "-Ph", f"{service(host, HUB_SIDE)}/smtpd_client_restrictions"]).stdout
    assert "check_ccert_access" in found and "hub_unknown_keys" not in found
