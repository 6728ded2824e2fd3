"""What the DNS must not say of the organisation's domains and senders; the lab's name server is on `outside`."""

from __future__ import annotations

import json

from cjsm_connect import remote
from faults import Patient, fault

ZONE = "/etc/nsd/lab.zone"
SECOND = "licensing.council.example"
MAIL_POINTER = "10.2.0.192.in-addr.arpa"


def answered(host: Patient, name: str, kind: str) -> list[str]:
    """What the name server says now, asked as anybody would."""
    arguments = {"server": "203.0.113.30", "questions": [[name, kind]]}
    said = host.run(["python3", "-I", "-S", "-"], remote.program(("common", "names"), "names:lookup", arguments)).stdout
    found: list[str] = remote.answer(said)["records"][f"{name} {kind}"]
    return found


def published(host: Patient, name: str, old: str, new: str, kind: str = "TXT") -> None:
    """Let the zone say something else of a name; "" takes the record out. Proved by a question."""
    before = answered(host, name, kind)
    record = f"{name}. {kind} {old}\n"
    host.replace(ZONE, record, f"{name}. {kind} {new}\n" if new else "")
    host.run(["systemctl", "restart", "nsd.service"])
    assert answered(host, name, kind) != before, json.dumps(before)


@fault("domains.no-spf", host="outside", violates="domains.spf")
def no_spf(host: Patient) -> None:
    """A new domain has no SPF record."""
    published(host, SECOND, '"v=spf1 mx -all"', "")


@fault("domains.spf-for-everybody", host="outside", violates="domains.spf")
def spf_for_everybody(host: Patient) -> None:
    """SPF says of everybody else that nothing is known, since a newsletter was sent from elsewhere."""
    published(host, SECOND, '"v=spf1 mx -all"', '"v=spf1 mx ?all"')


@fault("domains.two-spf-records", host="outside", violates="domains.spf")
def two_spf_records(host: Patient) -> None:
    """A second SPF record was added beside the first: receivers take neither (RFC 7208, 4.5)."""
    second = f'"v=spf1 mx -all"\n{SECOND}. TXT "v=spf1 include:newsletter.example -all"'
    published(host, SECOND, '"v=spf1 mx -all"', second)


@fault("domains.dkim-withdrawn", host="outside", violates="domains.dkim")
def dkim_withdrawn(host: Patient) -> None:
    """The DKIM key was withdrawn, and the next one not published."""
    key = '"v=DKIM1; k=ed25519; p=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA="'
    published(host, f"mail._domainkey.{SECOND}", key, '"v=DKIM1; k=ed25519; p="')


@fault("domains.dmarc-only-watches", host="outside", violates="domains.dmarc")
def dmarc_only_watches(host: Patient) -> None:
    """DMARC was begun with p=none, and stayed so."""
    policy = '"v=DMARC1; p=reject; rua=mailto:postmaster@council.example"'
    published(host, "_dmarc.council.example", policy, policy.replace("p=reject", "p=none"))


@fault("domains.no-mta-sts", host="outside", violates="domains.mta-sts")
def no_mta_sts(host: Patient) -> None:
    """MTA-STS is not announced."""
    published(host, f"_mta-sts.{SECOND}", '"v=STSv1; id=20261101"', "")


@fault("domains.no-tls-reports", host="outside", violates="domains.tls-rpt")
def no_tls_reports(host: Patient) -> None:
    """Nobody gets the reports about failed TLS."""
    reports = '"v=TLSRPTv1; rua=mailto:postmaster@council.example"'
    published(host, f"_smtp._tls.{SECOND}", reports, '"v=TLSRPTv1"')


@fault("domains.wrong-pointer", host="outside", violates="domains.reverse-names")
def wrong_pointer(host: Patient) -> None:
    """The mail server's address still has the provider's name."""
    published(host, MAIL_POINTER, "mail.council.example.", "192-0-2-10.provider.example.", "PTR")
