"""One snapshot of a host: everything that Desired can be compared with, in one program. Reads only.

Content is returned only where it is asked for (settings files) or where the digest differs from the expected one, so
that a plan can show a difference; never for paths named secret.
"""

from __future__ import annotations

import base64
import contextlib
import glob
import grp
import hashlib
import json
import os
import pwd
import stat
import time
from typing import Any

from cjsm_connect.remote import common, firewall, lock, sessions, settling, walls

STATE = "/var/lib/cjsm"
MAPS = "/etc/cjsm/maps"
SEAL = ".sealed"  # beside the tables of a set: the digest of what was installed
LARGEST_SHOWN = 200_000  # bytes of an old file that a plan may show


def collect(arguments: dict[str, Any]) -> dict[str, Any]:
    """The snapshot. Arguments: paths, content, secret, packages, units, awaited, keys, firewalls (see
    desired.snapshot)."""
    own: dict[str, list[str]] = {firewall.SERVICE: []} if arguments["firewalls"] else {}
    states = units({**own, **arguments["units"]})
    system = settling.system_state()
    rules = states.get(firewall.SERVICE, {}).get("enabled", "")
    return {
        "files": {path: entry(path, digest, arguments) for path, digest in arguments["paths"].items()},
        "packages": packages(arguments["packages"]),
        "units": states,
        "failed": settling.failed_units(system),
        "unsettled": settling.rows(arguments["awaited"], states, system),
        **tables(arguments["map_set"]),
        "keys": {key["path"]: key_pair(key) for key in arguments["keys"]},
        "firewalls": {wall["table"]: walls.observe(wall, rules) for wall in arguments["firewalls"]},
        "access": sessions.observe(),
        "lab": common.read("/etc/cjsm-lab").strip(),
        "free": free_bytes("/var"),
        "memory": memory_bytes(),
        "generation": generation(),
        "lock": lock.holder(),
        "pending": firewall.armed(),
    }


def entry(path: str, expected: str | None, arguments: dict[str, Any]) -> dict[str, Any]:
    """Kind, digest, owner and mode of a path, and its content where a plan needs it."""
    try:
        status = os.lstat(path)
    except (FileNotFoundError, NotADirectoryError):
        return {"kind": "absent"}
    found = {"kind": kind(status.st_mode), "mode": stat.S_IMODE(status.st_mode)}
    found["owner"], found["group"] = owner(status.st_uid), group(status.st_gid)
    if found["kind"] == "file":
        with open(path, "rb") as file:
            data = file.read()
        found["sha256"] = hashlib.sha256(data).hexdigest()
        wanted = path in arguments["content"] or (expected and expected != found["sha256"])
        if wanted and path not in arguments["secret"] and len(data) <= LARGEST_SHOWN:
            found["content"] = data.decode("utf-8", "replace")
    return found


def kind(mode: int) -> str:
    """file, directory, link or other."""
    if stat.S_ISREG(mode):
        return "file"
    if stat.S_ISDIR(mode):
        return "directory"
    return "link" if stat.S_ISLNK(mode) else "other"


def owner(number: int) -> str:
    """A user's name, or its number when nobody has it."""
    try:
        return pwd.getpwuid(number).pw_name
    except KeyError:
        return str(number)


def group(number: int) -> str:
    """A group's name, or its number when nobody has it."""
    try:
        return grp.getgrgid(number).gr_name
    except KeyError:
        return str(number)


def packages(names: list[str]) -> dict[str, str]:
    """Installed version of each package; what is not installed is left out (dpkg-query(1))."""
    if not names:
        return {}
    form = "${binary:Package} ${db:Status-Status} ${Version}\n"
    _, out, _ = common.attempt(["dpkg-query", "-W", "-f", form, *names])
    rows = (line.split(" ") for line in out.splitlines())
    return {row[0].partition(":")[0]: row[2] for row in rows if len(row) == 3 and row[1] == "installed"}


# Debian 12's postfix.service runs /bin/true and is active whatever becomes of Postfix: postfix@-.service is what runs.
# So the process counts that the unit stands for: its PID file, and its name in proc_pid_comm(5)
STANDS_FOR = {"postfix.service": ("/var/spool/postfix/pid/master.pid", "master")}

PROPERTIES = "Id,LoadState,ActiveState,UnitFileState,ExecMainStartTimestampMonotonic,ActiveEnterTimestampMonotonic"


def units(wanted: dict[str, list[str]]) -> dict[str, dict[str, Any]]:
    """State of each systemd unit, and whether its process has taken up what it watches (systemctl(1) show)."""
    if not wanted:
        return {}
    _, out, _ = common.attempt(["systemctl", "show", "--property", PROPERTIES, *wanted])
    loaded = activations()
    found = {}
    for name, block in zip(wanted, out.split("\n\n")):
        shown = dict(line.partition("=")[::2] for line in block.splitlines())
        found[name] = unit(shown, wanted[name], loaded.get(name, {}))
        if name in STANDS_FOR and found[name]["active"] == "active" and not process_of(name):
            found[name]["active"] = "failed"
    return found


def process_of(unit: str) -> str:
    """The id of the process that a unit of STANDS_FOR stands for, "" when it does not run."""
    path, name = STANDS_FOR[unit]
    number = common.read(path).strip()
    runs = number.isdigit() and common.read("/proc/%s/comm" % number).strip() == name
    return number if runs else ""


