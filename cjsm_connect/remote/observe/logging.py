"""What is logged, how long it is kept, what may be lost, and whether its dates are right."""

from __future__ import annotations

import glob
import grp
import os
import pwd
import re
import stat
import syslog
import time
from collections.abc import Callable
from typing import Any

from cjsm_connect.remote import once, postconf
from cjsm_connect.remote.common import Patience, attempt, read

DAY_FILE = re.compile(r"-(\d{4})-?(\d{2})-?(\d{2})(\.gz|\.xz|\.zst)?$")
# journald and rsyslog say so when they drop
LOST = "Suppressed [0-9]+ messages|Forwarding to syslog missed|lost due to rate-limiting|begin to drop messages"


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """`mail_log` is the path of the mail log."""
    return {
        "written": written(arguments["mail_log"]),
        "files": files(arguments["mail_log"]),
        "rotation": rotation(arguments["mail_log"]),
        "journal": journal(),
        "rsyslog": rsyslog(),
        "lost": lost(),
        "disk": disk(arguments["mail_log"]),
        "time": synchronisation(),
        "postfix": postconf.by_name(("smtp_tls_loglevel", "smtpd_tls_loglevel")),  # what it logs of TLS
    }


def written(path: str) -> dict[str, Any]:
    """Says one line as the mail system does, syslog(3), and looks for it in the log for five seconds, ten if busy."""
    line = "is the mail log written? %d-%d" % (os.getpid(), time.time())
    syslog.openlog("cjsm-check", 0, syslog.LOG_MAIL)
    patience = Patience(5)
    syslog.syslog(syslog.LOG_INFO, line)
    while not patience.over:
        if line in tail(path):
            return {"found": True, "seconds": round(patience.waited, 2)}
        time.sleep(0.1)
    return {"found": False, "seconds": round(patience.waited, 2)}


