"""Whether mail is scanned, with what signatures, and what happens when it cannot be."""

from __future__ import annotations

import glob
import grp
import os
import pwd
import re
import socket
import stat
import struct
from typing import Any

from cjsm_connect.remote import freshclam, hook, messages, milter, postconf
from cjsm_connect.remote.common import attempt
from cjsm_connect.remote.messages import EICAR

CONFIGURATIONS = ("clamd.conf", "clamav-milter.conf", "freshclam.conf")
POSTFIX = (
    *("smtpd_milters", "non_smtpd_milters", "milter_default_action", "message_size_limit"),
    "smtpd_milter_maps",  # other milters, or none, for some clients
)
SIGNATURES = re.compile(r"\.(cvd|cld|hdb|hsb|ndb|ldb|mdb|msb)$")
# what the scanner reads beside signatures, and finds less by: ignored ones, allowed files and addresses, and parts of
# itself that are off (https://docs.clamav.net/manual/Signatures/AllowLists.html, DynamicConfig.html)
ALLOWING = re.compile(r"\.(ign2?|fp|sfp|wdb|cfg)$")
ANSWER_SECONDS = 12
SAMPLES = {
    "clean": {"content": "clean"},
    "eicar": {"content": "eicar"},
    "deep": {"content": "eicar", "packing": "deep"},
}


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """`socket` is clamd's; or there are `hook`, `milter`, `settings` and `clients` of a scanner that is not ours."""
    if "hook" in arguments:
        return hooked(arguments)
    return {
        "scanner": scanner(arguments["socket"]),
        "control": control(),
        "settings": settings(),
        "changed": {name: changed("/etc/clamav/" + name) for name in CONFIGURATIONS},
        "databases": databases(),
        "allowing": allowing(),
        "updates": freshclam.updates(freshclam.log()),
        "postfix": postconf.by_name(POSTFIX),  # what Postfix does with mail and milters
    }


def hooked(arguments: dict[str, Any]) -> dict[str, Any]:
    """A scanner behind a milter, as its status command tells of it and as its milter answers."""
    from concurrent.futures import ThreadPoolExecutor  # other hosts need not pay for it

    with ThreadPoolExecutor(1 + len(SAMPLES) + len(arguments["clients"])) as pool:
        status = pool.submit(hook.report, arguments["hook"])
        samples = {name: pool.submit(sample, arguments, **what) for name, what in SAMPLES.items()}
        clients = [(who, pool.submit(sample, {**arguments, **who}, content="eicar")) for who in arguments["clients"]]
        return {
            "hook": status.result(),
            "samples": {name: outcome.result() for name, outcome in samples.items()},
            "clients": [{"who": who["who"], "client": who["client"], **outcome.result()} for who, outcome in clients],
            "changed": {path: changed(path) for path in arguments["settings"]},
            "postfix": postconf.by_name(POSTFIX),
        }


def sample(arguments: dict[str, Any], **what: str) -> dict[str, Any]:
    """What the milter says to one message from a client; nothing is delivered by it."""
    envelope = {name: arguments[name] for name in ("client", "sender", "recipient", "user")}
    message = messages.build({**envelope, **what, "token": "scan", "mark": "scan"})
    return milter.asked(arguments["milter"], message, envelope, ANSWER_SECONDS)


def scanner(path: str) -> dict[str, Any]:
    """What clamd says on its socket, clamd(8): its version, and what it thinks of harmless text and of EICAR.

    `answers` is None when it let us wait: while it scans something large, it may.
    """
    try:
        version = ask(path, b"zVERSION\0")
        return {
            "answers": True,
            "version": version,
            "signatures_built": built(version),
            "clean": ask(path, stream(b"a harmless text\r\n")),
            "eicar": ask(path, stream(EICAR)),
        }
    except socket.timeout:
        return {"answers": None, "why": "no answer from clamd within %d seconds" % ANSWER_SECONDS}
    except OSError as error:
        return {"answers": False, "why": str(error)}


def ask(path: str, question: bytes) -> str:
    """One question to clamd and its answer."""
    with socket.socket(socket.AF_UNIX) as connection:
        connection.settimeout(ANSWER_SECONDS)
        connection.connect(path)
        connection.sendall(question)
        return connection.recv(4096).rstrip(b"\0").decode(errors="replace")


def stream(content: bytes) -> bytes:
    """The content as clamd's INSTREAM wants it: chunks with their length, then one of length 0."""
    return b"zINSTREAM\0" + struct.pack("!I", len(content)) + content + struct.pack("!I", 0)


def built(version: str) -> float:
    """When the loaded public signatures were built, seconds since 1970; 0 when only others are loaded.

    clamd says "ClamAV 1.4.3/27800/Fri Nov 20 08:26:35 2026", without the last two parts when there are none.
    """
    return freshclam.seconds(version.split("/")[2]) if version.count("/") == 2 else 0


def control() -> list[dict[str, Any]]:
    """The sockets below /run by which clamd takes commands, as they are: mode, owner, group, and who is in the group.

    Who may write to a socket may command SHUTDOWN (clamd(8)). systemd and clamd both hold one that systemd has made.
    """
    _, out, _ = attempt(["ss", "-Hlxnp"])
    rows = [line.split(None, 8) for line in out.splitlines() if '"clamd"' in line]
    paths = sorted({row[4] for row in rows if len(row) > 4 and row[4].startswith("/")})
    return [socket_file(path) for path in paths if os.path.exists(path)]


def socket_file(path: str) -> dict[str, Any]:
    """One socket."""
    state = os.stat(path)
    group = grp.getgrgid(state.st_gid)
    members = {*group.gr_mem, *(user.pw_name for user in pwd.getpwall() if user.pw_gid == state.st_gid)}
    return {
        "path": path,
        "mode": stat.S_IMODE(state.st_mode),
        "owner": pwd.getpwuid(state.st_uid).pw_name,
        "group": group.gr_name,
        "members": sorted(members),
    }


def settings() -> dict[str, dict[str, list[str]]]:
    """All effective settings, defaults included, as clamconf(1) prints them: {file: {name: values}}."""
    _, out, _ = attempt(["clamconf"])
    found: dict[str, dict[str, list[str]]] = {}
    file: dict[str, list[str]] = {}
    for line in out.splitlines():
        if line.startswith("Config file: "):
            file = found.setdefault(line.split(": ")[1].strip(), {})
        elif line.startswith("Software settings"):
            break
        elif " = " in line:
            name, _, value = line.partition(" = ")
            file[name] = re.findall(r'"([^"]*)"', value)
        elif line.endswith(" disabled"):
            file[line.split()[0]] = []
    return found


def changed(path: str) -> float:
    """When a file was last changed, seconds since 1970; 0 when it is not there."""
    try:
        return os.stat(path).st_ctime
    except OSError:
        return 0


def allowing() -> list[str]:
    """Files of a database of one's own by which the scanner passes over something; ClamAV's are in its archives."""
    found = (name for name in sorted(glob.glob("/var/lib/clamav/*")) if ALLOWING.search(name))
    return [os.path.basename(name) for name in found if os.path.getsize(name)]


def databases() -> list[dict[str, Any]]:
    """The signature files that clamd may load, with size and date."""
    found = [name for name in sorted(glob.glob("/var/lib/clamav/*")) if SIGNATURES.search(name)]
    states = [(name, os.stat(name)) for name in found]
    return [{"name": os.path.basename(name), "size": st.st_size, "changed": st.st_mtime} for name, st in states]
