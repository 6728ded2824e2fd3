"""The host-side assertions as one would write them with testinfra's own modules: `pytest stock_testinfra.py`.

It imports nothing of ours on purpose. CJSM_BENCH_STOCK names a JSON file: hosts with role, address and fqdn, an ssh
configuration that shares connections (ControlPath), and values of the organisation file. Each test asks about the facts
of the check that it names, once on each host of its roles; where our check asks for more, it asks for less.
"""

import json
import os
import re
import time
from functools import cache
from pathlib import Path

import pytest
import testinfra

GIVEN = json.loads(Path(os.environ["CJSM_BENCH_STOCK"]).read_text())
EVERY = ("relay", "mail", "firewall")
MAIL = ("relay", "mail")
MAPS = "/etc/cjsm/maps"
TLS = "/etc/cjsm/tls"


@cache
def connected(name):
    address = GIVEN["hosts"][name]["address"]
    return testinfra.get_host(f"ssh://{address}", ssh_config=GIVEN["ssh_config"], sudo=True)


@pytest.fixture
def host(request):
    found = connected(request.param)
    found.given = GIVEN["hosts"][request.param]
    return found


def about(check, *roles):
    names = [name for name, one in GIVEN["hosts"].items() if one["role"] in roles]
    return pytest.mark.parametrize("host", [pytest.param(name, id=f"{check}-{name}") for name in names], indirect=True)


def postconf(host, name):
    return host.check_output("postconf -xh %s", name)


def option(host, service, name):
    return host.check_output("postconf -Ph %s", f"{service}/{name}")


def hub_listener(host):
    return f"{host.given['address']}:{GIVEN['hub_listen_port']}/inet"


def inner_listener(host):
    return f"{host.given['address']}:{GIVEN['inner_port'][host.given['role']]}/inet"


def asked(host, table, key):
    return host.run("postmap -q %s %s", key, table).stdout.strip()


def rules(host, chain):
    return host.check_output("nft -s list chain inet cjsm %s", chain)


def certificate(host, name, *what):
    return host.check_output("openssl x509 -noout -in %s " + " ".join(what), f"{TLS}/{name}.chain.pem")


# --- antivirus


@about("antivirus.services-run", "relay")
def test_services_run(host):
    for name in ("clamav-daemon", "clamav-milter"):
        assert host.service(name).is_running and host.service(name).is_enabled


@about("antivirus.all-mail-passes-the-scanner", "relay")
def test_all_mail_passes_the_scanner(host):
    socket = "unix:/run/clamav/clamav-milter.ctl"
    assert postconf(host, "smtpd_milters") == socket and postconf(host, "non_smtpd_milters") == socket
    assert "smtpd_milters" not in host.check_output("postconf -P")


@about("antivirus.infected-is-refused", "relay")
def test_infected_is_refused(host):
    assert host.file("/etc/clamav/clamav-milter.conf").contains("^OnInfected Reject")


@about("antivirus.waits-without-scanner", "relay")
def test_waits_without_scanner(host):
    assert host.file("/etc/clamav/clamav-milter.conf").contains("^OnFail Defer")
    assert postconf(host, "milter_default_action") == "tempfail"


@about("antivirus.findings-logged", "relay")
def test_findings_logged(host):
    milter = host.file("/etc/clamav/clamav-milter.conf")
    assert milter.contains("^LogSyslog true") and milter.contains("^LogInfected Full")


@about("antivirus.no-exemption", "relay")
def test_no_exemption(host):
    milter = host.file("/etc/clamav/clamav-milter.conf")
    assert not any(milter.contains("^" + name) for name in ("LocalNet", "AllowList", "Whitelist", "SkipAuthenticated"))


@about("antivirus.nothing-too-big", "relay")
def test_nothing_too_big(host):
    limit = int(postconf(host, "message_size_limit"))
    for name in ("clamd.conf", "clamav-milter.conf"):
        written = host.file("/etc/clamav/" + name).content_string
        assert int(re.search(r"^MaxFileSize (\d+)M", written, re.MULTILINE)[1]) << 20 > limit


@about("antivirus.over-limit-is-not-clean", "relay")
def test_over_limit_is_not_clean(host):
    assert host.file("/etc/clamav/clamd.conf").contains("^AlertExceedsMax true")


