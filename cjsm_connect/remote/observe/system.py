"""What all concerns share: release, packages, units, listeners, processes, addresses, clock, disks, memory."""

from __future__ import annotations

import glob
import json
import os
import re
import shlex
import time
from typing import Any

from cjsm_connect.remote.common import read
from cjsm_connect.remote.once import run

UNIT_KINDS = "service,timer,socket,path"
BLOCK = "/sys/class/block/"
BTRFS = "/sys/fs/btrfs/"
# dm_uuid of what cryptsetup(8) encrypts with
CRYPTED = tuple("CRYPT-" + kind for kind in ("LUKS", "PLAIN", "LOOPAES", "TCRYPT", "BITLK", "FVAULT2"))
# where mail and its traces are, also while they are looked at (ClamAV unpacks in /tmp), and what else must not fill up
FOLDERS = (
    *("/", "/boot", "/home", "/tmp", "/var", "/var/lib/clamav", "/var/log", "/var/mail"),  # noqa: S108 - asked about
    *("/var/spool/exim4", "/var/spool/postfix"),
)
MARKER = "/etc/cjsm-lab"  # a file that only the lab's hosts have

# systemd.unit(5) and systemctl(1): what is shown of each unit that was named
UNIT_PROPERTIES = (
    "Id",
    "LoadState",
    "ActiveState",
    "SubState",
    "UnitFileState",
    "Result",
    "MainPID",
    "ConditionResult",
    "ExecMainStartTimestamp",
    "ActiveEnterTimestamp",
    "NextElapseUSecRealtime",
    "LastTriggerUSec",
)


def observe(arguments: dict[str, Any]) -> dict[str, Any]:
    """The facts of the system as a whole. `units` names those that more is told of than whether they run."""
    named = named_units(arguments["units"])
    return {
        "clock": time.time(),
        "marker": read(MARKER).strip(),
        "release": release(),
        "kernel": kernel(),
        "packages": packages(),
        "units": {**loaded_units(), **named},
        "unit_files": {name: unit["UnitFileState"] for name, unit in named.items() if unit["UnitFileState"]},
        "listeners": listeners(run(["ss", "-Hltnup"])),
        "processes": processes(),
        "addresses": addresses(),
        "mounts": mounts(),
        "swaps": swaps(),
        "memory": memory(),
    }


def release() -> dict[str, Any]:
    """os-release(5) as it is, and the point release of Debian."""
    found = {}
    for line in read("/etc/os-release").splitlines():
        name, equals, value = line.partition("=")
        if equals:
            found[name.lower()] = " ".join(shlex.split(value))
    found["debian_version"] = read("/etc/debian_version").strip()
    return found


def kernel() -> dict[str, Any]:
    """The running kernel, and the kind of container if this is one ("none" on a machine of its own)."""
    # systemd notes there what it runs in, https://systemd.io/CONTAINER_INTERFACE; systemd-detect-virt(1) reads it too
    return {"release": os.uname().release, "container": read("/run/systemd/container").strip() or "none"}


def packages() -> dict[str, Any]:
    """Installed packages and their versions; dpkg-query(1)."""
    return {name: version for status, name, version in known_packages() if status.startswith(("ii", "hi"))}


def known_packages() -> list[list[str]]:
    """What dpkg knows of each package: status (two letters: wanted, is), name, version; dpkg-query(1)."""
    listed = run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev}\t${Package}\t${Version}\n"])
    return [line.split("\t") for line in listed.splitlines()]


def loaded_units() -> dict[str, Any]:
    """Every loaded service, timer, socket and path: {id: {LoadState, ActiveState, SubState}}."""
    listing = ["systemctl", "list-units", "--all", "--no-legend", "--no-pager", "--plain", "--type=" + UNIT_KINDS]
    rows = (line.split(None, 4) for line in run(listing).splitlines())
    return {row[0]: dict(zip(("LoadState", "ActiveState", "SubState"), row[1:])) for row in rows if len(row) > 3}


def named_units(names: list[str]) -> dict[str, Any]:
    """The named units, also those that are not loaded: {id: {property: value}}; times are seconds since 1970, empty for
    never. UnitFileState ("enabled", "masked" and so on) is empty for a unit that is not installed.

    Asked by name: all properties of all units, and the state of all unit files, cost systemd half a second.
    """
    asked = ["systemctl", "show", "--timestamp=unix", "--property=" + ",".join(UNIT_PROPERTIES), "--", *names]
    found = {}
    for block in run(asked).split("\n\n"):
        unit = dict(line.split("=", 1) for line in block.splitlines() if "=" in line)
        if "Id" in unit:
            found[unit["Id"]] = {name: _seconds(value) for name, value in unit.items() if name != "Id"}
    return found


def _seconds(value: str) -> object:
    return int(value[1:]) if re.fullmatch(r"@\d+", value) else value


def listeners(text: str) -> list[dict[str, Any]]:
    """The output of `ss -Hltnup`, ss(8), as rows: protocol, address ("*" is every address), port, processes."""
    rows = []
    for line in text.splitlines():
        fields = line.split(None, 6)
        if len(fields) < 6:
            continue
        address, _, port = fields[4].rpartition(":")
        owners = re.findall(r'\("([^"]*)",pid=(\d+)', fields[6] if len(fields) > 6 else "")
        rows.append(
            {
                "protocol": fields[0],
                "address": address.partition("%")[0].strip("[]"),  # without the interface: [fe80::1]%dmz
                "port": int(port) if port.isdigit() else 0,
                "processes": sorted({name for name, _ in owners}),
            }
        )
    return rows


