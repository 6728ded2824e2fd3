"""Which fixes are published and not installed, and what keeps each away. Standard library of Python 3.9.

It is judged by what lies in the fetched package lists, never by what apt would do: a pin, a hold or a missing
dependency makes apt silent about a fix, and the fix is missing all the same. This file imports nothing of ours, because
it is also installed on the hosts (deploys/patching.py), where the age of each fix is written down.
"""

from __future__ import annotations

import os
import re
import subprocess
from typing import Any

SECONDS = 40
MOST_EXPLAINED = 10  # each costs a run of apt-get
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "LC_ALL": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"}
LISTS = "/var/lib/apt/lists"
OS_RELEASE = "/etc/os-release"
INSTALL = re.compile(r"^Inst (\S+) (?:\[(\S+)\] )?\((\S+) (.*?) \[\S+\]\)", re.MULTILINE)
SIMULATE = ["apt-get", "-s", "-q", "-o", "Debug::NoLocking=true"]
VERSION = re.compile(r"^ (?P<here>\*\*\*|   ) (?P<version>\S+) (?P<priority>-?\d+)$")
# an archive in what `apt-cache policy` prints: "%4i %s", so a priority of four characters begins its line
ARCHIVE = re.compile(r"^ {0,3}(?P<priority>-?\d+) (?P<where>\S.*)$", re.MULTILINE)
PINS = re.compile(r"^     (\S+) -> \S+ with priority (-?\d+)$", re.MULTILINE)
INSTALLED = 100  # the priority of the version that is installed
SOURCE = re.compile(r"^ +(?P<priority>-?\d+) (?P<where>\S.*)$")


class NoAnswer(Exception):
    """apt could not say; the message has its own word."""


def look() -> dict[str, Any]:
    """`updates`: every fix that is published for what is installed, and not installed: package, installed, version,
    origin, security (is it in the archive of security fixes?), and `kept`: what keeps it away, "" when
    apt would install it. `pinned`: what apt's preferences keep away for ever, whether a fix is published or not.

    Raises:
        NoAnswer: apt could not say.
    """
    installed, policy = states(), said(["apt-cache", "policy"])
    archives = counted(policy, releases())
    rows = newer(said(["apt-cache", "policy", *sorted(installed)]), archives)
    return {"updates": explained(rows, installed), "pinned": pinned(policy, archives, installed)}


def explained(rows: list[dict[str, Any]], installed: dict[str, bool]) -> list[dict[str, Any]]:
    """The rows with what keeps each away, and the packages that those bring along which apt would install."""
    code, simulated, trouble = attempt([*SIMULATE, "dist-upgrade"]) if rows else (0, "", "")
    coming = INSTALL.findall(simulated)
    taken = {(name, version) for name, _, version, _ in coming}
    for number, row in enumerate(rows):
        if (row["package"], row["version"]) not in taken:
            row["kept"] = why(row, installed, number < MOST_EXPLAINED, trouble if code else "")
    return [plain(row) for row in rows] + [added(*one) for one in coming if not one[1]]


def plain(row: dict[str, Any]) -> dict[str, Any]:
    """A row without what only the reason was found by."""
    return {name: row[name] for name in ("package", "installed", "version", "origin", "security", "kept")}


def added(package: str, installed: str, version: str, origin: str) -> dict[str, Any]:
    """A package that a fix brings along (a kernel's has a name of its own)."""
    told = {"package": package, "installed": installed, "version": version, "origin": origin}
    return {**told, "security": "Security" in origin, "kept": ""}


def states() -> dict[str, bool]:
    """Every installed package, as apt names it, and whether it is on hold (dpkg-query(1), apt-mark(8))."""
    native = (said(["dpkg", "--print-architecture"]).strip(), "all")
    form = "${Package}|${Architecture}|${db:Status-Want}|${db:Status-Status}\n"
    rows = [row.split("|") for row in said(["dpkg-query", "-W", "-f", form]).splitlines()]
    return {
        name if architecture in native else "%s:%s" % (name, architecture): want == "hold"
        for name, architecture, want, state in rows
        if state == "installed"
    }


def pinned(policy: str, archives: dict[str, dict[str, str]], installed: dict[str, bool]) -> list[str]:
    """Archives, and installed packages, of a priority below that of what is installed (apt_preferences(5)): nothing of
    them is ever installed by itself."""
    found = [where for priority, where in ARCHIVE.findall(policy) if where in archives and int(priority) < INSTALLED]
    packages = {name for name, priority in PINS.findall(policy) if int(priority) < INSTALLED and name in installed}
    return found + sorted(packages)


def releases() -> list[dict[str, str]]:
    """Each fetched Release file's description of its archive."""
    names = [name for name in sorted(os.listdir(LISTS)) if name.endswith("Release")] if os.path.isdir(LISTS) else []
    return [dict(re.findall(r"^(\w+): (.*)$", read(os.path.join(LISTS, name)), re.MULTILINE)) for name in names]