@about("antivirus.finds-eicar", "relay")
def test_finds_eicar(host):
    eicar = r"X5O!P%@AP[4\PZX54(P^)7CC)7}$" + "EICAR-STANDARD-ANTIVIRUS-TEST-FILE!$H+H*"
    assert "FOUND" in host.run("printf %%s %s | clamdscan -", eicar).stdout
    assert "OK" in host.run("printf harmless | clamdscan -").stdout


@about("antivirus.memory", "relay")
def test_memory(host):
    assert int(re.search(r"MemTotal: +(\d+)", host.file("/proc/meminfo").content_string)[1]) > 1 << 19


@about("antivirus.settings-loaded", "relay")
def test_settings_loaded(host):
    for program in ("clamd", "clamav-milter", "freshclam"):
        [process] = host.process.filter(comm=program)
        age = int(host.check_output("ps -o etimes= -p %s", str(process.pid)))
        assert time.time() - age + 2 > host.file(f"/etc/clamav/{program}.conf").mtime.timestamp()


@about("antivirus.signature-source", "relay")
def test_signature_source(host):
    assert host.file("/etc/clamav/freshclam.conf").contains("^PrivateMirror " + GIVEN["signatures"])


@about("antivirus.signatures-complete", "relay")
def test_signatures_complete(host):
    assert all(host.file("/var/lib/clamav/" + name).exists for name in GIVEN["signature_files"])


@about("antivirus.signatures-current", "relay")
def test_signatures_current(host):
    for name in GIVEN["signature_files"]:
        assert time.time() - host.file("/var/lib/clamav/" + name).mtime.timestamp() < 7 * 86400
    assert host.check_output("clamdscan --version").startswith("ClamAV")


@about("antivirus.updates-run", "relay")
def test_updates_run(host):
    assert host.service("clamav-freshclam").is_running and host.service("clamav-freshclam").is_enabled
    assert not host.file("/var/log/clamav/freshclam.log").contains("ERROR:")


# --- domains


@about("domains.relay-domains", "relay")
def test_relay_domains(host):
    rows = host.check_output("postmap -s %s", f"lmdb:{MAPS}/relay_domains")
    assert sorted(row.split()[0] for row in rows.splitlines()) == sorted(GIVEN["domains"])


@about("domains.inner-routes", "relay")
def test_inner_routes(host):
    for domain in GIVEN["domains"]:
        assert asked(host, f"lmdb:{MAPS}/transport", domain).startswith("inner:[")


@about("domains.mailboxes-for-each", "mail")
def test_mailboxes_for_each(host):
    for domain in GIVEN["domains"]:
        assert asked(host, f"lmdb:{MAPS}/local_domains", domain)


@about("domains.compiled-as-written", *MAIL)
def test_compiled_as_written(host):
    compiled = host.check_output("postmap -s %s", f"lmdb:{MAPS}/transport")
    source = host.file(MAPS + "/transport").content_string
    rows = {tuple(line.split(None, 1)) for line in source.splitlines() if line and not line.startswith("#")}
    assert {tuple(line.split("\t", 1)) for line in compiled.splitlines()} == rows


@about("domains.no-mx", *MAIL)
def test_no_mx(host):
    said = host.check_output("postmap -s %s", f"lmdb:{MAPS}/transport")
    rows = [line.split("\t", 1)[1] for line in said.splitlines()]
    assert all("[" in row for row in rows if not row.startswith(("discard:", "error:", "local")))


@about("domains.no-silent-subdomains", "relay")
def test_no_silent_subdomains(host):
    assert postconf(host, "parent_domain_matches_subdomains") == ""


@about("domains.own-stay-inside", "relay")
def test_own_stay_inside(host):
    for domain in GIVEN["domains"]:
        assert GIVEN["hub_host"] not in asked(host, f"lmdb:{MAPS}/transport", domain)


@about("domains.policy-for-each-hop", "relay")
def test_policy_for_each_hop(host):
    for domain in ("cjsm.net", GIVEN["domains"][0]):
        hop = asked(host, f"lmdb:{MAPS}/transport", domain).partition(":")[2]
        assert asked(host, f"lmdb:{MAPS}/tls_policy", hop).startswith("secure")


@about("domains.recipients", "relay")
def test_recipients(host):
    rows = host.check_output("postmap -s %s", f"lmdb:{MAPS}/recipients")
    assert {row.split("\t")[0].rpartition("@")[2] for row in rows.splitlines()} >= set(GIVEN["domains"])


