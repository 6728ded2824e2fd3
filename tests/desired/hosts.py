"""A made-up Desired, the snapshot of a host that has all of it, and ways in which a host drifts."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from cjsm_connect.desired import (
    Absent,
    Desired,
    Directory,
    File,
    Firewall,
    Key,
    Map,
    Package,
    Service,
    Settings,
    masked,
)
from cjsm_connect.desired.languages import POSTFIX
from cjsm_connect.desired.snapshot import map_set, sha256

FILE = File("/etc/x.conf", "a\n")
SECRET = File("/etc/password", "hunter2\n", mode=0o600, secret=True)
MAIN = File("/etc/postfix/main.cf", "# ours\nsmtpd_tls_security_level = encrypt\nrelayhost =\n")
LISTENER = POSTFIX.written("2525 inet n - y - - smtpd\n  -o a=b")
MASTER = Settings("/etc/postfix/master.cf", "master.cf", (("2525/inet", LISTENER),))
FOLDER = Directory("/etc/cjsm/tls", mode=0o700)
OLD = Absent("/etc/old")
TABLE = Map("transport", (("cjsm.net", "cjsm:[hub]"), ("council.example", "inner:[mail]")))
KEY = Key("hub", "/k", "/k.csr", "/k.chain", "relay", ("relay",), "Council", "authority", certificate="not PEM")
WALL = Firewall("inet cjsm", "/etc/nftables.d/cjsm.nft", "table inet cjsm {\n}\n")
SERVICE = Service("x.service", on_change="reload", watches=(FILE.path, "transport", "hub"))
STOPPED = Service("y.service", running=False, enabled=False)
NEVER = masked("z.service", order=50)

DESIRED = Desired(
    packages=(Package("x"),),
    directories=(FOLDER,),
    files=(FILE, SECRET, MAIN),
    absent=(OLD,),
    settings=(MASTER,),
    maps=(TABLE,),
    keys=(KEY,),
    firewalls=(WALL,),
    services=(SERVICE, STOPPED, NEVER),
)

UNIT = {"load": "loaded", "active": "active", "enabled": "enabled", "current": True}
ENTRY = {"owner": "root", "group": "root"}
MASTER_TEXT = "smtp inet n - y - - smtpd\n2525 inet n - y - - smtpd\n  -o a=b\n"


def _file(file: File) -> dict[str, Any]:
    return {"kind": "file", "sha256": sha256(file.content), "mode": file.mode, **ENTRY}


def as_wanted() -> dict[str, Any]:
    """The snapshot of a host that has everything."""
    return deepcopy(
        {
            "files": {
                FOLDER.path: {"kind": "directory", "mode": 0o700, **ENTRY},
                **{file.path: _file(file) for file in (FILE, SECRET, MAIN)},
                MASTER.path: {**_file(File(MASTER.path, MASTER_TEXT)), "content": MASTER_TEXT},
                OLD.path: {"kind": "absent"},
            },
            "packages": {"x": "1"},
            "units": {
                "x.service": UNIT,
                "y.service": UNIT | {"active": "inactive", "enabled": "disabled"},
                "z.service": UNIT | {"active": "inactive", "enabled": "masked"},
            },
            "maps": f"/var/lib/cjsm/maps/{map_set((TABLE,))}.abc",
            "keys": {KEY.path: {"exists": True, "private": True, "request": "r", "chain": KEY.certificate_digest}},
            "firewalls": {WALL.table: {"boot": sha256(WALL.ruleset), "live_is_boot": True, "enabled": True}},
            "failed": [],
            "unsettled": [],
        }
    )


# path into the snapshot, value that is not as wanted, the drift it must be told as
DRIFTS: tuple[tuple[tuple[str, ...], Any, str], ...] = (
    (("packages",), {}, "package"),
    (("files", FOLDER.path), {"kind": "absent"}, "missing-directory"),
    (("files", FOLDER.path), {"kind": "link", "mode": 0o777, **ENTRY}, "missing-directory"),
    (("files", FOLDER.path, "mode"), 0o755, "owner-or-mode"),
    (("files", FILE.path), {"kind": "absent"}, "missing-file"),
    (("files", FILE.path), {"kind": "link", "mode": 0o777, **ENTRY}, "file"),
    (("files", FILE.path, "sha256"), "other", "file"),
    (("files", FILE.path, "owner"), "nobody", "owner-or-mode"),
    (("files", SECRET.path, "sha256"), "other", "file"),
    (("files", SECRET.path, "mode"), 0o644, "owner-or-mode"),
    (("files", MAIN.path), {**_file(MAIN), "sha256": "b", "content": "relayhost = mx\nx = 1\n"}, "setting"),
    (("files", MAIN.path), {**_file(MAIN), "sha256": "b", "content": MAIN.content + "# by hand\n"}, "file"),
    (("files", MASTER.path), {**_file(MAIN), "sha256": "b", "content": "smtp inet n - y - - smtpd\n"}, "setting"),
    (("files", OLD.path), {"kind": "file", "mode": 0o644, **ENTRY}, "unwanted-file"),
    (("maps",), None, "maps"),
    (("maps",), "/var/lib/cjsm/maps/maps-other.x", "maps"),
    (("keys", KEY.path), {"exists": False, "chain": ""}, "key"),
    (("keys", KEY.path, "private"), False, "key"),
    (("keys", KEY.path, "request"), "", "key"),
    (("firewalls", WALL.table, "boot"), "", "firewall-boot"),
    (("firewalls", WALL.table, "boot"), "other", "firewall-boot"),
    (("firewalls", WALL.table, "live_is_boot"), False, "firewall-live"),
    (("firewalls", WALL.table, "enabled"), False, "firewall-disabled"),
    (("units", "x.service", "active"), "inactive", "service-stopped"),
    (("units", "x.service", "active"), "failed", "service-stopped"),
    (("units", "x.service", "enabled"), "masked", "service-masked"),
    (("units", "x.service", "enabled"), "masked-runtime", "service-masked"),
    (("units", "x.service", "enabled"), "disabled", "service-disabled"),
    (("units", "x.service", "enabled"), "", "service-disabled"),
    (("units", "x.service", "current"), False, "older-configuration"),
    (("units", "y.service", "active"), "active", "service-running"),
    (("units", "y.service", "enabled"), "enabled", "service-enabled"),
    (("units", "y.service", "active"), "failed", "service-running"),
    (("units", "z.service", "enabled"), "enabled", "service-enabled"),
    (("units", "z.service", "enabled"), "masked-runtime", "service-enabled"),
    (("units", "z.service", "enabled"), "", "service-enabled"),
    (("units", "z.service", "active"), "activating", "service-running"),
)


def drifted(snapshot: dict[str, Any], path: tuple[str, ...], value: Any) -> dict[str, Any]:
    """The same snapshot with one place changed."""
    place = snapshot
    for name in path[:-1]:
        place = place[name]
    place[path[-1]] = deepcopy(value)
    return snapshot
