"""Logs, scanner and patches on real hosts: what is said is kept, what is unscanned waits, what is fixed arrives."""

import json
import time

import pytest

pytestmark = pytest.mark.lab

MAIL_LOG = "/var/log/cjsm/mail.log"
DELIVERED, REFUSED = "status=sent (self-test)", "5.7.1 Refused: this message could not be shown to be free of malware"
DELIVERIES = 50_000
# four lines for each delivery, as Postfix writes them, as fast as syslog(3) takes them
BURST = f"""
import syslog
syslog.openlog("postfix/test", syslog.LOG_PID, syslog.LOG_MAIL)
for number in range({DELIVERIES}):
    for said in ("client=unknown[192.0.2.10]", "message-id=<x@example.org>", "from=<>, size=1", "status=sent"):
        syslog.syslog(syslog.LOG_INFO, "%015X: %s" % (number, said))
"""
EICAR = "".join([r"X5O!P%@AP[4\PZX54(P^)7CC)7}$", "EICAR-STANDARD-ANTIVIRUS", "-TEST-FILE!$H+H*"])


def eventually(true, seconds=60):
    """Wait until something is true; the last answer is returned."""
    end = time.monotonic() + seconds
    while not (answer := true()) and time.monotonic() < end:
        time.sleep(0.5)
    return answer


def said(lab, host, text):
    """How many lines of the mail log, in all its files, hold a text."""
    found = lab.exec(host, ["sh", "-c", f"zcat -f {MAIL_LOG} {MAIL_LOG}-* 2>/dev/null | grep -c -F -- '{text}'"])
    return int(found.stdout or 0)


def submit(lab, mark, body):
    """Hand a message in on the relay itself, for the recipient that is thrown away."""
    message = f"Subject: test\nMessage-ID: <{mark}@example.org>\n\n{body}\n"
    argv = ["/usr/sbin/sendmail", "-i", "-f", "", "discard@selftest.invalid"]
    assert lab.exec("relay", argv, message).returncode == 0


@pytest.mark.touches("relay")
def test_in_a_burst_of_fifty_thousand_deliveries_each_queue_id_is_found(lab, cjsm):
    assert lab.exec("relay", ["python3", "-"], BURST).returncode == 0
    assert eventually(lambda: said(lab, "relay", "status=sent") >= DELIVERIES, 120)
    count = (
        f"grep -o 'postfix/test.*: [0-9A-F]\\{{15\\}}: ' {MAIL_LOG} | grep -o '[0-9A-F]\\{{15\\}}' | sort -u | wc -l"
    )
    assert int(lab.exec("relay", ["sh", "-c", count]).stdout) == DELIVERIES
    assert said(lab, "relay", "client=unknown[192.0.2.10]") == DELIVERIES


@pytest.mark.touches("relay")
def test_what_is_said_while_rsyslog_is_away_is_written_when_it_is_back(lab, cjsm):
    lab.exec("relay", ["systemctl", "stop", "syslog.socket", "rsyslog.service"])
    lab.exec("relay", ["logger", "-p", "mail.info", "said while nobody wrote"])
    time.sleep(1)
    assert said(lab, "relay", "said while nobody wrote") == 0
    lab.exec("relay", ["systemctl", "start", "rsyslog.service"])
    assert eventually(lambda: said(lab, "relay", "said while nobody wrote") == 1)


@pytest.mark.touches("mail")
def test_rotation_loses_nothing_and_twice_on_one_day_is_once(lab, cjsm):
    lab.exec("mail", ["logger", "-p", "mail.info", "said before"])
    assert eventually(lambda: said(lab, "mail", "said before") == 1)
    force = ["logrotate", "--force", "/etc/logrotate.d/cjsm-mail"]
    assert lab.exec("mail", force).returncode == 0
    assert "already exists, skipping rotation" in lab.exec("mail", force).stderr
    lab.exec("mail", ["logger", "-p", "mail.info", "said after"])
    assert eventually(lambda: said(lab, "mail", "said after") == 1)
    assert said(lab, "mail", "said before") == 1
    files = lab.exec("mail", ["find", "/var/log/cjsm", "-name", "mail.log-*", "-printf", "%m %u %g\\n"]).stdout
    assert files == "640 root adm\n"


