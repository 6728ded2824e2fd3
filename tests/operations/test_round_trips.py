"""How many commands a host is sent, counted with pyinfra's @fake connector."""

import json
from types import SimpleNamespace

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all
from pyinfra.api.deploy import add_deploy, deploy
from pyinfra.api.operations import run_ops
from pyinfra.api.state import StateStage

from cjsm_connect import remote
from cjsm_connect.desired import Desired, File, Package, Service
from cjsm_connect.desired.snapshot import sha256
from cjsm_connect.operations.converge import Job, converge

FILE = File("/etc/x.conf", "content\n")
DESIRED = Desired((Package("x"),), files=(FILE,), services=(Service("x.service", watches=("/etc/x.conf",)),))

BARE = {
    "files": {FILE.path: {"kind": "absent"}},
    "packages": {},
    "units": {"x.service": {"load": "not-found", "active": "inactive", "enabled": "", "current": True}},
    "maps": None,
    "keys": {},
    "firewalls": {},
}
SETTLED = BARE | {
    "files": {
        FILE.path: {"kind": "file", "sha256": sha256(FILE.content), "owner": "root", "group": "root", "mode": 0o644}
    },
    "packages": {"x": "1"},
    "units": {"x.service": {"load": "loaded", "active": "active", "enabled": "enabled", "current": True}},
}
COLLECT, PACKAGES, INSTALL, ACTIVATE = (f"timeout -s KILL {seconds} " for seconds in (60, 1800, 300, 600))


def ok(value):
    return f"{remote.MARK}{json.dumps({'ok': value})}"


def applied(snapshot, **responses):
    """Run the operations against a fake host that always shows this snapshot; its commands and its host."""
    answers = {COLLECT: ok(snapshot), PACKAGES: ok({}), INSTALL: ok({}), ACTIVATE: ok({})} | responses
    data = {"fake_delay": 0, "fake_delay_jitter": 0, "fake_responses": answers}
    state = State(Inventory((["@fake/relay"], data)), Config(), check_for_changes=True)
    connect_all(state)
    state.set_stage(StateStage.Prepare)
    job = Job(SimpleNamespace(), DESIRED, {"who": "test"})
    add_deploy(state, deploy("Connection")(lambda: converge(job)))
    state.set_stage(StateStage.Execute)
    (host,) = state.inventory
    try:
        run_ops(state)
    except Exception as error:  # pyinfra raises a bare error when the only host failed
        host.connector_data["raised"] = str(error)
    return host.connector.executed_commands, host


def kinds(commands):
    names = {COLLECT: "collect", PACKAGES: "packages", INSTALL: "install", ACTIVATE: "activate"}
    return [next(name for sign, name in names.items() if sign in str(command)) for command in commands]


def test_a_host_that_is_as_wanted_is_only_looked_at():
    commands, _ = applied(SETTLED)
    assert set(kinds(commands)) == {"collect"}
    assert len(commands) <= 6


def test_a_bare_host_is_sent_at_most_eight_commands_whatever_the_number_of_files():
    commands, _ = applied(BARE)
    assert [kind for kind in kinds(commands) if kind != "collect"] == ["packages", "install", "activate"]
    assert len(commands) + 2 <= 8  # and before it the plan's snapshot, after it the confirmation


def test_only_a_stopped_service_needs_only_an_activation():
    stopped = SETTLED | {"units": {"x.service": SETTLED["units"]["x.service"] | {"active": "inactive"}}}
    commands, _ = applied(stopped)
    assert [kind for kind in kinds(commands) if kind != "collect"] == ["activate"]


@pytest.mark.parametrize(("step", "later"), [(PACKAGES, {"install", "activate"}), (INSTALL, {"activate"})])
def test_nothing_follows_a_step_that_failed(step, later):
    commands, host = applied(BARE, **{step: {"success": False, "stderr": "E: locked"}})
    assert not later & set(kinds(commands))
    assert host.connector_data["raised"]


def test_a_host_that_gives_no_snapshot_is_sent_nothing_more():
    commands, host = applied(BARE, **{COLLECT: {"success": False, "stderr": "sudo: a password is required"}})
    assert set(kinds(commands)) == {"collect"}
    assert "sudo asked for a password" in host.connector_data["cjsm"][True]["problem"]


def test_no_content_and_no_secret_is_on_a_command_line():
    commands, _ = applied(BARE)
    assert not [command for command in commands if "content" in str(command) or FILE.path in str(command)]