def processes() -> list[dict[str, Any]]:
    """Running processes with their start in seconds since 1970; proc(5)."""
    booted = float(re.findall(r"^btime (\d+)", read("/proc/stat"), re.MULTILINE)[0])
    found = (_process(pid, booted) for pid in os.listdir("/proc") if pid.isdigit())
    return [process for process in found if process]


def _process(pid: str, booted: float) -> dict[str, Any]:
    state = read("/proc/%s/stat" % pid)
    if not state:
        return {}  # it ended meanwhile
    name = state[state.index("(") + 1 : state.rindex(")")]
    ticks = int(state[state.rindex(")") :].split()[20])
    return {"pid": int(pid), "name": name, "started": booted + ticks / os.sysconf("SC_CLK_TCK")}


def addresses() -> list[dict[str, Any]]:
    """The addresses of each interface that is not the loopback; `dynamic` ones are leased; ip-address(8)."""
    found = []
    for link in json.loads(run(["ip", "-json", "address"])):
        for entry in link.get("addr_info", []):
            if link["ifname"] != "lo":
                row = {"interface": link["ifname"], "address": entry["local"], "prefix": entry["prefixlen"]}
                found.append(dict(row, scope=entry["scope"], dynamic=bool(entry.get("dynamic"))))
    return found


def mounts() -> dict[str, Any]:
    """The file systems that our folders lie on: {folder: {device, encrypted, kind, sizes in bytes}}."""
    return {folder: _mount(folder) for folder in FOLDERS if os.path.isdir(folder)}


def _mount(folder: str) -> dict[str, Any]:
    found, state = _below(folder), os.statvfs(folder)
    return {
        **found,
        "encrypted": encrypted(found["device"], found["kind"]),
        "total": state.f_blocks * state.f_frsize,
        "free": state.f_bavail * state.f_frsize,
        "inodes": state.f_files,
        "free_inodes": state.f_favail,
    }


def _below(path: str) -> dict[str, str]:
    """The mount that a path lies on: device, point, kind; proc(5), mountinfo.

    Of several the kernel's own number of the device decides, then the longest point, then the latest: it hides those
    before it. btrfs shows another number in stat than in its mount, so the number may fit none.
    """
    real = os.path.realpath(path)
    number = os.stat(real).st_dev
    rows = [row for row in _mounted() if (real + "/").startswith(row[1].rstrip("/") + "/")]
    own = [row for row in rows if row[0] == "%d:%d" % (os.major(number), os.minor(number))]
    _, point, kind, device = max(reversed(own or rows), key=lambda row: len(row[1]))
    return {"device": device, "point": point, "kind": kind}


def _mounted() -> list[tuple[str, str, str, str]]:
    """Every mount: number of its device, point, kind, source."""
    lines = [line.partition(" - ") for line in read("/proc/self/mountinfo").splitlines()]
    return [
        (before.split()[2], _plain(before.split()[4]), after.split()[0], _plain(after.split()[1]))
        for before, _, after in lines
    ]


def _plain(escaped: str) -> str:
    """A path as it is: the kernel writes blanks and backslashes as octal numbers."""
    return re.sub(r"\\([0-7]{3})", lambda found: chr(int(found.group(1), 8)), escaped)


def encrypted(device: str, kind: str = "") -> Any:
    """Is there dm-crypt below a device, also through LVM and RAID? None where it is no block device that we can see."""
    name = os.path.basename(os.path.realpath(device))
    if not device.startswith("/") or not os.path.isdir(BLOCK + name):
        return None
    return all(_crypt(part) for part in (_of_btrfs(name) if kind == "btrfs" else [name]))


def _of_btrfs(name: str) -> list[str]:
    """All devices of the btrfs file system that one of them is mounted by."""
    pools = [os.listdir(folder) for folder in glob.glob(BTRFS + "*/devices")]
    return next((pool for pool in pools if name in pool), [name])


def _crypt(name: str) -> bool:
    """dm-crypt's own devices say so in their uuid; another is as encrypted as all that it is made of (sysfs(5)).

    cryptsetup names what it makes CRYPT-KIND-..., also what only proves integrity (CRYPT-VERITY, CRYPT-INTEGRITY).
    """
    if read(BLOCK + name + "/dm/uuid").startswith(CRYPTED):
        return True
    folder = BLOCK + (_whole(name) if os.path.exists(BLOCK + name + "/partition") else name) + "/slaves"
    parts = os.listdir(folder) if os.path.isdir(folder) else []
    return bool(parts) and all(_crypt(part) for part in parts)


def _whole(partition: str) -> str:
    """The disk, or the RAID, of which this is a partition: the folder above its own (sysfs(5))."""
    return os.path.basename(os.path.dirname(os.path.realpath(BLOCK + partition)))


def swaps() -> list[dict[str, Any]]:
    """Where memory is written to when it is short; proc(5), swaps. `in_memory` is zram: it is lost with the power."""
    return [_swap(*line.split()[:2]) for line in read("/proc/swaps").splitlines()[1:]]


def _swap(escaped: str, kind: str) -> dict[str, Any]:
    name = _plain(escaped)
    if kind == "partition":
        backing = read(BLOCK + os.path.basename(name) + "/backing_dev").strip()  # zram writes back to it, if it is set
        return {"name": name, "encrypted": encrypted(name), "in_memory": backing == "none"}
    below = _below(os.path.dirname(name))
    return {"name": name, "encrypted": encrypted(below["device"], below["kind"]), "in_memory": False}


def memory() -> dict[str, Any]:
    """Memory in bytes; proc(5), meminfo."""
    rows = dict(re.findall(r"^(\w+):\s+(\d+) kB", read("/proc/meminfo"), re.MULTILINE))
    return {"total": int(rows["MemTotal"]) * 1024, "available": int(rows["MemAvailable"]) * 1024}
