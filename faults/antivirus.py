"""What the scanner must not be: away, open when it is away, blind in one direction, half-sighted, or out of date."""

from __future__ import annotations

from faults import Patient, fault

MILTER = "/etc/clamav/clamav-milter.conf"
CLAMD = "/etc/clamav/clamd.conf"
FRESHCLAM_LOG = "/var/log/clamav/freshclam.log"
GETS_IN = {"connection.infected-mail": "the infected message that is tried really gets in"}


def restart(host: Patient, unit: str) -> None:
    """Let a program take up its settings, and prove that it runs with them. clamav-milter takes four seconds to end."""
    host.run(["systemctl", "kill", "--signal=KILL", unit])
    host.run(["systemctl", "restart", unit])
    assert host.run(["systemctl", "is-active", unit]).stdout.strip() == "active"


@fault(
    "antivirus.scanner-down",
    host="relay",
    violates="antivirus.scanner",
    entails={
        "antivirus.signatures": "a scanner that is away has no signatures loaded",
        "connection.hub-can-deliver": "mail waits while the scanner is away",
        "connection.mail-both-ways": "mail waits while the scanner is away",
    },
)
def scanner_down(host: Patient) -> None:
    """clamd is stopped; the milter still runs, so that everything looks well."""
    units = ["clamav-daemon.socket", "clamav-daemon.service"]
    host.run(["systemctl", "stop", *units])
    assert host.run(["systemctl", "is-active", units[1]], check=False).stdout.strip() != "active"


@fault("antivirus.no-signatures", host="relay", violates="antivirus.scanner", entails=GETS_IN)
def no_signatures(host: Patient) -> None:
    """The databases were replaced by one that knows nothing: the scanner runs and finds all mail clean."""
    host.run(["systemctl", "stop", "clamav-freshclam.service"])
    host.run(["find", "/var/lib/clamav", "-name", "lab.*", "-delete"])
    nothing = "00000000000000000000000000000000:1:Nothing\n"
    for name in ("lab.hdb", "lab.ndb"):
        host.write(f"/var/lib/clamav/{name}", nothing if name.endswith("hdb") else f"Nothing:0:*:{'00' * 20}\n")
    restart(host, "clamav-daemon.service")


@fault("antivirus.outgoing-only", host="relay", violates="antivirus.no-way-around", entails=GETS_IN)
def outgoing_only(host: Patient) -> None:
    """The hub's listener hands nothing to the milter: the hub has scanned it already, somebody thought."""
    entry = next(line for line in host.run(["postconf", "-M"]).stdout.splitlines() if "cjsm-listener" in line)
    service = "/".join(entry.split()[:2])
    host.run(["postconf", "-P", f"{service}/smtpd_milters="])
    host.reload_postfix()
    assert host.run(["postconf", "-Ph", f"{service}/smtpd_milters"]).stdout.strip() == ""


@fault("antivirus.local-unscanned", host="relay", violates="antivirus.no-way-around", entails=GETS_IN)
def local_unscanned(host: Patient) -> None:
    """What is handed in on the relay itself is not scanned."""
    host.run(["postconf", "-e", "non_smtpd_milters="])
    host.reload_postfix()


@fault("antivirus.exempt-network", host="relay", violates="antivirus.no-way-around", entails=GETS_IN)
def exempt_network(host: Patient) -> None:
    """The mail server's network is trusted, so its mail is not looked at."""
    host.write(MILTER, host.read(MILTER) + "LocalNet 192.0.2.0/24\n")
    restart(host, "clamav-milter.service")


@fault("antivirus.quarantine", host="relay", violates="antivirus.infected-refused", entails=GETS_IN)
def quarantine(host: Patient) -> None:
    """Infected mail is held back and nobody is told, as by default."""
    host.replace(MILTER, "OnInfected Reject", "OnInfected Quarantine")
    restart(host, "clamav-milter.service")


@fault("antivirus.milter-fails-open", host="relay", violates="antivirus.fails-closed")
def milter_fails_open(host: Patient) -> None:
    """Without a scanner the milter lets everything pass."""
    host.replace(MILTER, "OnFail Defer", "OnFail Accept")
    restart(host, "clamav-milter.service")


