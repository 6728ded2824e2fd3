"""What logging must not be: stopped, short, forgetful, open to all, or wrongly dated."""

from __future__ import annotations

from faults import Patient, fault

MAIL_LOG = "/var/log/cjsm/mail.log"
LOGROTATE = "/etc/logrotate.d/cjsm-mail"
JOURNALD = "/etc/systemd/journald.conf.d/zz-cjsm.conf"
RSYSLOG = "/etc/rsyslog.conf"


def inactive(host: Patient, unit: str) -> None:
    """Prove that a unit no longer runs."""
    assert host.run(["systemctl", "is-active", unit], check=False).stdout.strip() in ("inactive", "failed")


@fault("logging.rsyslog-stopped", host="relay", violates="logging.complete")
def rsyslog_stopped(host: Patient) -> None:
    """Nobody writes the mail log any more."""
    host.run(["systemctl", "stop", "syslog.socket", "rsyslog.service"])
    inactive(host, "rsyslog.service")


@fault("logging.mail-log-moved", host="mail", violates="logging.complete")
def mail_log_moved(host: Patient) -> None:
    """An administrator sent the mail log to where it was before."""
    host.replace(RSYSLOG, MAIL_LOG, "/var/log/mail.log")
    host.run(["systemctl", "restart", "rsyslog.service"])


@fault("logging.burst-limit", host="relay", violates="logging.complete")
def burst_limit(host: Patient) -> None:
    """journald drops what a service says beyond some lines, as by default."""
    host.replace(JOURNALD, "RateLimitIntervalSec=0", "RateLimitIntervalSec=30s")
    host.run(["systemctl", "restart", "systemd-journald.service"])


@fault("logging.broken-addition", host="firewall", violates="logging.complete")
def broken_addition(host: Patient) -> None:
    """A typing error in an administrator's own file; rsyslog ignores part of what follows."""
    host.write("/etc/rsyslog.d/own.conf", 'local3.* action(type="omfile" fil="/var/log/own.log")\n')
    assert host.run(["rsyslogd", "-N1"], check=False).returncode != 0


@fault("logging.thirty-days", host="relay", violates="logging.retention")
def thirty_days(host: Patient) -> None:
    """The mail log is kept for a month, as most people do."""
    host.replace(LOGROTATE, "rotate 191", "rotate 30")


@fault("logging.removed-by-age", host="mail", violates="logging.retention")
def removed_by_age(host: Patient) -> None:
    """A house rule for all logs removes what is older than ninety days, whatever each file says."""
    text = host.read("/etc/logrotate.conf")
    host.write("/etc/logrotate.conf", "maxage 90\n" + text)


@fault("logging.rotation-masked", host="firewall", violates="logging.retention")
def rotation_masked(host: Patient) -> None:
    """The timer was switched off while somebody looked for something."""
    host.run(["systemctl", "mask", "--now", "logrotate.timer"])
    inactive(host, "logrotate.timer")


@fault("logging.day-lost", host="relay", violates="logging.retention")
def day_lost(host: Patient) -> None:
    """Of four days one file was removed to make room."""
    days = [host.run(["date", "-d", f"{age} days ago", "+%F"]).stdout.strip() for age in (5, 4, 2, 1)]
    for day in days:
        host.run(["install", "-o", "root", "-g", "adm", "-m", "0640", "/dev/null", f"{MAIL_LOG}-{day}"])
    assert len(host.run(["find", "/var/log/cjsm", "-name", "mail.log-*"]).stdout.split()) == len(days)


@fault("logging.readable-by-all", host="mail", violates="logging.private")
def readable_by_all(host: Patient) -> None:
    """Every user of the host reads who writes to whom."""
    host.run(["chmod", "0644", MAIL_LOG])


@fault("logging.volatile-journal", host="relay", violates="logging.journal-persistent")
def volatile_journal(host: Patient) -> None:
    """The journal is gone after a reboot."""
    host.replace(JOURNALD, "Storage=persistent", "Storage=volatile")
    host.run(["systemctl", "restart", "systemd-journald.service"])


@fault("logging.clear-text-copy", host="relay", violates="logging.syslog-forwarding")
def clear_text_copy(host: Patient) -> None:
    """A copy of the log crosses the network for everybody to read."""
    host.write("/etc/rsyslog.d/copy.conf", "*.* @192.0.2.66\n")
    host.run(["systemctl", "restart", "rsyslog.service"])


@fault("logging.clock-unwatched", host="mail", violates="logging.time")
def clock_unwatched(host: Patient) -> None:
    """chrony was stopped, and the clock drifts from now on."""
    host.run(["systemctl", "disable", "--now", "chrony.service"])
    inactive(host, "chrony.service")


@fault("logging.no-tls-facts", host="relay", violates="logging.tls-facts")
def no_tls_facts(host: Patient) -> None:
    """The log no longer says how mail was encrypted."""
    host.run(["postconf", "-e", "smtpd_tls_loglevel=0"])
    host.reload_postfix()
    assert host.run(["postconf", "-h", "smtpd_tls_loglevel"]).stdout.strip() == "0"