def tail(path: str, size: int = 65536) -> str:
    """The last bytes of a file as text; "" when there is none."""
    try:
        with open(path, "rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - size))
            return file.read().decode(errors="replace")
    except OSError:
        return ""


def files(path: str) -> dict[str, Any]:
    """The current log, its folder, and the days for which a rotated file is there (ISO dates)."""
    found = [(name, DAY_FILE.search(name)) for name in sorted(glob.glob(path + "-*"))]
    rotated = {name: match.groups() for name, match in found if match}
    return {
        "folder": access(os.path.dirname(path)),
        "current": dict(access(path), first=first_line(path)[:64]),
        "days": ["-".join(parts[:3]) for parts in rotated.values()],
        "readable_by_all": [name for name in rotated if os.stat(name).st_mode & stat.S_IROTH],
    }


def access(path: str) -> dict[str, Any]:
    """Owner, group, mode and size of a path; {"exists": False} when it is not there."""
    try:
        status = os.stat(path)
    except OSError:
        return {"exists": False}
    return {
        "exists": True,
        "owner": named(pwd.getpwuid, status.st_uid),
        "group": named(grp.getgrgid, status.st_gid),
        "mode": "%04o" % stat.S_IMODE(status.st_mode),
        "size": status.st_size,
        "changed": status.st_mtime,
    }


def named(look_up: Callable[[int], Any], number: int) -> str:
    """The name of a user or group, or its number when it has none."""
    try:
        return str(look_up(number)[0])
    except KeyError:
        return str(number)


def first_line(path: str) -> str:
    """The first line of a log, which begins with its date."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.readline()
    except OSError:
        return ""


def rotation(path: str) -> dict[str, Any]:
    """How logrotate itself understands its configuration for the log; logrotate(8), --debug changes nothing."""
    _, out, err = attempt(["logrotate", "--debug", "/etc/logrotate.conf"])
    said = out + err
    names = ["/etc/logrotate.conf", *glob.glob("/etc/logrotate.d/*")]
    configured = [text for text in map(read, names) if path in text] + [read(names[0])]
    return {
        "pattern": pattern(said, path),
        "errors": [line for line in said.splitlines() if line.startswith("error:")][:10],
        "ages": [int(days) for text in configured for days in re.findall(r"^\s*maxage\s+(\d+)", text, re.MULTILINE)],
    }


def pattern(said: str, path: str) -> dict[str, Any]:
    """The line that logrotate prints for the log, taken apart; {} when no configuration names it."""
    for line in re.findall(r"^rotating pattern: (.*)$", said, re.MULTILINE):
        if path in line.split():
            count = re.search(r"\((\d+) rotations\)", line)
            daily = " after 1 days " in line or " daily " in line
            return {"daily": daily, "rotations": int(count.group(1)) if count else 0, "text": line[:300]}
    return {}


def journal() -> dict[str, Any]:
    """journald's effective settings (later files win, journald.conf(5)) and whether its store outlives a reboot."""
    _, out, _ = once.attempt(["systemd-analyze", "cat-config", "systemd/journald.conf"])
    settings = dict(re.findall(r"^(\w+)=(.*)$", out, re.MULTILINE))
    return {
        "settings": settings,
        "stored": sorted(glob.glob("/var/log/journal/*/system.journal")),
        "volatile": sorted(glob.glob("/run/log/journal/*/system.journal")),
    }


def rsyslog() -> dict[str, Any]:
    """Whether the configuration is right, and the statements in it that decide what may be lost."""
    code, _, err = attempt(["rsyslogd", "-N1"])
    names = ["/etc/rsyslog.conf", *sorted(glob.glob("/etc/rsyslog.d/*.conf"))]
    text = "\n".join(re.sub(r"(?m)^\s*#.*$", "", read(name)) for name in names)
    return {
        "valid": code == 0,
        "complaints": [line for line in err.splitlines() if "error" in line.lower()][:10],
        "inputs": statements("module", text),
        "forwards": [row for row in statements("action", text) if row.get("type") in ("omfwd", "omrelp")],
        "old_style_forwards": re.findall(r"(?m)^[^\s#]+\s+(@@?\S+)", text),
    }


def statements(kind: str, text: str) -> list[dict[str, Any]]:
    """Statements of rsyslog's own language, `kind(name="value" ...)`, names in lower case as rsyslog reads them."""
    found = re.findall(r"\b%s\(([^)]*)\)" % kind, text)
    return [{name.lower(): value for name, value in re.findall(r'([\w.]+)\s*=\s*"([^"]*)"', body)} for body in found]


def lost() -> dict[str, Any]:
    """What journald and rsyslog said in the last day of messages that they dropped."""
    ask = ["journalctl", "-q", "--no-pager", "--since=-24h", "-o", "short-iso", "-n", "40", "--grep", LOST]
    # matches of one field are alternatives, journalctl(1)
    sources = ["_SYSTEMD_UNIT=%s.service" % name for name in ("systemd-journald", "rsyslog")]
    return {"messages": [line[:300] for line in attempt([*ask, *sources], seconds=10)[1].splitlines()]}


def disk(path: str) -> dict[str, Any]:
    """Bytes free, and already used by these logs, where logs are kept."""
    state = os.statvfs("/var/log")
    kept = glob.glob(path + "*") + glob.glob("/var/log/journal/*/*.journal")
    return {
        "free": state.f_bavail * state.f_frsize,
        "total": state.f_blocks * state.f_frsize,
        "used": sum(os.stat(name).st_blocks * 512 for name in kept),
    }


TRACKING = "reference address stratum at offset last_offset rms frequency residual skew delay dispersion interval leap"


def synchronisation() -> dict[str, Any]:
    """chronyc(1) tracking and sources; offset in seconds from the time servers' clock, positive when we are slow.

    chrony that was started a moment ago gets eight seconds to compare its clock with its servers'.
    """
    row, why = tracking()
    if row.get("leap") == "Not synchronised":
        attempt(["chronyc", "-n", "waitsync", "8", "0", "0", "1"], seconds=10)
        row, why = tracking()
    if not row:
        return {"answered": False, "why": why, "sources": []}
    _, listed, _ = attempt(["chronyc", "-n", "-c", "sources"], seconds=5)
    sources = [line.split(",") for line in listed.splitlines()]
    return {
        "answered": True,
        "synchronised": row["leap"] == "Normal",
        "leap": row["leap"],
        "follows": row["address"],
        "offset": float(row["offset"]),
        "stratum": int(row["stratum"]),
        "sources": [{"state": part[1], "address": part[2], "reach": part[5]} for part in sources if len(part) > 5],
    }


def tracking() -> tuple[dict[str, str], str]:
    """What chrony thinks of the clock, and why it says nothing when it says nothing."""
    code, out, err = attempt(["chronyc", "-n", "-c", "tracking"], seconds=5)
    row = dict(zip(TRACKING.split(), out.strip().split(",")))
    return (row, "") if not code and "leap" in row else ({}, (err or out).strip()[:200])