@fault("antivirus.postfix-fails-open", host="relay", violates="antivirus.fails-closed")
def postfix_fails_open(host: Patient) -> None:
    """Without a milter Postfix takes everything."""
    host.run(["postconf", "-e", "milter_default_action=accept"])
    host.reload_postfix()


@fault("antivirus.large-unscanned", host="relay", violates="antivirus.whole-message", entails=GETS_IN)
def large_unscanned(host: Patient) -> None:
    """The milter passes what is over a megabyte without a look."""
    host.replace(MILTER, "MaxFileSize 77M", "MaxFileSize 1M")
    restart(host, "clamav-milter.service")


@fault("antivirus.over-limit-clean", host="relay", violates="antivirus.whole-message")
def over_limit_clean(host: Patient) -> None:
    """What is over a limit of the scanner is called clean, as by default."""
    host.replace(CLAMD, "AlertExceedsMax true", "AlertExceedsMax false")
    restart(host, "clamav-daemon.service")


@fault("antivirus.member-cut", host="relay", violates="antivirus.whole-message")
def member_cut(host: Patient) -> None:
    """One file inside may be as large as a message: a larger member is cut there, and what is left of it is clean."""
    host.replace(CLAMD, "MaxFileSize 383M", "MaxFileSize 77M")
    restart(host, "clamav-daemon.service")


@fault("antivirus.no-limit-of-all", host="relay", violates="antivirus.whole-message")
def no_limit_of_all(host: Patient) -> None:
    """Nothing limits all that is unpacked, so that no large archive is refused: its members are cut instead."""
    host.replace(CLAMD, "MaxScanSize 382M", "MaxScanSize 0")
    host.replace(CLAMD, "MaxFileSize 383M", "MaxFileSize 77M")
    restart(host, "clamav-daemon.service")


@fault("antivirus.passed-over", host="relay", violates="antivirus.whole-message")
def passed_over(host: Patient) -> None:
    """The rules of what the scanner cannot open were deleted: somebody wanted to receive a RAR."""
    host.run(["rm", "/var/lib/clamav/cjsm-unopened.yara"])
    restart(host, "clamav-daemon.service")


@fault("antivirus.large-html-left-out", host="relay", violates="antivirus.whole-message")
def large_html_left_out(host: Patient) -> None:
    """Large pages are not taken apart, to spare the processor."""
    host.replace(CLAMD, "MaxHTMLNormalize 383M", "MaxHTMLNormalize 1M")
    restart(host, "clamav-daemon.service")


@fault("antivirus.encrypted-undecided", host="relay", violates="antivirus.whole-message")
def encrypted_undecided(host: Patient) -> None:
    """A partner sends encrypted archives: somebody lets them in, against what was decided."""
    host.replace(CLAMD, "AlertEncrypted true", "AlertEncrypted false")
    restart(host, "clamav-daemon.service")


SOCKET = "/etc/systemd/system/clamav-daemon.socket.d/90-own.conf"
CONTROL = "/run/clamav/clamd.ctl"


def listen(host: Patient, setting: str) -> None:
    """An administrator's own drop-in for the scanner's socket, taken up."""
    host.run(["install", "-d", SOCKET.rpartition("/")[0]])
    host.write(SOCKET, f"[Socket]\n{setting}\n")
    host.run(["systemctl", "daemon-reload"])
    host.run(["systemctl", "restart", "clamav-daemon.socket"])
    host.run(["systemctl", "start", "clamav-daemon.service"])


@fault("antivirus.everybody-commands", host="relay", violates="antivirus.scanner")
def everybody_commands(host: Patient) -> None:
    """Any user of the host can tell the scanner to stop, as by Debian's own unit."""
    listen(host, "SocketMode=0666")
    assert host.run(["stat", "-c", "%a", CONTROL]).stdout.strip() == "666"


@fault("antivirus.web-server-commands", host="relay", violates="antivirus.scanner")
def web_server_commands(host: Patient) -> None:
    """Another program's user was taken into the scanner's group, to scan uploads."""
    host.run(["usermod", "--append", "--groups", "clamav", "www-data"])
    assert "clamav" in host.run(["id", "-nG", "www-data"]).stdout.split()


@fault("antivirus.mode-changed", host="relay", violates="antivirus.scanner")
def mode_changed(host: Patient) -> None:
    """The socket was opened by hand, in a hurry; no file says so."""
    host.run(["chmod", "0666", CONTROL])