# --- estate


@about("estate.accurate-clock", *EVERY)
def test_accurate_clock(host):
    assert abs(float(host.check_output("date +%s.%N")) - time.time()) < 2


@about("estate.disk-space", *EVERY)
def test_disk_space(host):
    rows = host.check_output("df --output=pcent / /var /var/log").splitlines()[1:]
    assert all(int(row.strip(" %")) < 90 for row in rows)


@about("estate.no-failed-units", *EVERY)
def test_no_failed_units(host):
    assert host.check_output("systemctl list-units --failed --no-legend --plain") == ""


@about("estate.release-as-declared", *EVERY)
def test_release_as_declared(host):
    assert host.system_info.codename == host.given["release"]


# --- firewall


@about("firewall.default-deny-input", *EVERY)
def test_default_deny_input(host):
    assert "hook input priority filter; policy drop;" in rules(host, "input")


@about("firewall.default-deny-output", *EVERY)
def test_default_deny_output(host):
    assert "hook output priority filter; policy drop;" in rules(host, "output")


@about("firewall.default-deny-forward", *EVERY)
def test_default_deny_forward(host):
    assert "hook forward priority filter; policy drop;" in rules(host, "forward")


@about("firewall.anti-spoofing", *EVERY)
def test_anti_spoofing(host):
    assert 'fib saddr . iif oif missing counter name "drop_spoofed" drop' in rules(host, "prerouting")


@about("firewall.declared-flows-open", *EVERY)
def test_declared_flows_open(host):
    assert f'counter name "flow_ssh_{host.given["name"]}" accept' in rules(host, "input")
    assert f'counter name "flow_dns_udp_{host.given["name"]}" accept' in rules(host, "output")


@about("firewall.only-declared-flows", *EVERY)
def test_only_declared_flows(host):
    accepted = [line for line in rules(host, "input").splitlines() if "ct state new" in line]
    assert all('counter name "flow_' in line for line in accepted)


@about("firewall.ssh-from-administrators", *EVERY)
def test_ssh_from_administrators(host):
    lines = [line for line in rules(host, "input").splitlines() if "tcp dport 22 " in line]
    assert lines and all(f"ip saddr {GIVEN['administrators'][0]} " in line for line in lines)


@about("firewall.reasons", *EVERY)
def test_reasons(host):
    assert all(
        "comment" in line for line in rules(host, "input").splitlines() if " accept" in line and "iif" not in line
    )


@about("firewall.path-mtu-discovery", *EVERY)
def test_path_mtu_discovery(host):
    assert "icmpv6 type packet-too-big accept" in rules(host, "input")


@about("firewall.drops-recorded", *EVERY)
def test_drops_recorded(host):
    assert 'log prefix "cjsm-drop-input: " group 5' in rules(host, "input")
    assert host.service("ulogd2").is_running


@about("firewall.enabled-at-boot", *EVERY)
def test_enabled_at_boot(host):
    assert host.service("nftables").is_enabled
    assert host.file("/etc/nftables.conf").contains("/etc/nftables.d")


@about("firewall.live-is-boot", *EVERY)
def test_live_is_boot(host):
    loaded = "nft -f /etc/nftables.d/cjsm.nft && nft -s list table inet cjsm"
    assert host.check_output("unshare --net sh -c %s", loaded) == host.check_output("nft -s list table inet cjsm")


@about("firewall.change-confirmed", *EVERY)
def test_change_confirmed(host):
    assert not host.file("/var/lib/cjsm/undo/pending.json").exists


@about("firewall.foreign-tables", *EVERY)
def test_foreign_tables(host):
    assert host.check_output("nft list tables").split("\n") == ["table inet cjsm"]


@about("firewall.source-routes", *EVERY)
def test_source_routes(host):
    assert host.sysctl("net.ipv4.conf.all.accept_source_route") == 0


@about("firewall.no-router", *MAIL)
def test_no_router(host):
    assert host.sysctl("net.ipv4.ip_forward") == 0 and host.sysctl("net.ipv6.conf.all.forwarding") == 0


# --- logging


@about("logging.mail-log-written", *EVERY)
def test_mail_log_written(host):
    line = f"stock test {time.time()}"
    host.check_output("logger -p mail.info %s", line)
    time.sleep(0.3)
    assert host.file("/var/log/cjsm/mail.log").contains(line)