def counted(policy: str, archives: list[dict[str, str]]) -> dict[str, dict[str, str]]:
    """The package files whose newer versions are fixes of this release: {as apt-cache names it: its release line}.

    Not those of another release of Debian, nor of an archive that is not installed from by itself (backports).
    """
    optional = {(one.get("Label", ""), one.get("Codename", "")) for one in archives if one.get("NotAutomatic") == "yes"}
    codename = re.search(r'^VERSION_CODENAME="?(\w+)', read(OS_RELEASE), re.MULTILINE)
    own = codename.group(1) if codename else ""
    found: dict[str, dict[str, str]] = {}
    where = ""
    for line in policy.splitlines():
        source = ARCHIVE.match(line)
        if source:
            where = source.group("where")
        elif line.startswith("     release ") and where:
            about = dict(part.partition("=")[::2] for part in line.strip()[len("release ") :].split(","))
            if about.get("a") != "now" and (about.get("l", ""), about.get("n", "")) not in optional and of(own, about):
                found[where] = about
    return found


def of(own: str, about: dict[str, str]) -> bool:
    """Is an archive one of this release, or of somebody else than Debian (whose packages were chosen)?"""
    return about.get("o") != "Debian" or not own or re.split("[-/]", about.get("n", own))[0] == own


def newer(policy: str, archives: dict[str, dict[str, str]]) -> list[dict[str, Any]]:
    """For each package the newest version above the installed one that a counted archive has.

    `policy` is what apt-cache(8) policy PACKAGE... prints: versions sorted from the highest, the installed one marked.
    """
    rows = []
    for block in re.split(r"^(?=\S+:$)", policy, flags=re.MULTILINE):
        name, _, text = block.partition(":\n")
        candidate = re.search(r"^  Candidate: (\S+)", text, re.MULTILINE)
        installed = re.search(r"^ \*\*\* (\S+)", text, re.MULTILINE)
        first = newest(text.partition("Version table:\n")[2], archives) if installed else None
        if installed and first:
            told = {"package": name.strip(), "installed": installed.group(1), "kept": ""}
            rows.append({**told, **first, "candidate": candidate.group(1) if candidate else ""})
    return rows


def newest(table: str, archives: dict[str, dict[str, str]]) -> dict[str, Any] | None:
    """The first version before the installed one that lies in a counted archive."""
    version: Any = None
    for line in table.splitlines():
        match, source = VERSION.match(line), SOURCE.match(line)
        if match and match.group("here") == "***":
            return None
        if match:
            version = match
        elif source and version and source.group("where") in archives:
            about = archives[source.group("where")]
            origin = "%s:%s" % (about.get("l", ""), "/".join(filter(None, (about.get("v", ""), about.get("a", "")))))
            return {
                "version": version.group("version"),
                "priority": int(version.group("priority")),
                "origin": origin,
                "security": "Security" in origin,
            }
    return None


def why(row: dict[str, Any], installed: dict[str, bool], explain: bool, trouble: str) -> str:
    """What keeps one fix away, in apt's terms."""
    if installed.get(row["package"]):
        return "on hold (apt-mark showhold)"
    if row["candidate"] != row["version"]:
        return "pinned to %d: apt would take %s (apt-cache policy %s)" % (
            row["priority"],
            row["candidate"],
            row["package"],
        )
    if trouble:
        return "apt-get: %s" % trouble.strip()[-200:]
    if explain:
        _, out, err = attempt([*SIMULATE, "install", "%s=%s" % (row["package"], row["version"])])
        missing = re.findall(r"^ +(\S+ : .* but .*)$", out + err, re.MULTILINE)
        if missing:
            return "kept back: %s" % "; ".join(" ".join(one.split()) for one in missing)[:200]
    return "kept back by apt (apt-get -s dist-upgrade)"


def said(argv: list[str]) -> str:
    """What a program prints.

    Raises:
        NoAnswer: it failed.
    """
    code, out, trouble = attempt(argv)
    if code:
        raise NoAnswer("%s: %s" % (" ".join(argv[:2]), trouble.strip()[-300:] or "it ended with %d" % code))
    return out


def attempt(argv: list[str]) -> tuple[int, str, str]:
    """Run a program without a shell; its exit code and what it said."""
    try:
        done = subprocess.run(argv, capture_output=True, env=ENVIRONMENT, timeout=SECONDS, check=False)
    except FileNotFoundError:
        return 127, "", "there is no program %s" % argv[0]
    except subprocess.TimeoutExpired:
        return 124, "", "%s: no end within %d seconds" % (argv[0], SECONDS)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def read(path: str) -> str:
    """The beginning of a file; "" when it is not there."""
    try:
        with open(path, errors="replace") as file:
            return file.read(20_000)
    except OSError:
        return ""
