"""What the organisation file must not say: statements that nobody made, that went stale, or that say the wrong thing.

A fault here works on a copy of the lab's organisation folder, which goes with `--undo`; no host is touched.
"""

from __future__ import annotations

import re

from faults import ORGANISATION, FaultError, Patient, fault

FILE = "organisation.toml"
LONG_AGO = "2020-01-01"


def said(host: Patient, old: str, new: str) -> None:
    """Let the file say something else, and prove that it does."""
    host.replace(FILE, old, new)
    assert new in host.read(FILE) and (old in new or old not in host.read(FILE))


def declaration(host: Patient, identifier: str) -> str:
    """The text of a declaration in the file."""
    found = re.search(rf'\[\[declarations\]\]\nid = "{identifier}"[^\n]*\n.*?date = \S+\n', host.read(FILE), re.DOTALL)
    if not found:
        raise FaultError(f"expected a declaration {identifier!r} in {FILE}; the fault no longer fits the file")
    return found[0]


def undeclared(host: Patient, identifier: str) -> None:
    """Take a declaration out."""
    said(host, declaration(host, identifier), "")


def stale(host: Patient, identifier: str) -> None:
    """Let a declaration be years old."""
    made = declaration(host, identifier)
    said(host, made, re.sub(r"(?m)^date = \S+$", f"date = {LONG_AGO}", made))


@fault("estate.nobody-reviews-the-firewall", host=ORGANISATION, violates="estate.firewall-maintained")
def nobody_reviews_the_firewall(host: Patient) -> None:
    """Nobody says who maintains the firewall."""
    undeclared(host, "firewall-maintained")


@fault("estate.old-risk-assessment", host=ORGANISATION, violates="estate.risk-assessment")
def old_risk_assessment(host: Patient) -> None:
    """The risk assessment is of years ago."""
    stale(host, "risk-assessment")


@fault("estate.encryption-unsaid", host=ORGANISATION, violates="estate.encryption-at-rest")
def encryption_unsaid(host: Patient) -> None:
    """Nobody says whether disks are encrypted."""
    undeclared(host, "encryption-at-rest")


@fault("estate.storage-unsaid", host=ORGANISATION, violates="estate.storage")
def storage_unsaid(host: Patient) -> None:
    """Nobody says where case papers are kept."""
    undeclared(host, "storage")


@fault("estate.access-rule-stale", host=ORGANISATION, violates="estate.secure-access")
def access_rule_stale(host: Patient) -> None:
    """The rule for open WiFi was last looked at years ago."""
    stale(host, "secure-access")


@fault("estate.onward-rule-unsaid", host=ORGANISATION, violates="estate.onward-transfer")
def onward_rule_unsaid(host: Patient) -> None:
    """Staff were never told what may be handed on."""
    undeclared(host, "onward-transfer")


@fault("estate.devices-stale", host=ORGANISATION, violates="estate.mobile-devices")
def devices_stale(host: Patient) -> None:
    """The helpdesk saw the configuration of the telephones before last."""
    stale(host, "mobile-devices")


@fault("estate.workstations-unsaid", host=ORGANISATION, violates="estate.workstations")
def workstations_unsaid(host: Patient) -> None:
    """Nobody says whether workstations are patched."""
    undeclared(host, "workstations")


@fault("estate.changes-unreported", host=ORGANISATION, violates="estate.changes-reported")
def changes_unreported(host: Patient) -> None:
    """What was told to the Ministry of Justice is years old."""
    stale(host, "infrastructure-changes")


@fault("estate.change-control-unsaid", host=ORGANISATION, violates="estate.change-control")
def change_control_unsaid(host: Patient) -> None:
    """There is no change control that anybody would put a name to."""
    undeclared(host, "change-control")


@fault("estate.plan-never-renewed", host=ORGANISATION, violates="estate.continuity")
def plan_never_renewed(host: Patient) -> None:
    """The plan for outages names people who left."""
    stale(host, "continuity")


@fault("estate.terms-not-renewed", host=ORGANISATION, violates="estate.terms-accepted")
def terms_not_renewed(host: Patient) -> None:
    """The yearly acceptance of the terms was forgotten."""
    stale(host, "terms-accepted")