@about("logging.private-files", *EVERY)
def test_private_files(host):
    folder, log = host.file("/var/log/cjsm"), host.file("/var/log/cjsm/mail.log")
    assert (folder.user, folder.group, folder.mode) == ("root", "adm", 0o750)
    assert (log.user, log.group, log.mode) == ("root", "adm", 0o640)


@about("logging.retention", *EVERY)
def test_retention(host):
    said = host.run("logrotate --debug /etc/logrotate.conf")
    assert re.search(r"/var/log/cjsm/mail.log after 1 days .*\(191 rotations\)", said.stdout + said.stderr)


@about("logging.rotation-runs", *EVERY)
def test_rotation_runs(host):
    assert host.service("logrotate.timer").is_running and host.service("logrotate.timer").is_enabled
    assert host.check_output("systemctl show -P Result logrotate.service") == "success"


@about("logging.rotated-yesterday", *EVERY)
def test_rotated_yesterday(host):
    first = host.check_output("head -n 1 /var/log/cjsm/mail.log")
    assert time.time() - time.mktime(time.strptime(first[:10], "%Y-%m-%d")) < 2 * 86400


@about("logging.no-missing-day", *EVERY)
def test_no_missing_day(host):
    assert all("mail.log" in name for name in host.file("/var/log/cjsm").listdir())


@about("logging.nothing-dropped", *EVERY)
def test_nothing_dropped(host):
    said = "Suppressed [0-9]+ messages|lost due to rate-limiting"
    lost = host.run("journalctl -q --no-pager --since=-24h --grep %s -u systemd-journald -u rsyslog", said)
    assert lost.stdout == ""


@about("logging.burst-limits-off", *EVERY)
def test_burst_limits_off(host):
    journald = host.check_output("systemd-analyze cat-config systemd/journald.conf")
    assert "\nRateLimitIntervalSec=0" in journald
    assert 'ratelimit.interval="0"' in host.file("/etc/rsyslog.conf").content_string.lower()


@about("logging.journal-persistent", *EVERY)
def test_journal_persistent(host):
    assert "\nStorage=persistent" in host.check_output("systemd-analyze cat-config systemd/journald.conf")
    assert host.file("/var/log/journal").is_directory


@about("logging.rsyslog-valid", *EVERY)
def test_rsyslog_valid(host):
    assert host.run("rsyslogd -N1").rc == 0


@about("logging.clock", *EVERY)
def test_clock(host):
    assert "Leap status     : Normal" in host.check_output("chronyc -n tracking")
    assert GIVEN["ntp"] in host.check_output("chronyc -n sources")


@about("logging.disk", *EVERY)
def test_disk(host):
    assert int(host.check_output("df --output=avail -B1 /var/log").splitlines()[1]) > 1 << 30


@about("logging.tls-facts", *MAIL)
def test_tls_facts(host):
    assert postconf(host, "smtp_tls_loglevel") == "1" and postconf(host, "smtpd_tls_loglevel") == "1"


# --- patching


@about("patching.timers-run", *EVERY)
def test_timers_run(host):
    for timer in ("apt-daily.timer", "apt-daily-upgrade.timer"):
        assert host.service(timer).is_running and host.service(timer).is_enabled


@about("patching.automatic", *EVERY)
def test_automatic(host):
    settings = host.check_output("apt-config dump")
    for name in ("Update-Package-Lists", "Unattended-Upgrade"):
        assert f'APT::Periodic::{name} "1";' in settings
    assert host.package("unattended-upgrades").is_installed


@about("patching.conffiles-answered", *EVERY)
def test_conffiles_answered(host):
    assert "--force-confold" in host.check_output("apt-config dump DPkg::Options")


@about("patching.origins", *EVERY)
def test_origins(host):
    assert "label=Debian-Security" in host.check_output("apt-config dump Unattended-Upgrade::Origins-Pattern")


@about("patching.nothing-excluded", *EVERY)
def test_nothing_excluded(host):
    assert "::Package-Blacklist:: " not in host.check_output("apt-config dump Unattended-Upgrade::Package-Blacklist")


@about("patching.nothing-held", *EVERY)
def test_nothing_held(host):
    assert host.check_output("apt-mark showhold") == ""


@about("patching.nothing-overdue", *EVERY)
def test_nothing_overdue(host):
    assert "\nInst " not in host.check_output("apt-get -s -q -o Debug::NoLocking=true dist-upgrade")


