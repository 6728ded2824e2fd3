"""What is not yet patched, since when, and whether it will be by itself."""

from __future__ import annotations

import csv
import glob
import json
import os
import re
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from cjsm_connect.remote import hook, updates
from cjsm_connect.remote.common import ENVIRONMENT, attempt, read, started
from cjsm_connect.remote.observe import system

LOG_FOLDER = "/var/log/unattended-upgrades"
PACKAGES = "/var/lib/dpkg/status"  # dpkg(1) writes it anew with each change
LISTED = ("APT::Periodic::", "Unattended-Upgrade::", "DPkg::Options", "APT::Get::", "APT::Update::Post-Invoke-Success")


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """`first_seen` is the file in which pending-updates notes the age of each update; `hook` asks another system."""
    with ThreadPoolExecutor(1) as pool:
        asked = pool.submit(hook.report, arguments["hook"]) if "hook" in arguments else None
        found = state(arguments)
        return {**found, "hook": asked.result()} if asked else found


def state(arguments: dict[str, Any]) -> dict[str, Any]:
    """What the host itself knows."""
    return {
        "pending": pending(),
        "first_seen": first_seen(arguments["first_seen"]),
        "archives": archives(),
        "sources": sources(),
        "believed": believed(),
        "configuration": configuration(),
        "held": held(),
        "last_run": last_run(),
        "reboot": reboot(),
        "restart": restart(),
        "needrestart": needrestart(),
        "support": support(),
    }


def pending() -> dict[str, Any]:
    """Fixes that are published and not installed, with what keeps each away; and what is pinned. Nothing is changed.

    `why` is apt's own word when it cannot say.
    """
    try:
        return {**updates.look(), "why": ""}
    except updates.NoAnswer as error:
        return {"updates": [], "pinned": [], "why": str(error)}


def first_seen(path: str) -> dict[str, Any]:
    """What pending-updates wrote: the first sight of each update, and when it looked last; {} when it never did."""
    try:
        state = json.loads(read(path, "{}"))
    except ValueError:
        return {}
    return state if isinstance(state, dict) else {}


def archives() -> list[dict[str, str]]:
    """Every archive whose lists were fetched, as its Release file describes itself; also one that is empty."""
    names = ("Origin", "Label", "Codename", "Suite")
    texts = [read(path)[:20_000] for path in sorted(glob.glob("/var/lib/apt/lists/*Release"))]
    fields = [dict(re.findall(r"^(\w+): (.*)$", text, re.MULTILINE)) for text in texts]
    return [{name.lower(): field.get(name, "") for name in names} for field in fields]


def sources() -> list[dict[str, str]]:
    """Where packages may come from, and whether a signature proves them; apt-get(8) indextargets."""
    names = ("codename", "site", "trusted")
    form = "$(CODENAME)|$(SITE)|$(TRUSTED)"
    _, out, _ = attempt(["apt-get", "indextargets", "--format", form, "Created-By: Packages"])
    return [dict(zip(names, line.split("|"))) for line in sorted(set(out.splitlines())) if line.count("|") == 2]


def believed() -> list[str]:
    """Options in the lists of sources by which an archive is believed without a signature; sources.list(5)."""
    names = ["/etc/apt/sources.list", *sorted(glob.glob("/etc/apt/sources.list.d/*"))]
    option = re.compile(
        r"^(?!#).*?\b((?:trusted|allow-insecure|allow-weak)\s*[=:]\s*yes)", re.MULTILINE | re.IGNORECASE
    )
    return ["%s in %s" % (found, name) for name in names for found in option.findall(read(name))]


def configuration() -> dict[str, list[str]]:
    """APT's effective settings that matter here, apt-config(8) dump: {name: values}."""
    found: dict[str, list[str]] = {}
    for line in attempt(["apt-config", "dump"])[1].splitlines():
        match = re.match(r'(\S+?)(?:::)? "(.*)";$', line)
        if match and match.group(2) and match.group(1).lower().startswith(tuple(name.lower() for name in LISTED)):
            found.setdefault(match.group(1), []).append(match.group(2))
    return found


def held() -> list[str]:
    """Packages that somebody has told dpkg to leave as they are; apt-mark(8) hold."""
    return [name for status, name, _ in system.known_packages() if status.startswith("h")]