@fault("estate.terms-by-nobody", host=ORGANISATION, violates="estate.terms-accepted")
def terms_by_nobody(host: Patient) -> None:
    """The terms were accepted by somebody who may not sign for the organisation."""
    made = declaration(host, "terms-accepted")
    said(host, made, made.replace('owner = "Robin Signatory"', 'owner = "Sam Administrator"'))


@fault("estate.data-abroad", host=ORGANISATION, violates="estate.in-united-kingdom")
def data_abroad(host: Patient) -> None:
    """The mail server moved to a data centre in another country."""
    said(host, 'data_location = "United Kingdom"', 'data_location = "Dublin, Ireland"')


@fault("estate.administered-from-abroad", host=ORGANISATION, violates="estate.in-united-kingdom")
def administered_from_abroad(host: Patient) -> None:
    """Nights and weekends are covered by a contractor overseas."""
    said(host, 'administration_location = "United Kingdom"', 'administration_location = "Lisbon, Portugal"')


@fault("estate.hosted-elsewhere", host=ORGANISATION, violates="estate.own-premises")
def hosted_elsewhere(host: Patient) -> None:
    """The mail server is a cloud provider's."""
    said(host, 'mail_server = "on-premises"', 'mail_server = "cloud"')


@fault("estate.helpdesk-is-one-person", host=ORGANISATION, violates="estate.contacts")
def helpdesk_is_one_person(host: Patient) -> None:
    """Faults are told to one administrator, also while on holiday."""
    said(host, 'email = "it.helpdesk@council.example"', 'email = "sam.administrator@council.example"')


@fault(
    "estate.release-unknown",
    host=ORGANISATION,
    violates="estate.release-as-declared",
    entails={"patching.sources": "security fixes come from the archive of another release than the declared one"},
)
def release_unknown(host: Patient) -> None:
    """The mail server was upgraded, and the file not corrected."""
    text = host.read(FILE)
    at = text.index('name = "mail"')
    block = text[at : text.index("address =", at)]
    said(host, block, block.replace('release = "trixie"', 'release = "bookworm"'))


@fault("estate.another-mail-server", host=ORGANISATION, violates="estate.mail-server-known")
def another_mail_server(host: Patient) -> None:
    """The file names the mail server program of before the migration."""
    said(host, 'mta = "postfix"', 'mta = "exim"')


@fault("domains.doubtful-family-trusted", host=ORGANISATION, violates="domains.trusted-families")
def doubtful_family_trusted(host: Patient) -> None:
    """Users are told that .pnn.police.uk is secure, of which nobody knows whether it still is."""
    said(host, "[recipients]\n", '[destinations]\ntrusted = ["nhs.net", "pnn.police.uk"]\n\n[recipients]\n')


@fault(
    "firewall.updates-from-anywhere",
    host=ORGANISATION,
    violates="firewall.update-sources",
    entails={
        "firewall.declared-flows-open": "the rules were not made anew, and do not let it through",
        "firewall.egress": "what may leave is declared otherwise than the rules say",
    },
)
def updates_from_anywhere(host: Patient) -> None:
    """Hosts may fetch from everywhere, until somebody names the mirrors."""
    egress = 'egress = { to = "any:443", approver = "Chris Technical", reason = "The mirrors change." }\n'
    said(host, "[estate.mirrors]\n", f"{egress}\n[estate.mirrors]\n")


@fault("logging.more-mail-than-disk", host=ORGANISATION, violates="logging.disk")
def more_mail_than_disk(host: Patient) -> None:
    """Ten thousand times as much mail comes as when the disks were bought."""
    said(host, "messages_per_day = 5000\n", "messages_per_day = 50_000_000\n")


@fault(
    "domains.suffix-agreed-in-the-file-only",
    host=ORGANISATION,
    violates="connection.addresses-as-agreed",
    entails={"domains.one-list": "the tables were not made anew"},
)
def suffix_agreed_in_the_file_only(host: Patient) -> None:
    """It was agreed that the hub leaves the suffix on; nobody applied it."""
    said(host, "accept_suffixed = false", "accept_suffixed = true")
