"""How many commands a host is sent, counted with pyinfra's @fake connector."""

import contextlib
import json
from types import SimpleNamespace

import pytest
from pyinfra.api import Config, Inventory, State
from pyinfra.api.connect import connect_all
from pyinfra.api.deploy import add_deploy, deploy
from pyinfra.api.operations import run_ops
from pyinfra.api.state import StateStage

from cjsm_connect import remote
from cjsm_connect.desired import Desired, File, Firewall, Package, Service, closing
from cjsm_connect.desired.snapshot import sha256
from cjsm_connect.operations import converge as converge_module
from cjsm_connect.operations import ssh
from cjsm_connect.operations.converge import Job, converge
from cjsm_connect.operations.programs import Errand
from tests.made_up import organisation

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


ORGANISATION = SimpleNamespace(host=lambda name: SimpleNamespace(name=name, role="relay"))
ESTATE = organisation()
FAKED = ESTATE.model_copy(
    update={"hosts": tuple(h.model_copy(update={"name": f"@fake/{h.name}"}) for h in ESTATE.hosts)}
)


class Fresh:
    """The new connections: each program that is sent over one, and what it answers."""

    def __init__(self, monkeypatch, **answers):
        self.sent = []
        self.answers = {"reach:compared": {"blocked": []}, "activate:activate": {"done": []}} | answers
        monkeypatch.setattr(ssh, "run", self.run)

    def run(self, _organisation, _host, program_of):
        program = program_of()
        self.sent.append(program.entry)
        answer = self.answers[program.entry]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture(autouse=True)
def fresh(monkeypatch):
    monkeypatch.setattr(converge_module, "TROUBLE", {})
    return Fresh(monkeypatch)


def ok(value):
    return f"{remote.MARK}{json.dumps({'ok': value})}"


def applied(snapshot, desired=DESIRED, organisation=ORGANISATION, **responses):
    """Run the operations against a fake host that always shows this snapshot; its commands and its host."""
    answers = {
        COLLECT: ok(snapshot),
        PACKAGES: ok({"snapshot": snapshot}),
        INSTALL: ok({}),
        ACTIVATE: ok({}),
    } | responses
    data = {"fake_delay": 0, "fake_delay_jitter": 0, "fake_responses": answers}
    state = State(Inventory((["@fake/relay"], data)), Config(), check_for_changes=True)
    connect_all(state)
    state.set_stage(StateStage.Prepare)
    job = Job(organisation, desired, lambda _: Errand({"who": "test", "apply": "one"}))
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


def test_a_bare_host_is_sent_at_most_eight_commands_whatever_the_number_of_files(fresh):
    commands, _ = applied(BARE)
    assert [kind for kind in kinds(commands) if kind != "collect"] == ["packages", "install"]
    assert fresh.sent == ["reach:compared", "activate:activate"]
    assert len(commands) + len(fresh.sent) + 2 <= 8  # before and after it a snapshot of its own, for the plan


def test_a_change_is_kept_only_over_a_new_connection(fresh):
    commands, _ = applied(BARE)
    assert "activate" not in kinds(commands)


@pytest.mark.parametrize(
    ("entry", "answer", "said"),
    [
        ("reach:compared", ssh.HostError("relay: no answer within 10 s"), "no answer within 10 s"),
        ("reach:compared", {"blocked": ["inner-relay-mail to 192.0.2.10:2525"]}, "cannot now: inner-relay-mail"),
        ("activate:activate", ssh.HostError("relay: put everything back"), "not confirmed: relay: put everything back"),
        ("activate:activate", {"failed": "no banner", "restored": ["/etc/x.conf"], "problems": []}, "no banner"),
    ],
)
def test_what_does_not_work_over_a_new_connection_is_put_back_and_told(fresh, entry, answer, said):
    fresh.answers[entry] = answer
    _, host = applied(BARE)
    noted = host.connector_data["cjsm"][True]
    assert said in noted["problem"]
    assert noted["put_back"]


def test_a_host_that_cannot_be_reached_is_put_back_over_the_connection_that_is_still_open(fresh):
    fresh.answers["reach:compared"] = ssh.HostError("relay: no answer")
    commands, host = applied(BARE)
    assert kinds(commands)[-1] == "install"  # both run for at most 300 s
    assert "Everything was put back" in host.connector_data["cjsm"][True]["problem"]


