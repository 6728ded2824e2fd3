"""status on real hosts: every kind of drift, broken by hand, is told in words and as JSON."""

import json

import pytest

pytestmark = pytest.mark.lab

# what an administrator may do to a relay, and how status must tell it
BREAKS = (
    ("echo '# by hand' >> /etc/logrotate.d/cjsm-mail", "file", "/etc/logrotate.d/cjsm-mail is changed"),
    ("rm /etc/apt/apt.conf.d/60cjsm", "missing-file", "/etc/apt/apt.conf.d/60cjsm is missing"),
    ("rm -r /usr/local/lib/cjsm", "missing-directory", "/usr/local/lib/cjsm is missing; expected a directory"),
    ("chmod 0755 /etc/cjsm/tls", "owner-or-mode", "/etc/cjsm/tls is root:root 0755; expected root:root 0700"),
    ("chown nobody /etc/ulogd.conf", "owner-or-mode", "/etc/ulogd.conf is nobody:root"),
    ("chmod 0644 /etc/cjsm/tls/hub.key", "key", "the hub key /etc/cjsm/tls/hub.key is open to others than root"),
    ("sed -i '/BEGIN CERT/,$d' /etc/cjsm/tls/inner.chain.pem", "certificate",
     "the certificate of the inner key is missing or another"),
    ("dpkg --force-depends --remove needrestart", "package", "package needrestart is not installed"),
    ("systemctl mask --now clamav-daemon.service", "service-masked",
     "clamav-daemon.service is masked and inactive; expected active and enabled"),
    ("systemctl mask --runtime --now logrotate.timer", "service-masked",
     "logrotate.timer is masked-runtime and "),
    ("systemctl stop clamav-milter.service", "service-stopped",
     "clamav-milter.service is inactive; expected active and enabled"),
    ("systemctl disable chrony.service", "service-disabled",
     "chrony.service is disabled; expected active and enabled"),
    ("postconf -e smtp_tls_security_level=may mynetworks=0.0.0.0/0", "setting",
     "main.cf: smtp_tls_security_level is `may`; expected `"),
    ("true", "setting", "main.cf: mynetworks is `0.0.0.0/0`; expected empty"),
    ("postconf -Me smtps/inet='smtps inet n - y - - smtpd'", "setting",
     "master.cf: smtps/inet is `smtps inet n - y - - smtpd`; expected not set"),
    ("true", "older-configuration", "postfix.service is running an older configuration"),
    ("echo 'evil.example smtp:[192.0.2.66]' >> /etc/cjsm/maps/transport", "maps", "/etc/cjsm/maps is edited by hand"),
    ("nft insert rule inet cjsm input tcp dport 23 accept", "firewall-live",
     "table inet cjsm is changed live (+tcp dport 23 accept); expected loaded as in /etc/nftables.d/cjsm.nft"),
    ("echo '# by hand' >> /etc/nftables.d/cjsm.nft", "firewall-boot", "/etc/nftables.d/cjsm.nft is changed"),
    ("systemctl disable nftables.service", "firewall-disabled", "table inet cjsm is not loaded at boot"),
)  # fmt: skip


@pytest.mark.touches("relay")
def test_every_kind_of_drift_is_told_and_put_right(lab, cjsm):
    for command, _, _ in BREAKS:
        done = lab.exec("relay", ["sh", "-c", command])
        assert done.returncode == 0, (command, done.stderr)
    status = cjsm("status")
    assert status.returncode == 1, status.stderr
    missing = [sentence for _, _, sentence in BREAKS if f"relay: {sentence}" not in status.stdout]
    assert not missing, status.stdout
    assert "mail: as wanted" in status.stdout and "firewall: as wanted" in status.stdout
    found = json.loads(cjsm("status", "--json").stdout)
    assert found["schema"] == 1
    assert {kind for _, kind, _ in BREAKS} == {one["kind"] for one in found["hosts"]["relay"]["drift"]}
    assert not found["hosts"]["mail"]["drift"]
    applied = cjsm("apply", "--yes")
    assert applied.returncode == 0, applied.stderr
    assert cjsm("status").returncode == 0
    assert "dport 23" not in lab.exec("relay", ["nft", "list", "table", "inet", "cjsm"]).stdout
    assert lab.exec("relay", ["systemctl", "is-active", "clamav-daemon.service"]).stdout == "active\n"


@pytest.mark.touches("relay")
def test_mail_that_waits_and_days_of_certificates_are_told_with_the_drift(lab, cjsm):
    lab.exec("relay", ["postfix", "stop"])
    lab.exec("relay", ["sendmail", "-f", "root", "clerk@council.example"], input="Subject: waits\n\n")
    found = json.loads(cjsm("status", "--json").stdout)["hosts"]
    queued = found["relay"]["queue"]
    said = lab.exec(
        "relay", ["sh", "-c", "cd /var/spool/postfix && find maildrop incoming active deferred hold -type f"]
    )
    lab.exec("relay", ["systemctl", "start", "postfix.service"])
    assert queued["maildrop"] >= 1
    assert sum(number for name, number in queued.items() if name != "oldest_seconds") == len(said.stdout.splitlines())
    certificates = {row["name"]: row["days"] for row in found["relay"]["certificates"]}
    check = ["openssl", "x509", "-checkend", str(certificates["hub"] * 86400), "-noout", "-in",
             "/etc/cjsm/tls/hub.chain.pem"]  # fmt: skip
    assert lab.exec("relay", check).returncode == 0
    check[3] = str((certificates["hub"] + 1) * 86400)
    assert lab.exec("relay", check).returncode == 1
    assert found["firewall"]["queue"] is None and found["firewall"]["certificates"] == []


# Debian 12's own postfix.service (postfix 3.7.11): Postfix itself runs in postfix@-.service
STUB = "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\nExecReload=/bin/true\n"


@pytest.mark.touches("mail")
def test_a_unit_that_is_active_though_postfix_is_dead_is_told_by_status_check_and_apply(lab, cjsm):
    lab.exec("mail", ["systemctl", "stop", "postfix.service"])
    lab.exec("mail", ["tee", "/etc/systemd/system/postfix.service"], input=STUB)
    lab.exec("mail", ["systemctl", "daemon-reload"])
    lab.exec("mail", ["systemctl", "start", "postfix.service"])
    assert lab.exec("mail", ["systemctl", "is-active", "postfix.service"]).stdout == "active\n"
    assert "mail: postfix.service is failed; expected active and enabled" in cjsm("status").stdout
    results = json.loads(cjsm("check", "--only", "relay", "--json").stdout)["results"]
    assert [row["status"] for row in results if (row["check"], row["subject"]) == ("relay.runs", "mail")] == ["fail"]
    applied = cjsm("apply", "--yes")  # this stub brings no Postfix, and nobody says that it did
    assert applied.returncode and "postfix.service is failed" in applied.stderr