def last_run() -> dict[str, Any]:
    """When APT last fetched lists and last installed by itself (seconds since 1970, 0 for never); what went wrong.

    `lists_folder` is when APT last wrote there: all there is before its own timer has run.
    """
    text = read(LOG_FOLDER + "/unattended-upgrades.log")
    runs = re.split(r"^(?=.* INFO (?:Starting|Initial blacklist))", text, flags=re.MULTILINE)
    errors = [line[:300] for line in runs[-1].splitlines() if " ERROR " in line]
    return {
        "lists": changed("/var/lib/apt/periodic/update-stamp"),
        "lists_folder": changed("/var/lib/apt/lists/partial"),
        "upgrade": changed("/var/lib/apt/periodic/upgrade-stamp"),
        "errors": errors[-3:],
    }


def changed(path: str) -> float:
    """When a file was last changed, seconds since 1970; 0 when it is not there."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0


def reboot() -> dict[str, Any]:
    """Whether a package asked for a reboot, since when it was first asked for, and which."""
    mark = "/run/reboot-required"
    return {"required": os.path.exists(mark), "since": first_written(mark), "packages": read(mark + ".pkgs").split()}


def first_written(path: str) -> float:
    """Since when a file is there: each package that asks for a reboot writes it again, and it must not look young.

    Python shows no time of birth (statx(2)); stat(1) does, as 0 or - where the file system keeps none.
    """
    written = changed(path)
    born = attempt(["stat", "--format=%W", path])[1].strip() if written else ""
    return min(written, float(born)) if born.isdigit() and int(born) else written


def restart() -> dict[str, Any]:
    """Services that still use replaced libraries, and the newer kernel that waits; needrestart(1) in batch mode.

    It costs a quarter of a second of a core, so it is spared a host on which nothing can have been replaced.
    """
    needed = not installed("needrestart") or replaced()
    code, out, err = attempt(["needrestart", "-b", "-r", "l"], seconds=20) if needed else (0, "", "")
    rows = [line.partition(": ")[::2] for line in out.splitlines()]
    told = dict(rows)
    return {
        "answered": code == 0,
        "why": err.strip()[:200] if code else "",
        "services": sorted(value for name, value in rows if name == "NEEDRESTART-SVC"),
        # 0 unknown, 1 current, 2 a newer build of the same version waits, 3 a newer version waits
        "kernel": int(told.get("NEEDRESTART-KSTA", 0)),
        "kernel_running": told.get("NEEDRESTART-KCUR", ""),
        "kernel_expected": told.get("NEEDRESTART-KEXP", ""),
    }


def installed(name: str) -> bool:
    """Is there a program of this name? shutil.which would be its module's only use here."""
    return any(os.access("%s/%s" % (folder, name), os.X_OK) for folder in ENVIRONMENT["PATH"].split(":"))


def replaced() -> bool:
    """May a running program, or the kernel, be older than what is installed?

    Not if there is no kernel here (a container), no package was changed since the first process began, and none
    executes a file that was deleted or replaced since it was started (proc(5), maps).
    """
    if glob.glob("/boot/vmlinu*"):
        return True
    changed_at = os.stat(PACKAGES).st_ctime if os.path.exists(PACKAGES) else time.time()
    return changed_at + 1 > started("1") or any(map(executes_deleted, glob.glob("/proc/[0-9]*/maps")))


def executes_deleted(maps: str) -> bool:
    """Is code of a deleted file mapped by a process?"""
    return any(line.endswith("(deleted)") and "x" in line.split()[1] for line in read(maps).splitlines())


def needrestart() -> str:
    """What needrestart does with such services: "a" restarts them, "l" lists, "i" asks, "" is not said."""
    folder = "/etc/needrestart/conf.d"
    names = ["/etc/needrestart/needrestart.conf"]
    if os.path.isdir(folder):
        names += ["%s/%s" % (folder, name) for name in sorted(os.listdir(folder)) if name.endswith(".conf")]
    said = re.findall(r"^\s*\$nrconf\{restart\}\s*=\s*['\"](\w)['\"]", "\n".join(map(read, names)), re.MULTILINE)
    return said[-1] if said else ""


def support() -> dict[str, str]:
    """Until when this release gets fixes, as ISO dates: from Debian, then from its LTS team; distro-info-data."""
    found = re.search(r'^VERSION_CODENAME="?(\w+)', read("/etc/os-release"), re.MULTILINE)
    codename = found.group(1) if found else ""
    for row in csv.DictReader(read("/usr/share/distro-info/debian.csv").splitlines()):
        if row.get("series") == codename:
            return {"codename": codename, "eol": row.get("eol") or "", "lts": row.get("eol-lts") or ""}
    return {"codename": codename, "eol": "", "lts": ""}