def test_no_host_keeps_its_change_when_one_beside_it_could_not_take_its_files(fresh):
    """A relay with its new route beside a mail server that does not listen would make mail wait."""
    answers = {COLLECT: ok(BARE), PACKAGES: ok({"snapshot": BARE}), INSTALL: ok({})}
    refused = answers | {INSTALL: {"success": False, "stderr": "Postfix's configuration is not valid"}}
    named = [(f"@fake/{name}", {"fake_responses": said}) for name, said in (("relay", answers), ("mail", refused))]
    state = State(Inventory((named, {"fake_delay": 0, "fake_delay_jitter": 0})), Config(), check_for_changes=True)
    connect_all(state)
    state.set_stage(StateStage.Prepare)
    job = Job(ORGANISATION, DESIRED, lambda _: Errand({"who": "test", "apply": "one"}))
    add_deploy(state, deploy("Connection")(lambda: converge(job)))
    state.set_stage(StateStage.Execute)
    with contextlib.suppress(Exception):  # pyinfra raises a bare error when every host has failed
        run_ops(state)
    noted = state.inventory.get_host("@fake/relay").connector_data["cjsm"][True]
    assert "mail could not be changed" in noted["problem"] and noted["put_back"]
    assert "activate:activate" not in fresh.sent


def test_only_a_stopped_service_needs_only_an_activation():
    stopped = SETTLED | {"units": {"x.service": SETTLED["units"]["x.service"] | {"active": "inactive"}}}
    commands, _ = applied(stopped)
    assert [kind for kind in kinds(commands) if kind != "collect"] == ["activate"]


@pytest.mark.parametrize(
    ("step", "later"), [(PACKAGES, {"install", "activate:activate"}), (INSTALL, {"activate:activate"})]
)
def test_nothing_follows_a_step_that_failed(fresh, step, later):
    commands, host = applied(BARE, **{step: {"success": False, "stderr": "E: locked"}})
    assert not later & {*kinds(commands), *fresh.sent}
    assert host.connector_data["raised"]


def test_a_host_that_gives_no_snapshot_is_sent_nothing_more():
    commands, host = applied(BARE, **{COLLECT: {"success": False, "stderr": "sudo: a password is required"}})
    assert set(kinds(commands)) == {"collect"}
    assert "sudo asked for a password" in host.connector_data["cjsm"][True]["problem"]


def test_rules_that_would_cut_us_off_are_not_sent(caplog):
    """The plain entry point has no plan before it that could refuse them."""
    wall = Firewall("inet cjsm", "/etc/nftables.d/cjsm.nft", "rules")
    state = {"files": {}, "firewalls": {wall.table: {"boot": "", "live_is_boot": False, "enabled": False}}}
    elsewhere = SETTLED | state | {"access": {"from": "192.0.2.77", "port": 22, "others": []}}
    with caplog.at_level("INFO", "pyinfra"):
        commands, host = applied(elsewhere, Desired(firewalls=(wall,)), FAKED)
    assert set(kinds(commands)) == {"collect"}
    assert "found you at 192.0.2.77" in host.connector_data["cjsm"][True]["problem"]
    assert "found you at 192.0.2.77" in caplog.text


def test_rules_that_would_close_what_is_in_use_are_not_sent_by_plain_pyinfra():
    """It has no plan that somebody could have agreed to."""
    wall = Firewall("inet cjsm", "/etc/nftables.d/cjsm.nft", "rules")
    served = {"protocol": "tcp", "address": "0.0.0.0", "port": 143, "program": "dovecot"}
    used = closing.NOTHING | {"listeners": [served]}
    state = {"firewalls": {wall.table: {"boot": "", "live_is_boot": False, "enabled": False, "traffic": used}}}
    commands, host = applied(SETTLED | {"files": {}} | state, Desired(firewalls=(wall,)), FAKED)
    assert set(kinds(commands)) == {"collect"}
    assert "143/tcp" in host.connector_data["cjsm"][True]["problem"]


def test_no_content_and_no_secret_is_on_a_command_line():
    commands, _ = applied(BARE)
    assert not [command for command in commands if "content" in str(command) or FILE.path in str(command)]
