"""No false accusation: healthy hosts that look unusual are found to be as healthy as before.

Many harmless things are done to the hosts at once, each proved to be in effect; then the whole check has to say what it
says of the plain lab. Whoever adds a check that one of them trips over finds its name in the assertion.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from cjsm_connect.lab import Lab

pytestmark = pytest.mark.lab

Cjsm = Callable[..., subprocess.CompletedProcess[str]]
MANAGED = ("relay", "mail", "firewall")
OF_THE_PLAIN_LAB = {"logging.forwarding"}
"""Checks that warn on the plain lab: nobody declared where logs are copied to."""

MAIN, MASTER = "/etc/postfix/main.cf", "/etc/postfix/master.cf"


def accusations(cjsm: Cjsm) -> list[str]:
    """Everything that is not passed, but for what the plain lab is warned of, or accepts by name as not tested."""
    done = cjsm("check", "--json")
    assert "Traceback" not in done.stderr
    found = [
        f"{one['status']} {one['check']} on {one['subject']}: {one['observed'] or one['reason']}"
        for one in json.loads(done.stdout)["results"]
        if one["status"] != "pass" and one["check"] not in OF_THE_PLAIN_LAB and not one["scoped"]
    ]
    assert found or done.returncode == 0
    return found


def shell(lab: Lab, host: str, script: str) -> str:
    done = lab.exec(host, ["sh", "-euc", script])
    assert done.returncode == 0, done.stderr
    return done.stdout


def rewritten(lab: Lab, host: str, path: str, *changes: tuple[str, str]) -> None:
    """Replace texts in a file of a host; each is there, so that no variant is without effect."""
    text = lab.exec(host, ["cat", path]).stdout
    for pattern, new in changes:
        text, number = re.subn(pattern, new, text, flags=re.MULTILINE)
        assert number, f"{path} of {host} has no {pattern}"
    assert lab.exec(host, ["tee", path], text).returncode == 0


@pytest.mark.touches("relay", "mail")
def test_postfix_settings_may_be_written_in_other_words_of_the_same_meaning(lab: Lab, cjsm: Cjsm) -> None:
    """Case, white space, continuation lines, comments, other units, $ and -o { }, exclusions instead of a floor."""
    rewritten(
        lab,
        "relay",
        MAIN,
        ("^# CJSM relay", "our_tables = lmdb:/etc/cjsm/maps\nour_floor = >=TLSv1.2\n# CJSM relay"),
        (" lmdb:/etc/cjsm/maps/", " $our_tables/"),
        ("^transport_maps = ", "transport_maps = proxy:"),
        ("^smtpd_tls_mandatory_protocols = .*", "smtpd_tls_mandatory_protocols = ${our_floor}"),
        (
            "^smtp_tls_mandatory_protocols = .*",
            "smtp_tls_mandatory_protocols = !SSLv2, !SSLv3,\n  !TLSv1,\n# the old ones\n  !TLSv1.1",
        ),
        ("^tls_append_default_CA = no", "tls_append_default_CA=No"),
        ("^smtpd_tls_received_header = yes", "smtpd_tls_received_header =   YES"),
        ("^maximal_queue_lifetime = .*", "maximal_queue_lifetime = 120h"),
        ("^bounce_queue_lifetime = .*", "bounce_queue_lifetime = $maximal_queue_lifetime"),
        ("^authorized_submit_users = root", "authorized_submit_users =\n  root"),
        ("^smtpd_tls_security_level = encrypt", "smtpd_tls_security_level = Encrypt"),
    )
    rewritten(
        lab,
        "relay",
        MASTER,
        (r"^198\.51\.100\.10:4545 inet n - ", "[198.51.100.10]:4545    inet  n  -  "),
        ("-o smtpd_tls_security_level=encrypt", "-o { smtpd_tls_security_level = Encrypt }"),
        ("-o smtpd_tls_req_ccert=yes", "-o { smtpd_tls_req_ccert =  Yes }"),
        ("-o smtpd_tls_mandatory_protocols=.*", "-o { smtpd_tls_mandatory_protocols = !SSLv2:!SSLv3:!TLSv1:!TLSv1.1 }"),
        ("-o smtp_tls_mandatory_protocols=.*", "-o smtp_tls_mandatory_protocols=TLSv1.3,TLSv1.2"),
        ("-o smtp_tls_security_level=secure", "-o smtp_tls_security_level=Secure"),
        ("(/hub_sources), ", r"\1   "),
        # a content filter's way back, as amavis has it: a listener that only the host itself reaches
        (r"\Z", "\n127.0.0.1:10026 inet n - n - - smtpd\n  -o syslog_name=postfix/reinject\n"),
    )
    rewritten(
        lab,
        "mail",
        MAIN,
        (r"^mynetworks = 127\.0\.0\.0/8 \[::1\]/128", "mine = 127.0.0.0/8\nmynetworks =\n  [::1]/128,\n  $mine"),
        ("^smtpd_tls_security_level = may", "smtpd_tls_security_level = May"),
        # Debian's own last word, which says 454 instead of 554
        (
            "^smtpd_relay_restrictions = .*",
            "smtpd_relay_restrictions = permit_mynetworks permit_sasl_authenticated defer_unauth_destination",
        ),
        (r"^mydestination = \$myhostname, localhost, ", "mydestination = localhost,$myhostname\n   "),
    )
    rewritten(lab, "mail", MASTER, ("^smtp( +inet)", r"25\1"))
    for host in ("relay", "mail"):
        shell(lab, host, "postfix reload 2>&1")
    assert "10026" in shell(lab, "relay", "ss -ltn")
    assert accusations(cjsm) == []


SURROUNDINGS = r"""
printf 'LANG=de_DE.UTF-8\nLC_ALL=de_DE.UTF-8\n' | tee /etc/default/locale >> /etc/environment
ln -sf /usr/share/zoneinfo/America/New_York /etc/localtime
printf 'UNAUTHORISED ACCESS IS PROHIBITED\n{"json": true}\n' | tee /etc/motd /etc/issue.net > /dev/null
printf 'Banner /etc/issue.net\nPrintMotd yes\n' > /etc/ssh/sshd_config.d/01-banner.conf
systemctl reload ssh.service
printf 'echo Welcome to $(hostname)\necho warning: maintenance tonight >&2\nset -o noclobber\n' > /tmp/bashrc
cat /home/operator/.bashrc >> /tmp/bashrc
cp /tmp/bashrc /home/operator/.bashrc
printf 'Defaults lecture=always, use_pty, log_output, umask=0077\n' > /etc/sudoers.d/zz-site
chmod 0440 /etc/sudoers.d/zz-site
visudo -cq
printf 'search council.example example.org\n' >> /etc/resolv.conf
systemd-run -q --unit=site-agent python3 -m http.server --bind 127.0.0.1 8081
nft -f - <<'RULES'
table inet site_audit {
    chain watch {
        type filter hook input priority -150; policy accept;
        tcp dport 22 ct state new counter log prefix "ssh: "
    }
}
RULES
hostname a-long-name-that-the-naming-convention-of-2009-asks-for
ip -6 -o addr show scope global | while read -r _ device _ address _; do ip -6 addr del "$address" dev "$device"; done
"""


@pytest.mark.touches(*MANAGED)
def test_a_site_may_have_its_own_ways(lab: Lab, cjsm: Cjsm) -> None:
    """Language, time zone, banners, talking shells, sudo's lecture, an agent on loopback, a logging table, no IPv6."""
    for host in MANAGED:
        shell(lab, host, SURROUNDINGS)
        assert shell(lab, host, "ip -6 -o addr show scope global") == ""
        assert "127.0.0.1:8081" in shell(
            lab, host, "for try in 1 2 3 4 5; do ss -ltn | grep 8081 && break; sleep 1; done"
        )
    shell(lab, "relay", "sed -i 's/rotate [0-9]*/rotate 400/' /etc/logrotate.d/*cjsm*")
    assert accusations(cjsm) == []


