"""relay as Desired: who may hand in what, and where it may go."""

from __future__ import annotations

import pytest

from cjsm_connect.desired import Desired
from cjsm_connect.desired.settings import merged
from cjsm_connect.remote.unknown_keys import PUT_OFF
from deploys.relay import MAIN, MASTER, PASSWORDS
from tests.deploys.mail import answered, content, services, settings, table, wanted
from tests.deploys.test_testers import TESTER
from tests.made_up import FINGERPRINT, lab_file, organisation

HUB_LISTENER = "198.51.100.10:4545"
INNER_LISTENER = "198.51.100.10:2525"
MAIL_LISTENER = "192.0.2.10:2525"


def master(host: str, **changes: object) -> dict[str, str]:
    return services(content(wanted(answered(**changes), host), MASTER))


def main(host: str, **changes: object) -> dict[str, str]:
    return settings(content(wanted(answered(**changes), host), MAIN))


def test_the_firewall_has_no_postfix() -> None:
    assert wanted(answered(), "firewall") == Desired()


def test_the_hub_must_come_from_its_address_with_its_key() -> None:
    listener = master("relay")[HUB_LISTENER]
    order = (
        "check_client_access cidr:/etc/cjsm/maps/hub_sources, check_ccert_access lmdb:/etc/cjsm/maps/hub_certificates"
    )
    renewed = "check_client_access cidr:/etc/cjsm/maps/hub_unknown_keys"
    assert f"smtpd_client_restrictions = {order}, {renewed}, reject }}" in listener
    assert "smtpd_tls_security_level=encrypt" in listener and "smtpd_tls_req_ccert=yes" in listener
    assert "smtpd_tls_CAfile=/etc/cjsm/tls/hub-ca.pem" in listener


def test_a_right_address_is_no_permission_yet() -> None:
    sources = table(wanted(answered(), "relay"), "hub_sources")
    assert sources.pop("203.0.113.21") == "DUNNO"
    assert set(sources) == {"0.0.0.0/0", "::/0"} and all(action.startswith("REJECT") for action in sources.values())


def test_the_hub_alone_is_asked_to_come_again_when_its_key_is_unknown() -> None:
    told = table(wanted(answered(hub={"testers": [TESTER]}), "relay"), "hub_unknown_keys")
    assert told.pop("203.0.113.21").startswith(f"450 4.7.1 {PUT_OFF}")
    assert set(told) == {"0.0.0.0/0", "::/0"} and all(action.startswith("REJECT") for action in told.values())
    assert "smtpd_tls_loglevel=1,peercert" in master("relay")[HUB_LISTENER], "or nobody learns which key it was"


def test_every_declared_key_of_the_hub_is_known() -> None:
    two = [FINGERPRINT, ":".join(["cd"] * 32)]
    where = answered(hub={"fingerprints": two, "fingerprints_file": None})
    assert set(table(wanted(where, "relay"), "hub_certificates")) == set(two)


def test_nobody_relays_through_the_listener_for_the_hub() -> None:
    listener = master("relay")[HUB_LISTENER]
    assert "reject_unauth_destination }" in listener
    assert "permit" not in listener
    assert main("relay")["mynetworks"] == ""


def test_the_mail_server_reaches_cjsm_through_the_relay_and_nothing_else() -> None:
    listener = master("relay")[INNER_LISTENER]
    assert "check_recipient_access lmdb:/etc/cjsm/maps/inner_destinations, reject }" in listener
    assert set(table(wanted(answered(), "relay"), "inner_destinations")) == {"cjsm.net", ".cjsm.net"}
    assert set(table(wanted(answered(), "relay"), "inner_senders")) == {
        "council.example",
        "licensing.council.example",
        "<>",
    }


def test_nothing_can_leave_the_relay_by_mx() -> None:
    text, found = main("relay"), master("relay")
    assert text["default_transport"].startswith("error:")
    assert text["relay_transport"].startswith("retry:")
    clients = {name for name, entry in found.items() if entry.split()[7] == "smtp"}
    assert clients == {"cjsm", "inner"}
    assert not any(name == "smtp" for name in found), "the relay has no listener on port 25"


def test_certificate_and_ca_belong_to_the_service_and_not_to_all() -> None:
    assert not {"smtp_tls_CAfile", "smtp_tls_chain_files", "smtpd_tls_CAfile"} & set(main("relay"))
    hub = master("relay")["cjsm"]
    assert "smtp_tls_CAfile=/etc/cjsm/tls/hub-ca.pem" in hub
    assert "smtp_tls_chain_files=/etc/cjsm/tls/hub.chain.pem" in hub
    assert "smtp_tls_security_level=secure" in hub and "smtp_tls_secure_cert_match = hub.cjsm.example" in hub


