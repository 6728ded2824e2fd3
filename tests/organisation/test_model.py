"""What follows from a valid organisation file."""

from __future__ import annotations

import re
import tomllib
from datetime import date
from pathlib import Path

import pytest
from pydantic import ValidationError

from cjsm_connect.organisation import Organisation, parse
from cjsm_connect.organisation.destinations import family
from tests.made_up import FINGERPRINT, ROOT, TODAY, authority, lab_file, organisation

LAB = ROOT / "inventories/lab/organisation.toml"


def test_hosts_are_found_by_name_and_by_role() -> None:
    made = organisation()
    assert made.host("relay").fqdn == "relay.council.example"
    assert [host.name for host in made.relays] == ["relay"]
    assert [host.name for host in made.mail_servers] == ["mail"]
    assert [host.name for host in made.firewalls] == ["firewall"]
    assert made.role("relay") == made.relays
    assert made.vantage_host("hub").network == "wan"


def test_an_unknown_host_is_told_with_the_known_ones() -> None:
    with pytest.raises(KeyError, match="firewall, relay, mail"):
        organisation().host("rely")


def test_every_key_of_the_lab_file_is_an_attribute_of_the_same_name() -> None:
    made = organisation()

    def walk(table: object, value: object) -> None:
        if isinstance(table, dict) and not isinstance(value, dict):
            for key, entry in table.items():
                walk(entry, getattr(value, key))
        elif isinstance(table, list) and table and isinstance(table[0], dict):
            assert isinstance(value, tuple)
            for entry, part in zip(table, value, strict=True):
                walk(entry, part)

    mapping = lab_file()
    assert mapping.pop("schema") == 1
    for key, table in mapping.items():
        walk(table, getattr(made, key))


def test_an_example_that_is_commented_out_in_the_lab_file_can_be_uncommented() -> None:
    text = LAB.read_text()
    for line in ("auth = {", "target =", 'ca_file = "syslog', "patch_days"):
        text = re.sub(rf"^# ({re.escape(line)})", r"\1", text, flags=re.MULTILINE)
    text = text.replace("[syslog]", '[syslog]\naddresses = ["203.0.113.30"]')
    files = {"hub/ca.pem": authority(), "hub/inner-ca.pem": authority(), "syslog-ca.pem": authority()}
    made = parse(tomllib.loads(text), {**files, "hub/fingerprints.txt": FINGERPRINT}, TODAY)
    assert made.hub.auth is not None
    assert made.hub.auth.password_ref == "env:CJSM_HUB_PASSWORD"
    assert (made.syslog.host, made.syslog.port) == ("syslog.council.example", 6514)
    assert made.policy.patch_days.value == 7


def test_the_slug_is_safe_in_a_file_name() -> None:
    def slug(name: str) -> str:
        return organisation(organisation={"name": name}).slug

    assert slug("Exampleshire Council") == "exampleshire-council"
    assert slug("Cyngor Sir Ynys Môn / ../etc") == "cyngor-sir-ynys-mon-etc"
    assert slug("議会") == "organisation"


def test_domains_are_one_sorted_list_without_duplicates() -> None:
    made = organisation(domains={"names": ["Housing.council.example", "council.example", "COUNCIL.example."]})
    assert made.domains.names == ("council.example", "housing.council.example")


def test_domains_of_a_file_are_the_same_as_domains_in_place() -> None:
    mapping = lab_file()
    mapping["domains"] = {"file": "domains.txt"}
    files = {"hub/ca.pem": authority(), "hub/inner-ca.pem": authority(), "hub/fingerprints.txt": FINGERPRINT}
    text = "# ours\n\nLicensing.council.example\r\ncouncil.example\ncouncil.example\n"
    made = parse(mapping, {**files, "domains.txt": text}, TODAY)
    assert made.domains.names == organisation().domains.names


def test_recipients_come_from_their_file() -> None:
    mapping = lab_file()
    mapping["recipients"] = {"mode": "file", "file": "recipients.txt"}
    files = {"hub/ca.pem": authority(), "hub/inner-ca.pem": authority(), "hub/fingerprints.txt": FINGERPRINT}
    text = "solicitor@COUNCIL.example\nclerk@council.example\n"
    made = parse(mapping, {**files, "recipients.txt": text}, TODAY)
    assert made.recipients.addresses == ("clerk@council.example", "solicitor@council.example")


