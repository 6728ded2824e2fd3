"""What a unit of systemd says counts only as far as the process that it stands for runs."""

import os

import pytest

from cjsm_connect.remote import collect, common, health_mail

ACTIVE = "Id=postfix.service\nLoadState=loaded\nActiveState=active\nUnitFileState=enabled\n"


@pytest.fixture
def stub(monkeypatch, tmp_path):
    """A postfix.service that is active, as Debian 12's always is; returns the PID file of the master process."""
    pid_file = tmp_path / "master.pid"
    name = common.read(f"/proc/{os.getpid()}/comm").strip()
    monkeypatch.setattr(collect, "STANDS_FOR", {"postfix.service": (str(pid_file), name)})
    monkeypatch.setattr(collect, "STATE", str(tmp_path))
    monkeypatch.setattr(common, "attempt", lambda argv, text="", seconds=30: (0, ACTIVE, ""))
    return pid_file


def test_a_unit_is_active_while_the_process_runs_that_it_stands_for(stub):
    stub.write_text(f"         {os.getpid()}\n")  # as master(8) writes it
    assert collect.units({"postfix.service": []})["postfix.service"]["active"] == "active"
    health_mail.postfix_runs({})


@pytest.mark.parametrize("content", [None, "", "4194305\n", "not a number\n", "1\n"])
def test_a_stub_whose_process_is_gone_has_failed_and_is_restarted(stub, content):
    if content is not None:
        stub.write_text(content)  # 1: another program has the number by now
    assert collect.units({"postfix.service": []})["postfix.service"]["active"] == "failed"
    with pytest.raises(common.Failed, match="master process"):
        health_mail.postfix_runs({})


def test_units_that_stand_for_themselves_are_believed(stub):
    assert collect.units({"x.service": []})["x.service"]["active"] == "active"