@about("patching.age-known", *EVERY)
def test_age_known(host):
    assert "looked" in json.loads(host.file("/var/lib/cjsm/patching/first-seen.json").content_string)


@about("patching.last-run-clean", *EVERY)
def test_last_run_clean(host):
    log = host.file("/var/log/unattended-upgrades/unattended-upgrades.log")
    assert not log.exists or not log.contains(" ERROR ")


@about("patching.lists-fresh", *EVERY)
def test_lists_fresh(host):
    assert time.time() - host.file("/var/lib/apt/lists/partial").mtime.timestamp() < 2 * 86400


@about("patching.security-archive", *EVERY)
def test_security_archive(host):
    assert host.run("grep -l 'Label: Debian-Security' /var/lib/apt/lists/*Release").stdout


@about("patching.signed-archives", *EVERY)
def test_signed_archives(host):
    trusted = host.check_output("apt-get indextargets --format '$(TRUSTED)' 'Created-By: Packages'")
    assert set(trusted.split()) == {"yes"}


@about("patching.restarts-services", *EVERY)
def test_restarts_services(host):
    assert host.package("needrestart").is_installed
    assert host.file("/etc/needrestart/conf.d/50-cjsm.conf").contains("= 'a'")


@about("patching.nothing-outdated-runs", *EVERY)
def test_nothing_outdated_runs(host):
    assert "NEEDRESTART-SVC" not in host.check_output("needrestart -b -r l")


@about("patching.reboot-not-overdue", *EVERY)
def test_reboot_not_overdue(host):
    assert not host.file("/run/reboot-required").exists


@about("patching.reboot-window", *EVERY)
def test_reboot_window(host):
    assert 'Automatic-Reboot "true";' in host.check_output("apt-config dump Unattended-Upgrade::Automatic-Reboot")


@about("patching.release-supported", *EVERY)
def test_release_supported(host):
    rows = host.file("/usr/share/distro-info/debian.csv").content_string.splitlines()
    [row] = [line.split(",") for line in rows if f",{host.given['release']}," in line]
    assert row[5] > time.strftime("%Y-%m-%d")


# --- relay


@about("relay.configuration-clean", *MAIL)
def test_configuration_clean(host):
    assert host.run("postconf -n").stderr == "" and host.run("postconf -M").stderr == ""
    assert host.run("postfix check").rc == 0


@about("relay.configuration-loaded", *MAIL)
def test_configuration_loaded(host):
    [process] = host.process.filter(comm="qmgr")
    age = int(host.check_output("ps -o etimes= -p %s", str(process.pid)))
    assert time.time() - age + 2 > host.file("/etc/postfix/main.cf").mtime.timestamp()


@about("relay.hub-client", "relay")
def test_hub_client(host):
    assert postconf(host, "smtp_tls_security_level") == "secure"
    assert option(host, "cjsm/unix", "smtp_tls_CAfile") == TLS + "/hub-ca.pem"


@about("relay.hub-keys", "relay")
def test_hub_keys(host):
    for key in GIVEN["hub_fingerprints"]:
        assert asked(host, f"lmdb:{MAPS}/hub_certificates", key)


@about("relay.hub-listener-identity", "relay")
def test_hub_listener_identity(host):
    asks = option(host, hub_listener(host), "smtpd_client_restrictions")
    assert "check_client_access" in asks and "check_ccert_access" in asks and asks.endswith("reject")


@about("relay.hub-listener-mutual-tls", "relay")
def test_hub_listener_mutual_tls(host):
    assert option(host, hub_listener(host), "smtpd_tls_security_level") == "encrypt"
    assert option(host, hub_listener(host), "smtpd_tls_req_ccert") == "yes"
    assert option(host, hub_listener(host), "smtpd_tls_CAfile") == TLS + "/hub-ca.pem"


@about("relay.hub-policy", "relay")
def test_hub_policy(host):
    policy = asked(host, f"lmdb:{MAPS}/tls_policy", GIVEN["hub_hop"])
    assert policy.startswith("secure match=") and GIVEN["hub_match"] in policy


@about("relay.hub-sources", "relay")
def test_hub_sources(host):
    assert asked(host, f"cidr:{MAPS}/hub_sources", GIVEN["hub_source"]) == "DUNNO"
    assert asked(host, f"cidr:{MAPS}/hub_sources", "192.0.2.254").startswith("REJECT")