@contextmanager
def another_organisation(lab: Lab, *changes: tuple[str, str]) -> Iterator[None]:
    """Other words in the organisation file, and back."""
    file = lab.organisation_folder / "organisation.toml"
    kept = text = file.read_text()
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    file.write_text(text)
    try:
        yield
    finally:
        file.write_text(kept)


TWO_NETWORKS = ('administered_from = ["192.0.2.100"]', 'administered_from = ["192.0.2.100", "203.0.113.128/25"]')
STEERED = ("fail relay.no-action-in-tables on ", "fail relay.programs-as-named on ")
OWN_SCANNER = ('encrypted_from_hub = "refuse"', 'scanner = "hook"\nencrypted_from_hub = "refuse"')
OWN_PROGRAMS = """\
[antivirus.hook]
milter = "unix:/run/own-scanner.sock"
units = ["clamav-daemon.service", "clamav-freshclam.service", "own-scanner.service"]
settings = { "own-scanner.service" = ["/usr/local/sbin/own-scanner"] }
status = ["/usr/local/sbin/own-scanner", "status", "/run/clamav/clamd.ctl"]
memory = 500_000_000

[patching]
system = "hook"

[patching.hook]
hosts = ["mail"]
units = ["own-patching.timer"]
status = ["/usr/local/sbin/own-patching", "status"]

[[declarations]]
id = "patching-hook"
statement = "All fixes of Debian, nothing excluded, no questions asked; reboots at the host's own time."
owner = "Chris Technical"
date = TODAY

[[declarations]]
id = "scanner-hook"
statement = "Mail waits while the engine is away; nobody is exempt; signatures come from the lab's mirror."
owner = "Chris Technical"
date = TODAY

[policy] """.replace("TODAY", str(datetime.now(UTC).date() - timedelta(days=1)))  # a statement of the past, and young
OWN_SCANNER_UNIT = """\
[Unit]
After=clamav-daemon.service
[Service]
ExecStart=/usr/local/sbin/own-scanner milter /run/own-scanner.sock /run/clamav/clamd.ctl
ExecStartPre=-/bin/rm -f /run/own-scanner.sock
UMask=0000
Restart=always
[Install]
WantedBy=multi-user.target
"""


