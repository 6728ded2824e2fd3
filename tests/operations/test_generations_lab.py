"""On real hosts: history tells what was applied, rollback takes it back, and the second of two operators is told."""

import json
import os
import signal
import subprocess
import sys

import pytest

from cjsm_connect.lab.entry import CLONE
from cjsm_connect.operations import programs
from cjsm_connect.remote.firewall import BOOT
from tests.remote.test_firewall_lockout import run

pytestmark = pytest.mark.lab
OLD, NEW = "licensing.council.example", "parking.council.example"


@pytest.fixture
def organisation_file(lab):
    """The lab's organisation file, put back afterwards."""
    path = lab.organisation_folder / "organisation.toml"
    before = path.read_text()
    yield path
    path.write_text(before)


@pytest.fixture
def other_domain(organisation_file):
    """The organisation takes mail for another domain than before."""
    text = organisation_file.read_text()
    assert f'"{OLD}"' in text
    organisation_file.write_text(text.replace(f'"{OLD}"', f'"{NEW}"'))
    return organisation_file


def route(lab, domain):
    """Where the relay sends mail for a domain, asked of Postfix itself."""
    return lab.exec("relay", ["postmap", "-q", domain, "lmdb:/etc/cjsm/maps/transport"]).stdout.strip()


@pytest.mark.touches("relay", "mail")
def test_history_tells_an_apply_and_rollback_takes_it_back(lab, cjsm, other_domain):
    before = route(lab, OLD)
    assert before.startswith("inner:")
    newest = max(row["number"] for row in json.loads(cjsm("history", "--json").stdout)["hosts"]["relay"])
    assert cjsm("apply").returncode == 0
    assert (route(lab, OLD), route(lab, NEW)) == ("", before)
    told = cjsm("history", str(newest + 1)).stdout
    assert f"-relay_domains: {OLD} OK" in told and f"+relay_domains: {NEW} OK" in told
    done = cjsm("rollback")
    assert done.returncode == 0, done.stderr
    assert f"relay, mail are back at generation {newest}" in done.stderr
    assert (route(lab, OLD), route(lab, NEW)) == (before, "")
    assert lab.exec("relay", ["systemctl", "is-active", "postfix.service"]).stdout == "active\n"
    assert f"rollback to {newest}" in cjsm("history").stdout
    assert cjsm("status").returncode == 1, "the organisation file still says otherwise"


@pytest.mark.touches("relay")
def test_a_rollback_leaves_trust_anchors_and_keys_and_says_so(lab, cjsm):
    """Generation 1 was made before the operator had answered: its Postfix has no listener for the hub."""
    chain = lab.exec("relay", ["sha256sum", "/etc/cjsm/tls/hub.chain.pem"]).stdout
    done = cjsm("rollback", "1", "--limit", "relay", "--json")
    assert done.returncode == 0, done.stderr
    left = {row["path"] for row in json.loads(done.stdout)["left"]["relay"]}
    assert "/etc/cjsm/tls/hub.chain.pem" in left
    assert lab.exec("relay", ["sha256sum", "/etc/cjsm/tls/hub.chain.pem"]).stdout == chain
    assert ":4545" not in lab.exec("relay", ["ss", "-Hltn"]).stdout
    assert cjsm("apply").returncode == 0
    assert ":4545" in lab.exec("relay", ["ss", "-Hltn"]).stdout


def begun(lab, until):
    """An apply in a process group of its own, at the moment when it has told of a step."""
    environment = {**os.environ, "CJSM_ORG": str(lab.organisation_folder)}
    argv = [sys.executable, str(CLONE / "cli.py"), "apply"]
    process = subprocess.Popen(argv, env=environment, stderr=subprocess.PIPE, text=True, start_new_session=True)
    for line in process.stderr:
        if until in line:
            return process
    raise AssertionError(f"the apply ended with {process.wait()} before: {until}")


@pytest.mark.touches("relay", "mail")
def test_the_second_of_two_operators_is_told_who_from_where_and_since_when(lab, cjsm, other_domain):
    first = begun(lab, "Come in over new connections")
    os.killpg(first.pid, signal.SIGSTOP)
    try:
        second = cjsm("apply")
        assert second.returncode == 2
        assert "nothing was changed" in second.stderr
        assert "another apply is at work here: " in second.stderr
        assert "from 192.0.2.100, since 20" in second.stderr
    finally:
        os.killpg(first.pid, signal.SIGCONT)
    first.communicate(timeout=120)
    assert first.returncode == 0
    assert cjsm("status").returncode == 0


@pytest.mark.touches("relay", "mail")
def test_what_a_dead_controller_left_is_put_back_by_the_next_apply_which_then_converges(lab, cjsm, other_domain):
    first = begun(lab, "Come in over new connections")
    os.killpg(first.pid, signal.SIGKILL)
    first.communicate()
    lab.exec("relay", ["truncate", "--size=0", "/var/lib/cjsm/lock"])  # what its two minutes would do
    lab.exec("mail", ["truncate", "--size=0", "/var/lib/cjsm/lock"])
    done = cjsm("apply")
    assert done.returncode == 0, done.stderr
    assert route(lab, NEW).startswith("inner:")
    states = [row["state"] for row in json.loads(cjsm("history", "--json").stdout)["hosts"]["relay"]]
    assert states[:2] == ["kept", "put back"]


@pytest.mark.touches("relay")
def test_rules_that_cut_off_a_connection_that_worked_are_noticed(lab):
    """The relay's own rules, but without what lets it reach the mail server."""
    boot = lab.exec("relay", ["cat", BOOT]).stdout
    rule = next(line for line in boot.splitlines() if "daddr 192.0.2.10 tcp dport 2525 ct state new" in line)
    flow = {"name": "inner-relay-mail", "address": "192.0.2.10", "port": 2525}
    load_with_flows(lab, boot.replace(rule, ""), [flow])
    program = programs.reach(programs.Errand({}))
    program.arguments["flows"] = [flow]
    assert run(lab, "relay", program)["blocked"] == ["inner-relay-mail"]
    run(lab, "relay", programs.put_back("test"))
    assert lab.exec("relay", ["nft", "list", "chain", "inet", "cjsm", "output"]).stdout.count("2525") >= 1


def load_with_flows(lab, ruleset, flows):
    from cjsm_connect.desired import Desired, Firewall
    from cjsm_connect.desired.change import Change
    from cjsm_connect.remote.firewall import TABLE

    rules = (Firewall(TABLE, BOOT, ruleset),)
    errand = programs.Errand({"who": "test", "apply": "test"}, 60)
    program = programs.install(Change(firewalls=rules), Desired(firewalls=rules), errand)
    program.arguments["flows"] = flows
    run(lab, "relay", program)
