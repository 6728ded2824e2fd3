"""What all concerns share: release, packages, units, listeners, processes, addresses, clock, disks, memory."""

from __future__ import annotations

import json
import os
import platform
import re
import shlex
import time
from typing import Any

from cjsm_connect.remote.common import attempt, read, run

UNIT_KINDS = "service,timer,socket,path"
BLOCK = "/sys/class/block/"
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
    _, container, _ = attempt(["systemd-detect-virt", "--container"])
    return {"release": platform.release(), "container": container.strip() or "none"}


def packages() -> dict[str, Any]:
    """Installed packages and their versions; dpkg-query(1)."""
    listed = run(["dpkg-query", "-W", "-f", "${db:Status-Abbrev}\t${Package}\t${Version}\n"])
    rows = (line.split("\t") for line in listed.splitlines())
    return {name: version for status, name, version in rows if status.startswith(("ii", "hi"))}


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
    table = [line.split() for line in read("/proc/mounts").splitlines()]
    folders = ("/", "/var", "/var/log", "/var/spool/postfix", "/var/lib/clamav", "/boot")
    return {folder: _mount(folder, table) for folder in folders if os.path.isdir(folder)}


def _mount(folder: str, table: list[list[str]]) -> dict[str, Any]:
    above = [row for row in table if (folder + "/").startswith(row[1].rstrip("/") + "/")]
    device, point, kind = max(above, key=lambda row: len(row[1]))[:3]
    state = os.statvfs(folder)
    return {
        "device": device,
        "encrypted": encrypted(device),
        "point": point,
        "kind": kind,
        "total": state.f_blocks * state.f_frsize,
        "free": state.f_bavail * state.f_frsize,
        "inodes": state.f_files,
        "free_inodes": state.f_favail,
    }


def encrypted(device: str) -> Any:
    """Is there dm-crypt below a device, also through LVM and RAID? None where it is no block device that we can see."""
    name = os.path.basename(os.path.realpath(device))
    return _crypt(name) if device.startswith("/") and os.path.isdir(BLOCK + name) else None


def _crypt(name: str) -> bool:
    """dm-crypt's own devices say so in their uuid; another is as encrypted as all that it is made of (sysfs(5))."""
    if read(BLOCK + name + "/dm/uuid").startswith("CRYPT-"):
        return True
    folder = BLOCK + name + "/slaves"
    parts = os.listdir(folder) if os.path.isdir(folder) else []
    return bool(parts) and all(_crypt(part) for part in parts)


def memory() -> dict[str, Any]:
    """Memory in bytes; proc(5), meminfo."""
    rows = dict(re.findall(r"^(\w+):\s+(\d+) kB", read("/proc/meminfo"), re.MULTILINE))
    return {"total": int(rows["MemTotal"]) * 1024, "available": int(rows["MemAvailable"]) * 1024}