@about("relay.inner-destinations", "relay")
def test_inner_destinations(host):
    assert asked(host, f"lmdb:{MAPS}/inner_destinations", "cjsm.net") == "OK"
    assert asked(host, f"lmdb:{MAPS}/inner_destinations", "elsewhere.example") == ""


@about("relay.inner-senders", "relay")
def test_inner_senders(host):
    assert asked(host, f"lmdb:{MAPS}/inner_senders", GIVEN["domains"][0]) == "OK"
    assert asked(host, f"lmdb:{MAPS}/inner_senders", "elsewhere.example") == ""


@about("relay.inner-listener", *MAIL)
def test_inner_listener(host):
    assert option(host, inner_listener(host), "smtpd_tls_security_level") == "encrypt"
    assert option(host, inner_listener(host), "smtpd_tls_req_ccert") == "yes"


@about("relay.inner-policy", *MAIL)
def test_inner_policy(host):
    domain = GIVEN["domains"][0] if host.given["role"] == "relay" else "cjsm.net"
    service = asked(host, f"lmdb:{MAPS}/transport", domain).partition(":")[0]
    assert option(host, f"{service}/unix", "smtp_tls_CAfile") == TLS + "/inner-ca.pem"


@about("relay.inner-sources", *MAIL)
def test_inner_sources(host):
    assert asked(host, f"cidr:{MAPS}/inner_clients", "192.0.2.254").startswith("REJECT")


@about("relay.local-submission", "relay")
def test_local_submission(host):
    assert postconf(host, "authorized_submit_users") == "root"


@about("relay.message-size", "relay")
def test_message_size(host):
    assert int(postconf(host, "message_size_limit")) >= GIVEN["message_size_limit"]


@about("relay.no-forged-senders", "mail")
def test_no_forged_senders(host):
    assert asked(host, f"lmdb:{MAPS}/cjsm_senders", "cjsm.net").upper().startswith(("REJECT", "5"))


@about("relay.no-open-relay", *MAIL)
def test_no_open_relay(host):
    assert "reject_unauth_destination" in postconf(host, "smtpd_relay_restrictions")


@about("relay.no-other-way-out", "relay")
def test_no_other_way_out(host):
    assert postconf(host, "default_transport").startswith("error:") and postconf(host, "relayhost") == ""


@about("relay.only-declared-listeners", "relay")
def test_only_declared_listeners(host):
    assert host.socket(f"tcp://{host.given['address']}:{GIVEN['hub_listen_port']}").is_listening
    assert host.socket(f"tcp://{host.given['address']}:{GIVEN['inner_port']['relay']}").is_listening
    assert not host.socket("tcp://25").is_listening


@about("relay.public-side-opportunistic", "mail")
def test_public_side_opportunistic(host):
    assert postconf(host, "smtpd_tls_security_level") == "may" and postconf(host, "smtp_tls_security_level") == "may"


@about("relay.queue-moves", *MAIL)
def test_queue_moves(host):
    waiting = [json.loads(line) for line in host.check_output("postqueue -j").splitlines()]
    assert all(time.time() - one["arrival_time"] < 4 * 3600 for one in waiting)


@about("relay.recipients-known", "relay")
def test_recipients_known(host):
    assert postconf(host, "unverified_recipient_reject_code") == "550"
    assert postconf(host, "unverified_recipient_defer_code") == "450"


@about("relay.route-to-hub", "relay")
def test_route_to_hub(host):
    for name in ("cjsm.net", ".cjsm.net"):
        assert asked(host, f"lmdb:{MAPS}/transport", name) == "cjsm:" + GIVEN["hub_hop"]


@about("relay.route-to-relay", "mail")
def test_route_to_relay(host):
    for name in ("cjsm.net", ".cjsm.net"):
        assert "[" in asked(host, f"lmdb:{MAPS}/transport", name)


@about("relay.self-test-discards", "relay")
def test_self_test_discards(host):
    assert asked(host, f"lmdb:{MAPS}/transport", "discard@selftest.invalid").startswith("discard:")


@about("relay.smuggling-closed", *MAIL)
def test_smuggling_closed(host):
    assert postconf(host, "smtpd_forbid_bare_newline") in ("normalize", "reject", "yes")
    assert postconf(host, "smtpd_forbid_unauth_pipelining") == "yes"


