"""A program that is sent to a host brings every module that its modules import, each before it is needed."""

from __future__ import annotations

import pytest

from cjsm_connect.desired import Desired
from cjsm_connect.desired.snapshot import COLLECTOR
from cjsm_connect.operations import programs
from cjsm_connect.probes.programs import modules

PROGRAMS = {
    "collector": COLLECTOR,
    "condition": programs.condition(Desired()).modules,
    "settle": programs.settle(Desired(), 1).modules,
    "packages": (*COLLECTOR, "packages"),
    "undoer": programs.UNDOER,
    "installer": programs.INSTALLER,
    "roller": programs.ROLLER,
    "activator": programs.ACTIVATOR,
}


@pytest.mark.parametrize("name", PROGRAMS)
def test_no_module_is_missing_and_none_comes_after_what_needs_it(name: str) -> None:
    sent = PROGRAMS[name]
    for at, module in enumerate(sent):
        needed = set(modules(module)) - {module}
        assert needed <= set(sent[:at]), f"{module} imports {sorted(needed - set(sent[:at]))}"
