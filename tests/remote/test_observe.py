"""The collector answers in time whatever one topic does, and reads what programs print as it is."""

from __future__ import annotations

import os
import re
import sys
import threading
import types
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import checks
from cjsm_connect.probes.arguments import UNITS
from cjsm_connect.remote import common, look
from cjsm_connect.remote.observe import host, system

SOCKETS = """\
udp   UNCONN 0      0            127.0.0.1:323       0.0.0.0:*    users:(("chronyd",pid=402,fd=5))
tcp   LISTEN 0      4096           0.0.0.0:22        0.0.0.0:*    users:(("sshd",pid=63,fd=6),("systemd",pid=1,fd=40))
tcp   LISTEN 0      100      198.51.100.10:4545      0.0.0.0:*    users:(("master",pid=700,fd=13))
tcp   LISTEN 0      128              [::1]:25           [::]:*
tcp   LISTEN 0      128                  *:80              *:*    users:(("nginx",pid=9,fd=3))
udp   UNCONN 0      0     [fe80::1]%dmz:546          [::]:*
"""


def topic(monkeypatch: pytest.MonkeyPatch, name: str, observe: Callable[[dict[str, Any]], Any]) -> None:
    module = types.ModuleType(name)
    module.observe = observe  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, host.PACKAGE + name, module)


def test_each_topic_gets_its_arguments_and_gives_its_facts(monkeypatch: pytest.MonkeyPatch) -> None:
    topic(monkeypatch, "one", lambda arguments: {"told": arguments["what"]})
    found = host.observe({"topics": {"one": {"what": 1}}, "seconds": 5})
    assert found == {"one": {"told": 1}}


