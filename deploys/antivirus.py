"""antivirus: every message that passes the relay is scanned, both ways, or waits.

Application 2009, minimum prerequisites: an automatically updating anti-virus policy; terms v10.2, clause 22.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath
from urllib.parse import urlsplit

from cjsm_connect.desired import Awaited, Desired, Directory, File, Health, Memory, Package, Service, masked
from cjsm_connect.desired.render import template
from cjsm_connect.operations import concern
from cjsm_connect.organisation import Host, Organisation
from cjsm_connect.organisation.hooks import ScannerHook
from cjsm_connect.organisation.sizes import MIB, scan_limits, scanner_memory_bytes

CLAMD = "/etc/clamav/clamd.conf"
MILTER = "/etc/clamav/clamav-milter.conf"
UNOPENED = "/var/lib/clamav/cjsm-unopened.yara"
FRESHCLAM = "/etc/clamav/freshclam.conf"
DAEMON_UNIT = "/etc/systemd/system/clamav-daemon.service.d/50-cjsm.conf"
SOCKET_UNIT = "/etc/systemd/system/clamav-daemon.socket.d/50-cjsm.conf"
MILTER_UNIT = "/etc/systemd/system/clamav-milter.service"
WAIT = "/usr/local/lib/cjsm/wait-for-signatures"
CLAMD_SOCKET = "/run/clamav/clamd.ctl"
MILTER_SOCKET = "/run/clamav/clamav-milter.ctl"
PACKAGES = ("clamav-daemon", "clamav-milter", "clamav-freshclam", "clamdscan")
SIGNATURES = "virus signatures"
PUBLIC_SOURCE = "database.clamav.net"
PUBLIC_DATABASES = ("main.c[lv]d", "daily.c[lv]d")  # in quotes where a shell reads them
# Debian's clamav-freshclam brings these since 1.4.6, enabled beside its daemon: both lock freshclam's log, so that at a
# boot one of the two fails, often the daemon, and once a day the other one again
SECOND_UPDATERS = ("clamav-freshclam-once.timer", "clamav-freshclam-once.service")
FIRST_DOWNLOAD_SECONDS = 150  # the public databases are 300 MB; activation allows a unit 180 s to start


def desired(organisation: Organisation, host: Host) -> Desired:
    """The scanner belongs to the relay: everything to and from the hub passes there."""
    if host.role != "relay":
        return Desired()
    hook = organisation.antivirus.hook
    return _of_hook(organisation, hook) if hook else _of_clamav(organisation, host)


def _of_hook(organisation: Organisation, hook: ScannerHook) -> Desired:
    """A scanner of the organisation's own: started and asked, never configured. ClamAV, if it is there, is left alone:
    neither configured nor removed."""
    return Desired(
        services=tuple(Service(unit, on_change="none", order=40) for unit in hook.units),
        memory=(Memory(scanner_memory_bytes(organisation), "the virus scanner, by its maker's word"),),
        health=(_milter_answers(hook.milter),),
    )


def _milter_answers(address: str) -> Health:
    return Health("the milter speaks to Postfix", "milter", (("socket", address),))


def _of_clamav(organisation: Organisation, host: Host) -> Desired:
    return Desired(
        packages=tuple(Package(name) for name in PACKAGES),
        directories=tuple(Directory(str(PurePosixPath(path).parent)) for path in (WAIT, DAEMON_UNIT, SOCKET_UNIT)),
        files=tuple(_files(organisation, host)),
        services=(
            *(masked(unit, order=28) for unit in SECOND_UPDATERS),
            Service("clamav-freshclam.service", watches=(FRESHCLAM,), order=30),
            Service("clamav-daemon.socket", on_change="restart", watches=(SOCKET_UNIT,), order=34),
            Service("clamav-daemon.service", watches=(CLAMD, UNOPENED, DAEMON_UNIT), order=36, waits_for=SIGNATURES),
            Service("clamav-milter.service", watches=(MILTER, MILTER_UNIT), order=40),
        ),
        memory=(Memory(scanner_memory_bytes(organisation), "virus signatures, also while new ones are loaded"),),
        health=(
            Health("the virus scanner answers and finds", "clamd", (("socket", CLAMD_SOCKET),), waits_for=SIGNATURES),
            _milter_answers(MILTER_SOCKET),
        ),
        awaited=(_signatures(organisation),),
    )


def _signatures(organisation: Organisation) -> Awaited:
    mirrors = organisation.estate.mirrors
    databases = mirrors.signature_files or PUBLIC_DATABASES
    source = mirrors.signatures or PUBLIC_SOURCE
    return Awaited(SIGNATURES, "signatures", (("databases", list(databases)), ("source", source)))


def _files(organisation: Organisation, host: Host) -> Iterator[File]:
    limit, sizes = organisation.mail.message_size_limit, scan_limits(organisation.mail)
    room, max_scan, max_file = (size // MIB for size in (sizes.milter, sizes.max_scan, sizes.max_file))
    clamd = template(
        "antivirus/clamd.conf.j2",
        message_size_limit=limit,
        max_scan=max_scan,
        max_file=max_file,
        refuse_encrypted=organisation.antivirus.encrypted_is_refused,
    )
    milter = template("antivirus/clamav-milter.conf.j2", message_size_limit=limit, room=room)
    yield File(CLAMD, clamd, reason="no accepted message is too big to be scanned")
    rules = template("antivirus/unopened.yara.j2", refuse_encrypted=organisation.antivirus.encrypted_is_refused)
    yield File(UNOPENED, rules, reason="what the scanner cannot open is not clean")
    yield File(MILTER, milter, reason="infected mail is refused, unscanned mail waits")
    # owner and mode are what the package sets at each of its updates
    yield File(
        FRESHCLAM, _freshclam(organisation), "clamav", "adm", 0o444, reason="signatures from the declared source"
    )
    yield File(DAEMON_UNIT, template("antivirus/clamav-daemon.service.conf.j2"), reason="never skipped in silence")
    yield File(
        SOCKET_UNIT, template("antivirus/clamav-daemon.socket.conf.j2"), reason="only the milter commands the scanner"
    )
    yield File(MILTER_UNIT, template("antivirus/clamav-milter.service.j2"), reason="the milter starts again by itself")
    yield File(WAIT, _wait(organisation), mode=0o755, reason="no scanner without signatures")


def _freshclam(organisation: Organisation) -> str:
    mirrors, proxy = organisation.estate.mirrors, urlsplit(organisation.estate.proxy or "")
    return template(
        "antivirus/freshclam.conf.j2",
        mirror=mirrors.signatures,
        files=mirrors.signature_files,
        proxy_server=f"{proxy.scheme}://{proxy.hostname}" if proxy.hostname else "",
        proxy_port=proxy.port or 3128,
    )


def _wait(organisation: Organisation) -> str:
    databases = organisation.estate.mirrors.signature_files or PUBLIC_DATABASES
    return template(
        "antivirus/wait-for-signatures.j2",
        databases=databases,
        seconds=FIRST_DOWNLOAD_SECONDS,
    )


antivirus = concern("antivirus", desired)
if __name__ == "builtins":  # so pyinfra executes a deploy file
    antivirus()