@pytest.mark.touches("relay")
def test_while_the_scanner_is_away_mail_waits_and_is_scanned_when_it_is_back(lab, cjsm):
    delivered, refused = (said(lab, "relay", text) for text in (DELIVERED, REFUSED))
    lab.exec("relay", ["systemctl", "stop", "clamav-daemon.socket", "clamav-daemon.service"])
    submit(lab, "harmless", "a harmless text")
    submit(lab, "infected", EICAR)
    assert eventually(lambda: said(lab, "relay", "message-id=<infected@example.org>"))
    time.sleep(2)
    assert said(lab, "relay", DELIVERED) == delivered
    lab.exec("relay", ["systemctl", "start", "clamav-daemon.socket", "clamav-daemon.service"])
    # pickup(8) looks again every minute, and the milter for its scanner
    assert eventually(lambda: said(lab, "relay", REFUSED) == refused + 1, 200)
    assert eventually(lambda: said(lab, "relay", DELIVERED) == delivered + 1, 60)


@pytest.mark.touches("relay")
def test_a_scanner_that_dies_is_started_again(lab, cjsm):
    lab.exec("relay", ["systemctl", "kill", "--signal=KILL", "clamav-milter.service"])
    active = ["systemctl", "is-active", "clamav-milter.service"]
    assert eventually(lambda: lab.exec("relay", active).stdout == "active\n", 15)


def first_seen(lab):
    return json.loads(lab.exec("relay", ["cat", "/var/lib/cjsm/patching/first-seen.json"]).stdout)


@pytest.mark.touches("relay", "outside")
def test_a_security_fix_is_seen_dated_installed_by_itself_and_kept_in_the_history(lab, cjsm):
    version = lab.publish_update("distro-info-data")
    lab.exec("relay", ["apt-get", "-qq", "update"])
    key = f"distro-info-data {version}"
    noted = first_seen(lab)["pending"][key]
    assert noted["origin"].startswith("Debian-Security")
    assert time.time() - noted["first_seen"] < 600
    done = lab.exec("relay", ["unattended-upgrade"])
    assert done.returncode == 0, done.stdout + done.stderr
    installed = lab.exec("relay", ["dpkg-query", "-W", "-f", "${Version}", "distro-info-data"]).stdout
    assert installed == version
    lab.exec("relay", ["systemctl", "start", "cjsm-pending-updates.service"])
    assert [row["update"] for row in first_seen(lab)["settled"]] == [key]
    assert first_seen(lab)["pending"] == {}


@pytest.mark.touches("relay", "outside")
def test_a_fix_that_waits_too_long_is_found(lab, cjsm):
    version = lab.publish_update("distro-info-data")
    lab.exec("relay", ["apt-get", "-qq", "update"])
    state = first_seen(lab)
    state["pending"][f"distro-info-data {version}"]["first_seen"] -= 20 * 86400
    lab.exec("relay", ["tee", "/var/lib/cjsm/patching/first-seen.json"], json.dumps(state))
    results = json.loads(cjsm("check", "--only", "patching", "--json").stdout)["results"]
    failed = [(one["check"], one["subject"]) for one in results if one["status"] == "fail"]
    assert failed == [("patching.nothing-overdue", "relay")]


@pytest.mark.touches("mail")
def test_a_masked_timer_is_put_right_by_apply(lab, cjsm):
    lab.exec("mail", ["systemctl", "mask", "--now", "apt-daily-upgrade.timer"])
    assert cjsm("status").returncode == 1
    assert cjsm("apply", "--yes").returncode == 0
    assert lab.exec("mail", ["systemctl", "is-enabled", "apt-daily-upgrade.timer"]).stdout == "enabled\n"
    assert lab.exec("mail", ["systemctl", "is-active", "apt-daily-upgrade.timer"]).stdout == "active\n"