@pytest.mark.parametrize(("host", "clients"), [("relay", ("cjsm", "inner")), ("mail", ("cjsm-inner",))])
def test_no_message_turns_tls_off_and_postfix_before_3_10_has_nothing_to_complain_about(
    host: str, clients: tuple[str, ...]
) -> None:
    for name in clients:
        assert "-o tls_required_enable=no\n" in master(host)[name]
        assert "-o smtp_tls_note_starttls_offer=$tls_required_enable\n" in master(host)[name]
    assert main(host)["tls_required_enable"] == "no"
    assert main(host)["smtp_tls_note_starttls_offer"] == "$tls_required_enable"
    tries = [dict(one.arguments) for one in wanted(answered(), host).health if one.probe == "postfix_setting"]
    assert {one["service"] for one in tries} == {f"{name}/unix" for name in clients}


def test_on_an_administrators_postfix_our_own_service_alone_is_told_so() -> None:
    entries = {item.path: dict(item.entries) for item in existing().settings}
    assert "-o tls_required_enable=no\n" in str(entries[MASTER]["cjsm-inner/unix"])
    assert "tls_required_enable" not in entries[MAIN]


SUITES = "ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:ECDHE-ECDSA-CHACHA20-POLY1305:" + (
    "ECDHE-RSA-CHACHA20-POLY1305:ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256"
)


def test_every_service_of_cjsm_has_the_same_few_suites_and_the_public_side_has_postfixs_own() -> None:
    relay, mail = master("relay"), master("mail")
    for entry in (relay[HUB_LISTENER], relay[INNER_LISTENER], relay["cjsm"], relay["inner"]):
        assert f"-o tls_high_cipherlist={SUITES}\n" in entry
    assert f"-o tls_high_cipherlist={SUITES}\n" in mail[MAIL_LISTENER] + mail["cjsm-inner"]
    assert "cipherlist" not in mail["smtp"]
    assert not [name for name in main("mail") if "cipher" in name]


def test_a_suite_that_is_declared_for_the_hub_stays_off_the_inner_hop() -> None:
    declared = {"suite": "AES128-SHA", "approver": "Sam Administrator", "reason": "an old hub"}
    found = master("relay", hub={"tls_exceptions": [declared]})
    for name in (HUB_LISTENER, "cjsm"):
        assert f"-o tls_high_cipherlist={SUITES}:AES128-SHA\n" in found[name]
    for name in (INNER_LISTENER, "inner"):
        assert f"-o tls_high_cipherlist={SUITES}\n" in found[name]


def test_mail_leaves_from_the_address_that_the_operator_knows() -> None:
    assert "smtp_bind_address=198.51.100.10" in master("relay")["cjsm"]


def test_the_scanner_sees_mail_from_the_network_and_from_the_host_itself() -> None:
    text = main("relay")
    assert text["smtpd_milters"] == text["non_smtpd_milters"] == "unix:/run/clamav/clamav-milter.ctl"
    assert text["milter_default_action"] == "tempfail"
    assert not any("milter" in entry for entry in master("relay").values()), "no service has a way round it"


def test_a_scanner_of_ones_own_is_asked_in_the_same_way_and_mail_waits_while_it_is_away() -> None:
    hook = {"milter": "inet:[::1]:8891", "units": ["own.service"], "status": ["/opt/own"], "memory": 1}
    text = main("relay", antivirus={"scanner": "hook", "hook": hook})
    assert text["smtpd_milters"] == text["non_smtpd_milters"] == "inet:[::1]:8891"
    assert text["milter_default_action"] == "tempfail"


def test_a_recipient_list_replaces_asking() -> None:
    listed = {"mode": "file", "addresses": ["clerk@council.example"]}
    assert main("relay", recipients=listed)["relay_recipient_maps"] == "lmdb:/etc/cjsm/maps/recipients"
    assert "reject_unlisted_recipient }" in master("relay", recipients=listed)[HUB_LISTENER]
    assert main("relay")["unverified_recipient_reject_code"] == "550"


def test_without_certificates_every_listener_of_cjsm_is_closed() -> None:
    where = organisation()
    relay, mail = (services(content(wanted(where, host), MASTER)) for host in ("relay", "mail"))
    assert not {HUB_LISTENER, INNER_LISTENER, "cjsm", "inner"} & set(relay)
    assert not {MAIL_LISTENER, "cjsm-inner"} & set(mail)


def test_a_hub_that_speaks_tls_at_once_is_spoken_to_so() -> None:
    assert "smtp_tls_wrappermode=yes" in master("relay", hub={"mode": "implicit"})["cjsm"]
    assert "smtp_tls_wrappermode=no" in master("relay")["cjsm"]


