"""The inventories that ship: both load, and pyinfra itself can use them from any directory."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cjsm_connect.organisation import load
from cjsm_connect.organisation.inventory import data, hosts
from tests.made_up import ROOT, lab_file, organisation

pytestmark = pytest.mark.slow

EXAMPLE = ROOT / "inventories/example"


def pyinfra(inventory: Path, folder: Path) -> subprocess.CompletedProcess[str]:
    program = Path(sys.executable).with_name("pyinfra")
    argv = [program, "--json", inventory, "debug-inventory"]
    return subprocess.run(argv, cwd=folder, capture_output=True, text=True, check=False)


def test_the_example_has_no_mistake() -> None:
    assert load(EXAMPLE).slug == "example-borough-council"


def test_the_lab_file_has_no_mistake() -> None:
    assert load(ROOT / "inventories/lab", require_files=False).slug == "exampleshire-council"


def test_the_inventories_are_the_same_ten_lines() -> None:
    texts = {(ROOT / "inventories" / name / "inventory.py").read_text() for name in ("lab", "example")}
    assert len(texts) == 1
    assert len(texts.pop().splitlines()) <= 11


def test_pyinfra_reads_the_example_from_another_directory(tmp_path: Path) -> None:
    done = pyinfra(EXAMPLE / "inventory.py", tmp_path)
    assert done.returncode == 0, done.stderr
    found = {host["name"]: host for host in json.loads(done.stdout)}
    assert set(found) == {"relay", "mail"}
    assert found["relay"]["data"]["ssh_hostname"] == "198.51.100.10"


def test_pyinfra_shows_the_problems_and_no_traceback(tmp_path: Path) -> None:
    (tmp_path / "inventories/council").mkdir(parents=True)
    (tmp_path / "cjsm_connect").symlink_to(ROOT / "cjsm_connect")
    copy = tmp_path / "inventories/council/inventory.py"
    copy.write_text((EXAMPLE / "inventory.py").read_text())
    done = pyinfra(copy, tmp_path)
    assert done.returncode == 2
    assert "organisation.toml" in done.stderr
    assert "Traceback" not in done.stderr + done.stdout


def test_pyinfra_shows_an_inventory_without_its_secrets(tmp_path: Path) -> None:
    folder = Path(shutil.copytree(EXAMPLE, tmp_path / "inventories/council"))
    (tmp_path / "cjsm_connect").symlink_to(ROOT / "cjsm_connect")
    file = folder / "organisation.toml"
    (folder / "sudo").write_text("correct horse")
    sudo = 'sudo = "password", sudo_password_ref = "file:sudo"'
    file.write_text(file.read_text().replace('sudo = "passwordless"', sudo))
    done = pyinfra(folder / "inventory.py", tmp_path)
    assert done.returncode == 0, done.stderr
    assert "correct horse" not in done.stdout + done.stderr


def test_hosts_are_grouped_by_role() -> None:
    groups = hosts(organisation())
    assert {role: [name for name, _ in members] for role, members in groups.items()} == {
        "firewall": ["firewall"],
        "relay": ["relay"],
        "mail": ["mail"],
    }


def test_host_keys_are_strict_and_pinned_and_sha1_is_off() -> None:
    made = organisation()
    found = data(made, made.host("relay"))
    assert found["ssh_strict_host_key_checking"] == "yes"
    assert found["ssh_known_hosts_file"] == "/organisation/known_hosts"
    disabled = found["ssh_paramiko_connect_kwargs"]["disabled_algorithms"]
    assert "ssh-rsa" in disabled["keys"]
    assert all("sha1" in name for name in disabled["kex"])


def test_the_key_file_is_used_and_no_other_key_is_tried() -> None:
    made = organisation()
    found = data(made, made.host("mail"))
    assert found["ssh_key"] == "/organisation/ssh/id_ed25519"
    assert found["ssh_allow_agent"] is False
    assert found["ssh_look_for_keys"] is False
    assert "ssh_config_file" not in found


def test_a_sudo_password_comes_from_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SUDO_PASSWORD", "correct horse")
    ssh = {"user": "operator", "agent": True, "sudo": "password", "sudo_password_ref": "env:SUDO_PASSWORD"}
    machines = [{**host, "ssh": ssh} for host in lab_file()["hosts"]]
    made = organisation(hosts=machines)
    found = data(made, made.host("relay"))
    assert (found["_sudo"], found["_sudo_password"]) == (True, "correct horse")


def test_a_host_past_its_support_is_not_in_the_inventory() -> None:
    machines = lab_file()["hosts"]
    machines[2]["release"] = "bullseye"
    assert "mail" not in hosts(organisation(hosts=machines))
