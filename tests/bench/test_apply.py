"""What the bench says follows from what it measured, and a peer that is not our equal is no figure."""

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest

from cjsm_connect.bench import apply, first, measure, peers, state
from cjsm_connect.results import CjsmError

BENCH = Path(apply.__file__).parent
STATE = {
    "packages": ["postfix"],
    "directories": [],
    "files": [{"path": "/etc/a", "source": "/src/a", "owner": "root", "group": "root", "mode": "0644"}],
    "absent": [],
    "tables": [],
    "compiled": [],
    "rules": [],
    "units": [{"unit": "x.timer", "running": True, "enabled": True}],
}


class FakeLab:
    """A host whose one file can be spoilt; `exec` answers as its programs would."""

    name = "fake"

    def __init__(self):
        self.content = "ours"
        self.resets = 0

    def exec(self, host, argv, text=None):
        if "# spoilt" in " ".join(argv):
            self.content += " spoilt"
        said = self.content if "sha256sum" in " ".join(argv) else "x"
        return SimpleNamespace(returncode=0, stdout=said, stderr="")

    def reset(self, hosts):
        self.content = "ours"
        self.resets += 1


def test_ratios_are_ours_to_each_that_was_measured_in_the_same_rounds():
    found = {
        "apply_no_op_median_s": 0.6,
        "floor_no_op_median_s": 0.3,
        "beside_peers_apply_no_op_median_s": 0.5,
        "pyinfra_no_op_median_s": 5.0,
        "ansible_no_op_median_s": 40.0,
        "first_apply_median_s": 44.0,
        "apt_median_s": 40.0,
    }
    assert apply.ratios(found) == {
        "apply_to_floor": 2.0,
        "apply_to_pyinfra": 0.1,
        "times_faster_than_pyinfra": 10.0,
        "apply_to_ansible": 0.0125,
        "times_faster_than_ansible": 80.0,
        "first_apply_to_apt": 1.1,
    }


def test_without_peers_there_are_no_ratios_to_them():
    assert apply.ratios({"apply_no_op_median_s": 1, "floor_no_op_median_s": 2}) == {"apply_to_floor": 0.5}


def test_a_peer_that_leaves_another_state_is_an_error_and_the_hosts_are_reset():
    lab = FakeLab()
    with pytest.raises(CjsmError, match="idle left another state than ours on relay"):
        peers.proved(lab, {"relay": STATE}, {"idle": ["true"]})
    assert lab.resets == 1


def test_a_peer_that_puts_right_what_was_spoilt_is_measured(monkeypatch):
    lab = FakeLab()
    monkeypatch.setattr(measure, "timed", lambda argv: setattr(lab, "content", "ours"))
    peers.proved(lab, {"relay": STATE}, {"good": ["repair"]})
    assert lab.resets == 1


def test_a_peer_that_fails_is_an_error_and_the_hosts_are_reset():
    lab = FakeLab()
    with pytest.raises(CjsmError, match="false ended with 1"):
        peers.proved(lab, {"relay": STATE}, {"broken": ["false"]})
    assert lab.resets == 1


def test_the_digest_is_of_what_the_host_itself_says():
    lab = FakeLab()
    before = state.digest(lab, "relay", STATE)
    lab.content = "other"
    assert state.digest(lab, "relay", STATE) != before


def test_ansible_has_a_fork_for_each_host_pipelining_and_strict_host_keys(tmp_path, monkeypatch):
    monkeypatch.setattr(peers, "variables", lambda organisation, host: {"ansible_host": host})
    argv = peers.ansible(
        Path("/env"), SimpleNamespace(host=lambda name: name), {"relay": STATE, "mail": STATE}, tmp_path
    )
    settings = (tmp_path / "ansible.cfg").read_text()
    assert "forks = 2" in settings
    assert "pipelining = True" in settings
    assert "host_key_checking = True" in settings
    assert json.loads((tmp_path / "hosts.json").read_text())["all"]["hosts"]["mail"]["state"] == STATE
    assert argv[-1] == str(BENCH / "playbook.json")


def test_both_peers_are_given_every_part_of_the_state():
    playbook = (BENCH / "playbook.json").read_text()
    deploy = (BENCH / "stock_pyinfra.py").read_text()
    assert json.loads(playbook)[0]["hosts"] == "all"
    for part in STATE:
        assert re.search(rf"state\.{part}\b", playbook), part
        assert f'state["{part}"]' in deploy, part


def test_ansible_is_pinned_with_hashes_and_stays_out_of_the_products_own_lock():
    pinned = [line for line in peers.LOCK.read_text().splitlines() if line and not line.startswith((" ", "#"))]
    assert any(line.startswith("ansible-core==") for line in pinned)
    assert peers.LOCK.read_text().count("--hash=sha256:") >= len(pinned)
    assert "ansible" not in (BENCH.parents[1] / "requirements.lock").read_text()


def test_the_first_apply_is_timed_to_mail_that_flows_and_settling_apart(monkeypatch, tmp_path):
    lab = SimpleNamespace(name="fake", organisation_folder=tmp_path, reset=lambda *_: None, exec=FakeLab().exec)
    (tmp_path / "certificates").mkdir()
    told = iter(
        [(42.0, {"settling_seconds": 6.0}), (50.0, {"settling_seconds": 10.0}), (44.0, {"settling_seconds": 5.0})]
    )
    monkeypatch.setattr(first.measure, "answered", lambda _: next(told))
    monkeypatch.setattr(first, "settled", lambda _: None)
    monkeypatch.setattr(first, "together", lambda _: 30.0)
    where = SimpleNamespace(hosts=(SimpleNamespace(name="relay", managed=True),))
    wanted = SimpleNamespace(keys=())
    monkeypatch.setattr(first, "keys", lambda *_: {})
    monkeypatch.setattr(first, "installation", lambda *_: [])
    monkeypatch.setattr(first, "logins", lambda *_: 0)
    monkeypatch.setattr(first, "counted", lambda *_: 0)
    found = first.measured(lab, where, lambda *_: wanted, [], rounds=3)
    assert (found["first_apply_median_s"], found["first_apply_slowest_s"], found["settling_median_s"]) == (
        39.0,
        40.0,
        6.0,
    )
