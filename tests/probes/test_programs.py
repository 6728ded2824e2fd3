"""The programs for a host are whole, fit into one command, and run anywhere Python is."""

from __future__ import annotations

import subprocess

import pytest

from cjsm_connect import remote
from cjsm_connect.probes import programs
from cjsm_connect.probes.arguments import ARGUMENTS

pytestmark = pytest.mark.slow

COLLECTOR = (*(f"observe.{topic}" for topic in ARGUMENTS), "observe.host")


def test_what_a_module_imports_comes_before_it() -> None:
    order = programs.modules("tries")
    assert order.index("common") < order.index("delivery") < order.index("tries")
    assert order.index("handshake") < order.index("smtp") < order.index("smuggling")


def test_a_module_is_sent_once() -> None:
    order = programs.modules(*COLLECTOR)
    assert len(order) == len(set(order))


@pytest.mark.parametrize("names", [COLLECTOR, ("tries",), ("look",)], ids=["collector", "tries", "look"])
def test_the_program_fits_into_one_argument_with_room_to_grow(names: tuple[str, ...]) -> None:
    line = programs.command(names, "observe.host:observe", {"padding": "x"}, 5, sudo="sudo -n -- ")
    assert len(line) < programs.LONGEST * 3 / 4


def test_a_program_that_would_not_fit_is_refused_before_it_is_sent() -> None:
    with pytest.raises(ValueError, match="too long"):
        programs.command(("look",), "look:look", {str(number): number for number in range(60_000)}, 5, sudo="")


def answer(names: tuple[str, ...], entry: str, arguments: dict[str, object]) -> object:
    line = programs.command(names, entry, arguments, 20, sudo="")
    done = subprocess.run(["sh", "-c", line], capture_output=True, text=True, check=False)
    return remote.answer(done.stdout)


def test_the_first_look_runs_as_sent() -> None:
    around = [{"id": "x", "kind": "counters", "arguments": {"table": "inet nobody-has-this"}}]
    assert answer(("look",), "look:look", {"recipient": "discard@selftest.invalid", "around": around}) == {
        "marker": "",
        "discards": False,
        "readings": {"x": {}},
        "starting": False,
    }


def test_a_topic_that_breaks_leaves_the_others_alone() -> None:
    topics = {"missing": {}, "system": {"units": ["ssh.service"]}}
    found = answer(("observe.system", "observe.host"), "observe.host:observe", {"topics": topics, "seconds": 15})
    assert isinstance(found, dict)
    assert found["missing"]["error"].startswith("KeyError")
    assert "KeyError" not in str(found["system"].get("error", ""))


def test_every_module_is_standard_library_only_so_that_the_program_starts_anywhere() -> None:
    found = answer((*COLLECTOR, "tries"), "observe.host:observe", {"topics": {}, "seconds": 1})
    assert found == {}


def test_a_program_that_hangs_is_killed_on_the_host() -> None:
    line = programs.command(("look",), "look:look", {}, 7, sudo="sudo -n -- ")
    assert line.startswith("sudo -n -- timeout -s KILL 7 python3 -I -S -c ")