@fault("antivirus.port-commands", host="relay", violates="antivirus.scanner")
def port_commands(host: Patient) -> None:
    """The scanner also listens on a port of loopback, where every program of the host reaches it."""
    listen(host, "ListenStream=127.0.0.1:3310")
    assert "3310" in host.run(["ss", "-Hltn"]).stdout


@fault("antivirus.old-signatures", host="relay", violates="antivirus.signatures")
def old_signatures(host: Patient) -> None:
    """freshclam was stopped ten days ago."""
    host.run(["systemctl", "disable", "--now", "clamav-freshclam.service"])
    date = host.run(["date", "-d", "10 days ago", "+%a %b %e %H:%M:%S %Y"]).stdout.strip()
    lines = [f"{date} -> ClamAV update process started at {date}", f"{date} -> lab.hdb is up-to-date"]
    host.write(FRESHCLAM_LOG, "\n".join(lines) + "\n")


@fault("antivirus.updates-disabled", host="relay", violates="antivirus.signatures")
def updates_disabled(host: Patient) -> None:
    """Updates were switched off an hour ago: the signatures are still new."""
    host.run(["systemctl", "disable", "--now", "clamav-freshclam.service"])
    assert host.run(["systemctl", "is-enabled", "clamav-freshclam.service"], check=False).stdout.strip() == "disabled"


MIRROR = """
import http.server, sys
class Mirror(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(int(sys.argv[1]))
        self.send_header("Retry-After", "3600")
        self.end_headers()
        self.wfile.write(b"<html>Please log in to the guest network</html>")
    do_HEAD = do_GET
http.server.HTTPServer(("127.0.0.1", 80), Mirror).serve_forever()
"""
ENDED = "until tail -n 3 {log} | grep -qE 'Update failed|cool-down until'; do sleep 0.5; done"


def mirror_answers(host: Patient, status: int) -> None:
    """The mirror's name leads to a web server that answers so, or to nobody (0), and freshclam has looked there."""
    host.write("/etc/hosts", host.read("/etc/hosts") + "127.0.0.1 mirror.outside.example\n")
    if status:
        host.run(["systemd-run", "--unit=lab-mirror", "python3", "-c", MIRROR, str(status)])
    host.run(["rm", "-f", FRESHCLAM_LOG])
    host.run(["systemctl", "restart", "clamav-freshclam.service"])
    host.run(["timeout", "60", "sh", "-c", ENDED.format(log=FRESHCLAM_LOG)])


@fault("antivirus.mirror-limits-us", host="relay", violates="antivirus.signatures")
def mirror_limits_us(host: Patient) -> None:
    """The mirror answers 429: we asked too often, and freshclam asks no more for an hour."""
    mirror_answers(host, 429)


@fault(
    "antivirus.mirror-forbids-us",
    host="relay",
    violates="antivirus.signatures",
    entails={"estate.no-failed-units": "freshclam ends itself when it is forbidden to ask"},
)
def mirror_forbids_us(host: Patient) -> None:
    """The mirror answers 403: we are blocked."""
    mirror_answers(host, 403)


@fault("antivirus.mirror-sends-rubbish", host="relay", violates="antivirus.signatures")
def mirror_sends_rubbish(host: Patient) -> None:
    """A page for guests of the network comes in place of signatures."""
    mirror_answers(host, 200)


@fault("antivirus.mirror-gone", host="relay", violates="antivirus.signatures")
def mirror_gone(host: Patient) -> None:
    """Nobody answers at the mirror's address."""
    mirror_answers(host, 0)


@fault("antivirus.other-source", host="relay", violates="antivirus.signatures")
def other_source(host: Patient) -> None:
    """Signatures also come from a place that nobody approved."""
    path = "/etc/clamav/freshclam.conf"
    host.write(path, host.read(path) + "DatabaseCustomURL http://198.51.100.66/own.ndb\n")


@fault("antivirus.silent", host="relay", violates="antivirus.logged")
def silent(host: Patient) -> None:
    """What was found is written nowhere."""
    host.replace(MILTER, "LogInfected Full", "LogInfected Off")
    restart(host, "clamav-milter.service")
