"""The collector answers in time whatever one topic does, and reads what programs print as it is."""

from __future__ import annotations

import os
import re
import sys
import threading
import time
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
    assert 0 < time.time() - own["started"] < 24 * 3600
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


def test_encryption_is_seen_below_lvm_and_raid_and_half_of_it_is_none(tmp_path, monkeypatch):
    def device(name: str, uuid: str = "", parts: tuple[str, ...] = ()) -> None:
        (tmp_path / name / "dm").mkdir(parents=True)
        (tmp_path / name / "dm/uuid").write_text(uuid)
        for part in parts:
            (tmp_path / name / "slaves" / part).mkdir(parents=True)

    device("dm-0", "CRYPT-LUKS2-5f2a-root\n", ("sda2",))
    device("dm-1", "LVM-abc\n", ("dm-0",))
    device("md0", "", ("dm-0", "sdb1"))
    device("sdb1")
    monkeypatch.setattr(system, "BLOCK", f"{tmp_path}/")
    found = {name: system.encrypted(f"/dev/{name}") for name in ("dm-0", "dm-1", "md0", "sdb1", "elsewhere")}
    assert found == {"dm-0": True, "dm-1": True, "md0": False, "sdb1": False, "elsewhere": None}
    assert system.encrypted("overlay") is None