def test_a_topic_that_breaks_is_an_error_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    topic(monkeypatch, "one", lambda _: 1 // 0)
    topic(monkeypatch, "two", lambda _: {"fine": True})
    found = host.observe({"topics": {"one": {}, "two": {}}, "seconds": 5})
    assert found["one"]["error"].startswith("ZeroDivisionError")
    assert found["two"] == {"fine": True}


@pytest.mark.slow
def test_a_topic_that_hangs_does_not_keep_the_others(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = threading.Event()
    topic(monkeypatch, "slow", lambda _: ended.wait(30))
    topic(monkeypatch, "fast", lambda _: {"fine": True})
    found = host.observe({"topics": {"slow": {}, "fast": {}}, "seconds": 1})
    ended.set()  # it still waited when the answer was there
    assert found == {"slow": {"error": "no answer within 1 seconds"}, "fast": {"fine": True}}


def test_listeners_are_told_apart_by_address_port_and_owner() -> None:
    rows = system.listeners(SOCKETS)
    told = [(row["protocol"], row["address"], row["port"], row["processes"]) for row in rows]
    assert told == [
        ("udp", "127.0.0.1", 323, ["chronyd"]),
        ("tcp", "0.0.0.0", 22, ["sshd", "systemd"]),
        ("tcp", "198.51.100.10", 4545, ["master"]),
        ("tcp", "::1", 25, []),
        ("tcp", "*", 80, ["nginx"]),
        ("udp", "fe80::1", 546, []),
    ]


def test_units_that_are_named_are_told_in_full_and_all_others_in_short(monkeypatch: pytest.MonkeyPatch) -> None:
    answers = {
        "list-units": "x.timer loaded active waiting a timer\nbroken.service loaded failed failed\n",
        "show": "Id=x.timer\nActiveState=active\nUnitFileState=enabled\nLastTriggerUSec=@12\n\n"
        "Id=gone.service\nActiveState=inactive\nUnitFileState=\n",
    }
    monkeypatch.setattr(system, "run", lambda argv: answers[argv[1]])
    assert system.loaded_units()["broken.service"]["ActiveState"] == "failed"
    assert system.named_units(["x.timer", "gone.service"]) == {
        "x.timer": {"ActiveState": "active", "UnitFileState": "enabled", "LastTriggerUSec": 12},
        "gone.service": {"ActiveState": "inactive", "UnitFileState": ""},
    }


def test_every_unit_that_a_check_names_is_asked_for() -> None:
    sources = "".join(path.read_text() for path in (Path(checks.__file__).parent).glob("*.py"))
    named = set(re.findall(r'"([\w@.-]+\.(?:service|timer|socket|path))"', sources))
    assert named and named <= set(UNITS)


def test_this_process_is_seen_with_its_start() -> None:
    [own] = [process for process in system.processes() if process["pid"] == os.getpid()]
    # by the kernel's own clock, which nobody can shift for a test
    booted = next(int(line.split()[1]) for line in Path("/proc/stat").read_text().splitlines() if line[:5] == "btime")
    now = booted + float(Path("/proc/uptime").read_text().split()[0])
    assert 0 < now - own["started"] < 24 * 3600
    assert common.started(str(os.getpid())) == own["started"]


def test_the_root_file_system_has_a_size_and_a_kind() -> None:
    root = system.mounts()["/"]
    assert root["point"] == "/"
    assert 0 <= root["free"] <= root["total"]


def test_the_release_is_the_one_of_os_release() -> None:
    assert system.release()["id"]


@pytest.fixture
def maps(monkeypatch: pytest.MonkeyPatch) -> dict[tuple[str, str], str]:
    """Answers of postmap by key and table; the tables are named in main.cf."""
    answers: dict[tuple[str, str], str] = {}

    def attempt(argv: list[str], **_: Any) -> tuple[int, str, str]:
        if argv[0] == "postconf":
            return 0, "lmdb:first, lmdb:second\n", ""
        found = answers.get((argv[2], argv[3]))
        return (0, f"{found}\n", "") if found else (1, "", "")

    monkeypatch.setattr(look, "attempt", attempt)
    return answers


def test_a_reading_that_fails_leaves_the_look_and_the_others_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(look, "READINGS", {"broken": lambda _: 1 // 0, "fine": lambda told: {"told": told}})
    around = [{"id": "a", "kind": "broken", "arguments": {}}, {"id": "b", "kind": "fine", "arguments": 1}]
    found = look.readings({"around": around})
    assert found["b"] == {"told": 1}
    assert found["a"]["could_not_tell"].startswith("ZeroDivisionError")


RECIPIENT = "discard@selftest.invalid"


@pytest.mark.parametrize("key", [RECIPIENT, "selftest.invalid"])
@pytest.mark.parametrize("table", ["lmdb:first", "lmdb:second"])
def test_the_discarding_route_is_found_by_address_or_domain(
    maps: dict[tuple[str, str], str], key: str, table: str
) -> None:
    maps[key, table] = "discard:self-test"
    assert look.discards(RECIPIENT)


def test_another_route_or_none_is_not_discarding(maps: dict[tuple[str, str], str]) -> None:
    assert not look.discards(RECIPIENT)
    maps["selftest.invalid", "lmdb:first"] = "cjsm:[hub.example]:4545"
    assert not look.discards(RECIPIENT)


def test_the_first_table_that_answers_decides(maps: dict[tuple[str, str], str]) -> None:
    maps["selftest.invalid", "lmdb:first"] = "smtp:[elsewhere.example]"
    maps["selftest.invalid", "lmdb:second"] = "discard:"
    assert not look.discards(RECIPIENT)


Blocks = Callable[..., None]


@pytest.fixture
def block(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Blocks:
    """Makes a block device in a sysfs of our own; "md0/md0p1" is a partition of another."""

    def device(path: str, uuid: str = "", parts: tuple[str, ...] = (), **files: str) -> None:
        real, name = tmp_path / "devices" / path, path.rpartition("/")[2]
        (real / "dm").mkdir(parents=True)
        (real / "dm/uuid").write_text(uuid)
        for part in parts:
            (real / "slaves" / part).mkdir(parents=True)
        for file, content in files.items():
            (real / file).write_text(content)
        (tmp_path / name).symlink_to(real)

    monkeypatch.setattr(system, "BLOCK", f"{tmp_path}/")
    return device


def test_encryption_is_seen_below_lvm_and_raid_and_half_of_it_is_none(block: Blocks) -> None:
    block("dm-0", "CRYPT-LUKS2-5f2a-root\n", ("sda2",))
    block("dm-1", "LVM-abc\n", ("dm-0",))
    block("md0", "", ("dm-0", "sdb1"))
    block("sdb1")
    found = {name: system.encrypted(f"/dev/{name}") for name in ("dm-0", "dm-1", "md0", "sdb1", "elsewhere")}
    assert found == {"dm-0": True, "dm-1": True, "md0": False, "sdb1": False, "elsewhere": None}
    assert system.encrypted("overlay") is None


def test_a_partition_of_a_raid_is_as_encrypted_as_the_raid(block: Blocks) -> None:
    block("dm-0", "CRYPT-LUKS2-5f2a-root\n", ("sda",))
    block("md0", "", ("dm-0",))
    block("md0/md0p1", partition="1\n")
    block("sdb")
    block("sdb/sdb1", partition="1\n")
    assert (system.encrypted("/dev/md0p1"), system.encrypted("/dev/sdb1")) == (True, False)


@pytest.mark.parametrize("kind", ["VERITY", "INTEGRITY"])
def test_what_proves_integrity_does_not_encrypt(block: Blocks, kind: str) -> None:
    block("dm-0", f"CRYPT-{kind}-5f2a-var\n", ("sda2",))
    block("sda2")
    assert system.encrypted("/dev/dm-0") is False


def test_btrfs_is_encrypted_when_all_its_devices_are(
    block: Blocks, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    block("dm-0", "CRYPT-LUKS2-5f2a-var\n")
    block("sdb")
    monkeypatch.setattr(system, "BTRFS", f"{tmp_path}/btrfs/")
    (tmp_path / "btrfs/1f2e/devices/dm-0").mkdir(parents=True)
    assert system.encrypted("/dev/dm-0", "btrfs") is True
    (tmp_path / "btrfs/1f2e/devices/sdb").mkdir()
    assert system.encrypted("/dev/dm-0", "btrfs") is False


def telling(monkeypatch: pytest.MonkeyPatch, **files: str) -> None:
    """These files of /proc say this; the names are their last parts."""
    monkeypatch.setattr(system, "read", lambda path, *_: files.get(path.rpartition("/")[2], ""))


def test_of_two_file_systems_on_one_folder_the_later_is_the_one_that_is_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = ("20 1 4095:1 / / rw - ext4 /dev/vda rw", "30 20 4095:2 / /tmp rw shared:1 - ext4 /dev/mapper/crypted rw",
            "31 30 4095:3 / /tmp rw - ext4 /dev/with\\040blank rw")  # fmt: skip
    telling(monkeypatch, mountinfo="\n".join(rows))
    assert system.mounts()["/tmp"]["device"] == "/dev/with blank"


def test_the_file_system_is_the_one_whose_device_the_kernel_names(monkeypatch: pytest.MonkeyPatch) -> None:
    number = Path("/tmp").stat().st_dev
    own = f"{os.major(number)}:{os.minor(number)}"
    rows = (f"20 1 {own} / / rw - ext4 /dev/seen rw", "31 20 4095:7 / /tmp rw - ext4 /dev/hidden rw")
    telling(monkeypatch, mountinfo="\n".join(rows))
    assert system.mounts()["/tmp"]["device"] == "/dev/seen"


def test_swap_is_told_with_what_is_below_it(block: Blocks, monkeypatch: pytest.MonkeyPatch) -> None:
    block("sda2")
    block("zram0", backing_dev="none\n")
    block("zram1", backing_dev="/dev/sda2\n")
    rows = "20 1 4095:7 / / rw - ext4 /dev/sda2 rw"
    listed = ("Filename Type Size Used Priority", *(f"/dev/{name} partition 9 0 -2" for name in ("sda2", "zram0")),
              "/dev/zram1 partition 9 0 -2", "/swap\\040file file 9 0 -2")  # fmt: skip
    real = system.read
    answers = {"swaps": "\n".join(listed), "mountinfo": rows}
    monkeypatch.setattr(system, "read", lambda path, *_: answers.get(path.rpartition("/")[2]) or real(path))
    found = {row["name"]: (row["encrypted"], row["in_memory"]) for row in system.swaps()}
    assert found == {
        "/dev/sda2": (False, False),
        "/dev/zram0": (False, True),
        "/dev/zram1": (False, False),
        "/swap file": (False, False),
    }