@about("relay.tls-written-down", *MAIL)
def test_tls_written_down(host):
    assert postconf(host, "smtpd_tls_received_header") == "yes"


@about("relay.trusted-networks", *MAIL)
def test_trusted_networks(host):
    assert postconf(host, "mynetworks") in ("", "127.0.0.0/8 [::1]/128")


@about("relay.waits-long-enough", "relay")
def test_waits_long_enough(host):
    assert postconf(host, "maximal_queue_lifetime") == "5d" and postconf(host, "bounce_queue_lifetime") == "5d"


# --- tls


@about("tls.keys-private", *MAIL)
def test_keys_private(host):
    key = host.file(TLS + "/inner.key")
    assert (key.user, key.group, key.mode) == ("root", "root", 0o600)
    assert host.file(TLS).mode == 0o700


@about("tls.key-strength", *MAIL)
def test_key_strength(host):
    assert int(re.search(r"Public-Key: \((\d+) bit", certificate(host, "inner", "-text"))[1]) >= 256


@about("tls.authorities-in-date", *MAIL)
def test_authorities_in_date(host):
    assert host.run("openssl x509 -noout -checkend 2592000 -in %s", TLS + "/inner-ca.pem").rc == 0


@about("tls.inner-certificate-chains", *MAIL)
def test_inner_certificate_chains(host):
    chain = TLS + "/inner.chain.pem"
    assert host.run("openssl verify -CAfile %s -untrusted %s %s", TLS + "/inner-ca.pem", chain, chain).rc == 0


@about("tls.inner-certificate-in-date", *MAIL)
def test_inner_certificate_in_date(host):
    assert host.run("openssl x509 -noout -checkend 604800 -in %s", TLS + "/inner.chain.pem").rc == 0


@about("tls.inner-certificate-is-for-key", *MAIL)
def test_inner_certificate_is_for_key(host):
    key = host.check_output("openssl pkey -in %s -pubout", TLS + "/inner.key")
    assert certificate(host, "inner", "-pubkey") == key


@about("tls.inner-certificate-names", *MAIL)
def test_inner_certificate_names(host):
    assert "does match" in certificate(host, "inner", "-checkhost", host.given["fqdn"])


@about("tls.inner-listener-presents-certificate", *MAIL)
def test_inner_listener_presents_certificate(host):
    presents(host, "inner", GIVEN["inner_port"][host.given["role"]])


@about("tls.hub-certificate-chains", "relay")
def test_hub_certificate_chains(host):
    chain = TLS + "/hub.chain.pem"
    assert host.run("openssl verify -CAfile %s -untrusted %s %s", TLS + "/hub-ca.pem", chain, chain).rc == 0


@about("tls.hub-certificate-in-date", "relay")
def test_hub_certificate_in_date(host):
    assert host.run("openssl x509 -noout -checkend 604800 -in %s", TLS + "/hub.chain.pem").rc == 0


@about("tls.hub-certificate-is-for-key", "relay")
def test_hub_certificate_is_for_key(host):
    key = host.check_output("openssl pkey -in %s -pubout", TLS + "/hub.key")
    assert certificate(host, "hub", "-pubkey") == key


@about("tls.hub-certificate-names", "relay")
def test_hub_certificate_names(host):
    assert "does match" in certificate(host, "hub", "-checkhost", host.given["fqdn"])


@about("tls.hub-certificate-uses", "relay")
def test_hub_certificate_uses(host):
    uses = certificate(host, "hub", "-ext", "extendedKeyUsage")
    assert "TLS Web Server Authentication" in uses and "TLS Web Client Authentication" in uses


@about("tls.hub-listener-presents-certificate", "relay")
def test_hub_listener_presents_certificate(host):
    presents(host, "hub", GIVEN["hub_listen_port"])


@about("tls.trust-anchor-as-declared", "relay")
def test_trust_anchor_as_declared(host):
    assert host.file(TLS + "/hub-ca.pem").content_string.strip() == GIVEN["hub_ca"].strip()


def presents(host, name, port):
    chain, where = f"{TLS}/{name}.chain.pem", f"{host.given['address']}:{port}"
    line = "echo QUIT | openssl s_client -connect %s -starttls smtp -cert %s -key %s 2>/dev/null"
    shown = host.check_output(line + " | openssl x509 -fingerprint -noout", where, chain, chain)
    assert shown == certificate(host, name, "-fingerprint")