OWN_PATCHING_UNIT = """\
[Service]
Type=oneshot
ExecStart=/usr/local/sbin/own-patching run
"""
OWN_PATCHING_TIMER = """\
[Timer]
OnCalendar=daily
[Install]
WantedBy=timers.target
"""


def program(lab: Lab, host: str, name: str, **units: str) -> None:
    """A program of the site's own on a host, with its units, which nobody has enabled yet."""
    text = (Path(__file__).parents[1] / f"{name.replace('-', '_')}.py").read_text()
    files = {f"/usr/local/sbin/{name}": f"#!/usr/bin/python3 -I\n{text}"}
    files |= {f"/etc/systemd/system/{name}.{kind}": unit for kind, unit in units.items()}
    for path, content in files.items():
        assert lab.exec(host, ["tee", path], content).returncode == 0
    shell(lab, host, f"chmod 755 /usr/local/sbin/{name}; systemctl daemon-reload")


OWN_PATCHING = """
systemctl disable --now apt-daily.timer apt-daily-upgrade.timer
dpkg --purge unattended-upgrades
rm /etc/apt/apt.conf.d/60cjsm
systemctl start own-patching.service
"""


def own_patching(lab: Lab) -> None:
    """Another system patches the mail server, and nothing of ours is left there."""
    program(lab, "mail", "own-patching", service=OWN_PATCHING_UNIT, timer=OWN_PATCHING_TIMER)
    shell(lab, "mail", OWN_PATCHING)


def own_scanner(lab: Lab) -> None:
    """Another milter than ClamAV's scans on the relay, and ClamAV's is gone."""
    program(lab, "relay", "own-scanner", service=OWN_SCANNER_UNIT)
    shell(lab, "relay", "systemctl disable --now clamav-milter.service; rm -f /run/clamav/clamav-milter.ctl")


@pytest.mark.touches(*MANAGED)
def test_mail_servers_may_be_slow_and_busy_once_administrators_come_from_two_networks_and_other_programs_scan_and_patch(
    lab: Lab, cjsm: Cjsm
) -> None:
    own_scanner(lab)
    own_patching(lab)
    with another_organisation(lab, TWO_NETWORKS, OWN_SCANNER, ("[policy] ", OWN_PROGRAMS)):
        assert cjsm("apply", "--yes").returncode == 0
        slow_and_busy(lab)
        for host in MANAGED:
            assert "203.0.113.128/25" in shell(lab, host, "nft list ruleset")
        # a policy service that is not ours could also discard mail: it is named, and nobody else is
        accused = accusations(cjsm)
        assert accused and all(one.startswith(STEERED) and "busy-once" in one for one in accused), accused
        assert cjsm("plan", "--only", "antivirus", "--only", "patching").returncode == 0
        said = json.loads(cjsm("hook", "test", "--json").stdout)["hooks"]
        met = [(one["host"], all(finding["ok"] for finding in one["findings"])) for one in said]
        assert met == [("relay", True), ("mail", True)]
    # each was told to come again, and came: the hub to the relay, and both ends of the inner hop
    assert {"203.0.113.21", "192.0.2.10"} <= set(shell(lab, "relay", "cat /run/busy-once").split())
    assert "198.51.100.10" in shell(lab, "mail", "cat /run/busy-once")
    log = shell(lab, "relay", "cat /var/log/cjsm/mail.log")
    assert re.search("421 4.3.2 .* busy, come again", log) and "5.7.1 own scanner: stream: " in log


def slow_and_busy(lab: Lab) -> None:
    """Relay and mail server turn everybody away once; the mail server takes three seconds to say hello."""
    for host in ("relay", "mail"):
        program = (Path(__file__).parent / "busy_once.py").read_text()
        assert lab.exec(host, ["tee", "/usr/local/bin/busy-once.py"], program).returncode == 0
        shell(lab, host, "touch /run/busy-once; chmod 666 /run/busy-once")
        spawned = "\nbusy-once unix - n n - 0 spawn user=nobody argv=/usr/bin/python3 /usr/local/bin/busy-once.py\n"
        busy = "check_policy_service,unix:private/busy-once"
        rewritten(lab, host, MASTER, ("smtpd_helo_restrictions=$", f"smtpd_helo_restrictions={busy}"), (r"\Z", spawned))
    slow = "smtpd_client_restrictions = sleep 3"
    rewritten(lab, "mail", MASTER, ("smtpd_client_restrictions = check", f"{slow}, check"))
    rewritten(lab, "mail", MAIN, (r"\Z", f"{slow}\nsmtpd_helo_restrictions = {busy}\n"))
    for host in ("relay", "mail"):
        shell(lab, host, "postfix reload 2>&1")
