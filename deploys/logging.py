"""logging: a mail log that is complete, kept for half a year, dated by a right clock, and copied away.

Terms v10.2, clause 4: accurate logs of the use of SMTP, for a rolling six months.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

from cjsm_connect.desired import Awaited, Desired, Directory, File, Health, Package, Service
from cjsm_connect.desired.render import template
from cjsm_connect.operations import concern
from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.sizes import JOURNAL_DAYS, LOG_MARGIN_DAYS, MIB, journal_bytes, log_files

FOLDER = "/var/log/cjsm"
MAIL_LOG = f"{FOLDER}/mail.log"
RSYSLOG = "/etc/rsyslog.conf"
# read in the order of names: after Debian's own /usr/lib/systemd/journald.conf.d/syslog.conf, which turns forwarding on
JOURNALD = "/etc/systemd/journald.conf.d/zz-cjsm.conf"
LOGROTATE = "/etc/logrotate.d/cjsm-mail"
CHRONY = "/etc/chrony/chrony.conf"
CHRONY_UNIT = "/etc/systemd/system/chrony.service.d/50-cjsm.conf"
COLLECTOR_CA = "/etc/cjsm/syslog-ca.pem"
FORWARD_DISK = "1g"


def desired(organisation: Organisation, host: Host) -> Desired:
    """Logging is the same on every managed host."""
    forwards = organisation.syslog.target is not None
    names = ("rsyslog", "logrotate", "chrony", *(("rsyslog-openssl",) if forwards else ()))
    return Desired(
        packages=tuple(Package(name) for name in names),
        directories=tuple(_directories(forwards)),
        files=tuple(_files(organisation)),
        services=tuple(_services(organisation)),
        health=(
            Health("the mail log is written", "log_line", (("log", MAIL_LOG),)),
            Health("chrony runs", "unit_active", (("unit", "chrony.service"),)),
        ),
        awaited=(Awaited("the clock", "clock"),),
    )


def _directories(forwards: bool) -> Iterator[Directory]:
    yield Directory(FOLDER, "root", "adm", 0o750)
    yield from (Directory(str(PurePosixPath(path).parent)) for path in (JOURNALD, CHRONY_UNIT))
    if forwards:
        yield Directory(str(PurePosixPath(COLLECTOR_CA).parent))


def _files(organisation: Organisation) -> Iterator[File]:
    yield File(RSYSLOG, _rsyslog(organisation), reason="complete mail log")
    yield File(LOGROTATE, _logrotate(organisation), reason="half a year of daily logs")
    yield File(JOURNALD, _journald(organisation), reason="persistent journal that drops nothing")
    yield File(CHRONY, template("logging/chrony.conf.j2", servers=organisation.estate.ntp), reason="right clock")
    yield File(CHRONY_UNIT, template("logging/chrony-container.conf.j2"), reason="chrony in containers too")
    if organisation.syslog.ca_file:
        name = organisation.syslog.ca_file.relative_to(organisation.folder).as_posix()
        yield File(COLLECTOR_CA, organisation.files[name], reason="who the log collector is")


def _services(organisation: Organisation) -> Iterator[Service]:
    yield Service("systemd-journald.service", watches=(JOURNALD,), order=10)
    watches = (RSYSLOG, *((COLLECTOR_CA,) if organisation.syslog.ca_file else ()))
    yield Service("rsyslog.service", watches=watches, order=15)
    yield Service("chrony.service", watches=(CHRONY, CHRONY_UNIT), order=20)
    yield Service("logrotate.timer", on_change="none", order=20)


def _rsyslog(organisation: Organisation) -> str:
    return template(
        "logging/rsyslog.conf.j2",
        mail_log=MAIL_LOG,
        days=organisation.policy.log_days.value,
        target=organisation.syslog.host,
        port=organisation.syslog.port,
        ca_file=COLLECTOR_CA,
        forward_disk=FORWARD_DISK,
    )


def _logrotate(organisation: Organisation) -> str:
    return template(
        "logging/logrotate.j2",
        mail_log=MAIL_LOG,
        files=log_files(organisation),
        margin=LOG_MARGIN_DAYS,
        log_days=organisation.policy.log_days.value,
        source=organisation.policy.log_days.source,
    )


def _journald(organisation: Organisation) -> str:
    return template(
        "logging/journald.conf.j2",
        journal_days=JOURNAL_DAYS,
        messages_per_day=organisation.mail.messages_per_day,
        journal_mebibytes=journal_bytes(organisation) // MIB,
    )


logging = concern("logging", desired)
if __name__ == "builtins":  # so pyinfra executes a deploy file
    logging()