def test_a_log_in_at_the_hub_is_kept_secret(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_PASSWORD", "not for everybody")
    where = answered(hub={"auth": {"user": "council", "password_ref": "env:HUB_PASSWORD"}})
    desired = wanted(where, "relay")
    (kept,) = (file for file in desired.files if file.path == PASSWORDS)
    assert (kept.mode, kept.secret) == (0o600, True)
    assert kept.content == "[hub.cjsm.example]:4545 council:not for everybody\n"
    assert not any("not for everybody" in file.content for file in desired.files if file != kept)


def test_the_mail_server_takes_mail_from_the_relay_only() -> None:
    entry = master("mail")[MAIL_LISTENER]
    assert "smtpd_tls_req_ccert=yes" in entry and "smtpd_relay_restrictions = reject_unauth_destination" in entry
    assert "-o mynetworks=\n" in entry
    assert table(wanted(answered(), "mail"), "inner_clients")["198.51.100.10"] == "DUNNO"


def test_the_public_side_of_the_mail_server_stays_opportunistic() -> None:
    assert main("mail")["smtpd_tls_security_level"] == "may"
    senders = table(wanted(answered(), "mail"), "cjsm_senders")
    assert {name for name, action in senders.items() if action.startswith("REJECT ")} == {"cjsm.net", ".cjsm.net"}
    assert senders["noreply@system.cjsm.net"] == "DUNNO"
    assert len(senders) == 3


def existing() -> Desired:
    hosts = [host | ({"mailboxes": "existing"} if host["name"] == "mail" else {}) for host in lab_file()["hosts"]]
    return wanted(answered(hosts=hosts), "mail")


def test_an_administrators_own_postfix_is_kept() -> None:
    assert not [file for file in existing().files if file.path in (MAIN, MASTER)]
    theirs = "myhostname = mx.council.example\ntransport_maps = hash:/etc/postfix/theirs\n"
    entries = next(item.entries for item in existing().settings if item.path == MAIN)
    text = settings(merged("main.cf", theirs, entries))
    assert text["myhostname"] == "mx.council.example"
    ours = "lmdb:/etc/cjsm/maps/transport, regexp:/etc/cjsm/maps/disguised_domains"
    assert text["transport_maps"] == f"{ours}, hash:/etc/postfix/theirs"
    senders = "check_sender_access lmdb:/etc/cjsm/maps/cjsm_senders, check_sender_access regexp:/etc/cjsm/maps/"
    assert text["smtpd_sender_restrictions"] == f"{senders}disguised_senders"
    assert text["smtp_dns_reply_filter"] == "regexp:/etc/cjsm/maps/never_by_mx"
    assert merged("main.cf", merged("main.cf", theirs, entries), entries) == merged("main.cf", theirs, entries)


def test_two_services_are_added_to_an_administrators_master_cf() -> None:
    entries = next(item.entries for item in existing().settings if item.path == MASTER)
    text = services(merged("master.cf", "smtp inet n - y - - smtpd\n", entries))
    assert set(text) == {"smtp", MAIL_LISTENER, "cjsm-inner"}


@pytest.mark.parametrize("kind", ["cert", "key", "dcert", "dkey", "eccert", "eckey"])
def test_keys_of_an_administrators_own_main_cf_are_not_served_beside_ours(kind: str) -> None:
    entries = dict(next(item.entries for item in existing().settings if item.path == MASTER))
    assert f"\n  -o smtpd_tls_{kind}_file=\n" in str(entries[MAIL_LISTENER + "/inet"])
    assert f"\n  -o smtp_tls_{kind}_file=\n" in str(entries["cjsm-inner/unix"])


def test_an_administrators_main_cf_brings_no_other_authority_password_or_address_to_the_inner_hop() -> None:
    entries = dict(next(item.entries for item in existing().settings if item.path == MASTER))
    listener, client = str(entries[MAIL_LISTENER + "/inet"]), str(entries["cjsm-inner/unix"])
    assert "-o tls_append_default_CA=no" in listener
    for name in ("upstream_proxy_protocol", "authorized_xclient_hosts", "proxy_filter"):
        assert f"\n  -o smtpd_{name}=\n" in f"{listener}\n"
    assert "smtpd_discard_ehlo_keywords = etrn, silent-discard }" in listener
    for name in ("smtpd_milters", "smtpd_milter_maps", "content_filter"):
        assert f"\n  -o {name}=\n" in f"{listener}\n", (
            "a filter of the public port would see what the relay has scanned"
        )
    for line in ("tls_append_default_CA=no", "smtp_tls_trust_anchor_file=", "smtp_sasl_auth_enable=no"):
        assert f"\n  -o {line}\n" in client
    assert "-o smtp_sasl_password_maps=" in client and "-o smtp_bind_address=\n" in client


def test_postfix_is_told_of_every_file_it_reads() -> None:
    desired = wanted(answered(), "relay")
    (service,) = desired.services
    assert {MAIN, MASTER, "hub", "inner", "/etc/cjsm/tls/hub-ca.pem"} <= set(service.watches)
    # processes that are older than what is installed are not current (postfix-lmdb taken away and brought back)
    assert {"/var/lib/dpkg/info/postfix.list", "/var/lib/dpkg/info/postfix-lmdb.list"} <= set(service.watches)
    assert service.on_change == "reload"


def test_two_relays_are_both_tried() -> None:
    second = {"name": "relay2", "fqdn": "relay2.council.example", "address": "198.51.100.11", "reboot_time": "05:00"}
    hosts = lab_file()["hosts"]
    twin = {**next(host for host in hosts if host["name"] == "relay"), **second}
    where = answered(hosts=[*hosts, {**twin, "interfaces": {"dmz": "198.51.100.11"}}])
    routes = table(wanted(where, "mail"), "transport")
    assert routes["cjsm.net"] == "cjsm-inner:[198.51.100.10]:2525, [198.51.100.11]:2525"
    assert len(table(wanted(where, "mail"), "tls_policy")) == 2