def test_paths_are_absolute_and_in_the_folder() -> None:
    made = organisation()
    assert made.hub.ca_file == Path("/organisation/hub/ca.pem")
    assert made.host("relay").ssh.key_file == Path("/organisation/ssh/id_ed25519")
    assert made.known_hosts == Path("/organisation/known_hosts")
    assert made.ssh_config is None


def test_thresholds_carry_value_unit_and_source() -> None:
    policy = organisation(policy={"patch_days": {"value": 7, "source": "ours"}}).policy
    assert (policy.patch_days.value, policy.patch_days.unit, policy.patch_days.source) == (7, "days", "ours")
    assert (policy.log_days.value, policy.log_days.unit) == (184, "days")
    assert "clause 4" in policy.log_days.source
    assert policy.signature_hours.source.startswith("own choice")


def test_a_certificate_is_none_until_it_is_handed_back() -> None:
    made = organisation()
    assert made.certificate("relay") is None
    files = {**made.files, "certificates/relay.pem": authority()}
    assert parse(lab_file(), files, TODAY).certificate("relay") == authority()
    assert parse(lab_file(), files, TODAY).certificate("relay", "inner") is None


def test_the_digest_follows_content_and_not_spelling() -> None:
    made = organisation()
    mapping = lab_file()
    reordered = parse(dict(reversed(mapping.items())), made.files, TODAY)
    assert reordered.digest == made.digest
    assert parse(mapping, {**made.files, "known_hosts": "other"}, TODAY).digest == made.digest
    assert parse(mapping, {**made.files, "certificates/relay.pem": authority()}, TODAY).digest != made.digest
    assert organisation(mail={"messages_per_day": 5001}).digest != made.digest


def test_an_organisation_cannot_be_changed() -> None:
    made = organisation()
    with pytest.raises(ValidationError):
        made.hub.port = 25  # type: ignore[misc]
    with pytest.raises(ValidationError):
        made.digest = "0"  # type: ignore[misc]


def test_a_declaration_is_found_by_its_id() -> None:
    declared = organisation().declaration("moj-permission-automated-mail")
    assert declared is not None
    assert declared.owner == "Sam Administrator"
    assert organisation().declaration("nothing-of-the-kind") is None


def waived(start: date, expiry: date) -> Organisation:
    waiver = {"requirement": "a.b", "reason": "r", "approver": "a", "risk": "r", "start": start, "expiry": expiry}
    return organisation(waivers=[waiver])


def test_a_waiver_counts_on_its_first_and_on_its_last_day() -> None:
    (waiver,) = waived(TODAY, date(2026, 12, 31)).waivers
    assert waiver.active(TODAY)
    assert waiver.active(date(2026, 12, 31))
    assert not waiver.active(date(2026, 11, 20))
    assert not waiver.active(date(2027, 1, 1))


def test_a_waiver_that_has_expired_stops_nobody_from_rolling_back() -> None:
    (waiver,) = waived(date(2026, 1, 1), date(2026, 11, 20)).waivers
    assert not waiver.active(TODAY)


def test_a_host_past_its_support_is_known_but_not_managed() -> None:
    hosts = lab_file()["hosts"]
    hosts[2]["release"] = "bullseye"
    made = organisation(hosts=hosts)
    assert not made.host("mail").managed
    assert made.host("relay").managed


def test_a_co_located_relay_needs_no_mail_server_and_no_inner_ca() -> None:
    relay = {**lab_file()["hosts"][1], "internet_mail": True}
    made = organisation(estate={"topology": "co-located"}, hosts=[relay], inner=None)
    assert made.mail_servers == ()
    assert made.inner.ca_file is None


@pytest.mark.parametrize(
    ("domain", "status"),
    [
        ("nhs.net", "live"),
        ("trust.nhs.net", "live"),
        ("nhs.uk", "refused"),
        ("trust.nhs.uk", "refused"),
        ("notnhs.uk", "unknown"),
        ("council.gcsx.gov.uk", "retired"),
        ("force.pnn.police.uk", "unknown"),
        ("anyone.example.cjsm.net", "live"),
    ],
)
def test_a_family_of_domains_is_known_by_its_end(domain: str, status: str) -> None:
    assert family(domain).status == status