def unit(shown: dict[str, str], watches: list[str], loaded: dict[str, Any]) -> dict[str, Any]:
    """What a plan needs to know of one unit."""
    started = started_at(shown)
    return {
        "load": shown.get("LoadState", "not-found"),
        "active": shown.get("ActiveState", "inactive"),
        "enabled": shown.get("UnitFileState", ""),
        "current": is_current(started, watches, loaded),
    }


def started_at(shown: dict[str, str]) -> float:
    """When the unit's process started, in seconds of the system's clock; 0 when it never did."""
    stamps = ("ExecMainStartTimestampMonotonic", "ActiveEnterTimestampMonotonic")
    monotonic = max(int(shown.get(name) or 0) for name in stamps) / 1e6
    return monotonic and monotonic + time.time() - time.clock_gettime(time.CLOCK_MONOTONIC)


def is_current(started: float, watches: list[str], loaded: dict[str, Any]) -> bool:
    """Has the process taken up what is on disk now?

    Yes if it started after the last change of every watched path, or if we made it load exactly this content and none
    was touched since: what was changed by hand, loaded, and put back by us has our content and is not loaded.
    Decided from state, so that a run that died half-way is finished by the next.
    """
    if not watches:
        return True
    changed = newest(watches)
    if started > changed:
        return True
    return bool(loaded) and loaded["digest"] == watched_digest(watches) and changed <= loaded.get("at", 0)


def newest(paths: list[str]) -> float:
    """The latest inode change among the paths, in seconds; a link's own change counts too."""
    stamps = [0.0]
    for path in paths:
        for look in (os.lstat, os.stat):
            with contextlib.suppress(OSError):
                stamps.append(look(path).st_ctime)
    return max(stamps)


def tables(wanted: str) -> dict[str, Any]:
    """`maps`: the set of lookup tables in use (see maps_in_use). Unless that is the wanted one also `map_sources`: the
    text of each table, so that a plan can show which rows come and go."""
    found = maps_in_use()
    if not wanted or os.path.basename(found or "").partition(".")[0] == wanted:
        return {"maps": found}
    return {"maps": found, "map_sources": map_sources()}


def map_sources() -> dict[str, str]:
    """The source text of each table in use; none that is too big to be shown."""
    paths = [path for path in glob.glob(MAPS + "/*") if not path.endswith(".lmdb")]
    return {os.path.basename(path): common.read(path) for path in paths if os.path.getsize(path) <= LARGEST_SHOWN}


def maps_in_use() -> Any:
    """The set of lookup tables that the link points to; None when there is none, or when one was edited by hand."""
    if not os.path.islink(MAPS):
        return None
    target = os.readlink(MAPS)
    return target if common.read(target + "/" + SEAL) == sealed(target) else None


def sealed(folder: str) -> str:
    """One digest over all files of a set of lookup tables, sources and compiled."""
    names = sorted(name for name in os.listdir(folder) if name != SEAL) if os.path.isdir(folder) else []
    rows = "".join("%s %s\n" % (name, common.digest(os.path.join(folder, name))) for name in names)
    return hashlib.sha256(rows.encode()).hexdigest()


def watched_digest(paths: list[str]) -> str:
    """One digest over the content of all watched paths; a link counts by its target's name, a missing one as such."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(path.encode() + b"\0")
        if os.path.islink(path):
            total.update(os.readlink(path).encode())
        elif os.path.isfile(path):
            total.update(common.digest(path).encode())
        total.update(b"\n")
    return total.hexdigest()


def activations() -> dict[str, Any]:
    """What we made each unit load, as activate wrote it."""
    try:
        noted = json.loads(common.read(STATE + "/activated.json", "{}"))
    except ValueError:
        return {}
    return noted if isinstance(noted, dict) else {}


def key_pair(key: dict[str, str]) -> dict[str, Any]:
    """Of a private key only its public half, its request, and the digest of the installed chain without the key."""
    found: dict[str, Any] = {"exists": os.path.isfile(key["path"])}
    if not found["exists"]:
        return found
    status = os.stat(key["path"])
    found["private"] = stat.S_IMODE(status.st_mode) == 0o600 and status.st_uid == 0
    request = common.read(key["request_path"])
    found["request"] = request
    found["chain"] = certificates_digest(common.read(key["chain_path"]))
    # asked only for a returned certificate that is to be judged: once it is installed, it was
    found["public"] = public_key(key["path"]) if key["certificate"] not in ("", found["chain"]) else ""
    return found


def public_key(path: str) -> str:
    """The public half of a private key, PEM; "" when openssl cannot read it."""
    code, out, _ = common.attempt(["openssl", "pkey", "-in", path, "-pubout"])
    return "" if code else out


def certificates_digest(chain: str) -> str:
    """SHA-256 over the DER of the certificates in a chain file; "" when there are none."""
    parts = chain.split("-----BEGIN CERTIFICATE-----")[1:]
    ders = [base64.b64decode("".join(part.split("-----END")[0].split())) for part in parts]
    return hashlib.sha256(b"".join(ders)).hexdigest() if ders else ""


def free_bytes(path: str) -> int:
    """Bytes that root may still write below a path."""
    status = os.statvfs(path)
    return status.f_bavail * status.f_frsize


def memory_bytes() -> int:
    """The host's memory in bytes; proc(5), meminfo."""
    found = [line.split() for line in common.read("/proc/meminfo").splitlines() if line.startswith("MemTotal:")]
    return int(found[0][1]) * 1024 if found else 0


def generation() -> int:
    """The number of the newest generation on this host; 0 before the first apply."""
    numbers = (os.path.basename(path) for path in glob.glob(STATE + "/generations/*"))
    return max((int(number) for number in numbers if number.isdigit()), default=0)
