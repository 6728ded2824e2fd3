"""A fault breaks a lab host, proves it, and touches no other host."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from checks.framework import ROLES
from cjsm_connect.lab.virtual import guest
from cjsm_connect.results import CjsmError
from cjsm_connect.results.catalogue import load
from cjsm_connect.verbs.matrix import chosen
from faults import ORGANISATION, TIERS, VIRTUAL, Fault, FaultError, Patient, every_fault, inflict
from faults.virtual import SET_CLOCK
from tests.made_up import ROOT


class Host:
    """Files of a host, by path."""

    def __init__(self, **files: str) -> None:
        self.files = {f"/etc/{name.replace('_', '-')}": text for name, text in files.items()}

    def execute(self, argv: Sequence[str], text: str | None) -> subprocess.CompletedProcess[str]:
        if argv[0] == "tee":
            self.files[argv[1]] = text or ""
        found = self.files.get(argv[1])
        code, said = (1, f"{argv[0]}: {argv[1]}: No such file") if found is None else (0, "")
        return subprocess.CompletedProcess(argv, code, found or "", said)


def breaking(patient: Patient) -> None:
    """The banner is gone."""
    patient.replace("/etc/motd", "Welcome", "")
    assert "Welcome" not in patient.read("/etc/motd")


FAULT = Fault("demo.banner", "relay", "demo.banner", breaking)


def test_a_lab_host_is_broken() -> None:
    host = Host(cjsm_lab="h5\n", motd="Welcome\n")
    inflict(FAULT, Patient("relay", host.execute))
    assert host.files["/etc/motd"] == "\n"


@pytest.mark.parametrize("files", [{"motd": "Welcome"}, {"motd": "Welcome", "cjsm_lab": "\n"}])
def test_a_host_without_the_labs_marker_is_left_alone(files: dict[str, str]) -> None:
    host = Host(**files)
    with pytest.raises(FaultError, match="it is no host of a lab, and nothing was done"):
        inflict(FAULT, Patient("relay", host.execute))
    assert host.files["/etc/motd"] == "Welcome"


VIRTUAL_FAULT = Fault("demo.clock", "relay", "demo.clock", breaking, tier="vm")


@pytest.mark.parametrize("firmware", ["", "Standard PC (Q35 + ICH9, 2009)\n"])
def test_what_needs_a_kernel_of_its_own_leaves_every_other_host_alone(firmware: str) -> None:
    host = Host(cjsm_lab="h5\n", motd="Welcome\n")
    host.files["/sys/class/dmi/id/product_name"] = firmware
    with pytest.raises(FaultError, match=r"relay has none; nothing was done to it\. Next: \./cjsm test vm"):
        inflict(VIRTUAL_FAULT, Patient("relay", host.execute))
    assert host.files["/etc/motd"] == "Welcome\n"


def test_what_needs_a_kernel_of_its_own_is_made_in_the_virtual_machine() -> None:
    host = Host(cjsm_lab="vm\n", motd="Welcome\n")
    host.files["/sys/class/dmi/id/product_name"] = f"{VIRTUAL}\n"
    inflict(VIRTUAL_FAULT, Patient("relay", host.execute))
    assert host.files["/etc/motd"] == "\n"


@pytest.mark.parametrize(
    ("product", "container", "sets"),
    [
        (VIRTUAL, "none", True),
        (VIRTUAL, "systemd-nspawn", False),
        ("Standard PC (Q35 + ICH9, 2009)", "none", False),
        ("", "none", False),
    ],
)
def test_the_clock_of_no_other_machine_is_set(tmp_path: Path, product: str, container: str, sets: bool) -> None:
    said = {"cat": product, "systemd-detect-virt": container}
    for name, text in said.items():
        program(tmp_path / name, f"echo '{text}'")
    program(tmp_path / "date", f'[ "$1" = +%s ] && echo 1000 || echo "$1" > {tmp_path}/set')
    # nothing but these programs can be found: the real date(1) among those that cannot
    argv = ["/bin/sh", "-c", SET_CLOCK, "set-clock", VIRTUAL, "60"]
    done = subprocess.run(argv, check=False, env={"PATH": str(tmp_path)}, capture_output=True)
    told = tmp_path / "set"
    assert (told.read_text() if told.exists() else "") == ("--set=@1060\n" if sets else "")
    assert done.returncode == (0 if sets else 3)


def program(path: Path, line: str) -> None:
    path.write_text(f"#!/bin/sh\n{line}\n")
    path.chmod(0o755)


def test_the_virtual_machine_says_of_itself_what_faults_look_for() -> None:
    assert guest.PRODUCT == VIRTUAL


def test_the_virtual_machine_has_faults_of_clock_disks_and_kernel_and_the_matrix_leaves_them_out(
    capsys: pytest.CaptureFixture[str],
) -> None:
    virtual = {one.violates for one in every_fault().values() if one.tier == "vm"}
    assert virtual == {"estate.accurate-clock", "logging.time", "estate.encryption-at-rest", "patching.taken-up"}
    assert {one.tier for one in chosen(())} == {"lab"}
    assert "estate.clock-behind" in capsys.readouterr().err
    with pytest.raises(CjsmError, match=r"estate\.clock-behind can only be made in a virtual machine"):
        chosen(("estate.clock-behind",))


def test_a_fault_that_no_longer_fits_says_so() -> None:
    host = Host(cjsm_lab="h5", motd="Goodbye")
    with pytest.raises(FaultError, match="expected 'Welcome' in /etc/motd"):
        inflict(FAULT, Patient("relay", host.execute))


def test_a_fault_without_an_effect_says_so() -> None:
    def nothing(_: Patient) -> None:
        raise AssertionError("still there")

    host = Host(cjsm_lab="h5")
    with pytest.raises(FaultError, match=r"demo\.banner had no effect on relay: still there"):
        inflict(Fault("demo.banner", "relay", "demo.banner", nothing), Patient("relay", host.execute))


def test_a_fault_that_breaks_itself_says_so_and_ends_nothing_else() -> None:
    def broken(_: Patient) -> None:
        raise TypeError("got multiple values")

    with pytest.raises(FaultError, match=r"demo\.banner itself broke: TypeError: got multiple values"):
        inflict(Fault("demo.banner", "relay", "demo.banner", broken), Patient("relay", Host(cjsm_lab="h5").execute))


def test_a_command_that_fails_on_the_host_is_a_fault_that_was_not_made() -> None:
    with pytest.raises(FaultError, match="relay: cat /etc/missing ended with 1"):
        Patient("relay", Host().execute).read("/etc/missing")


CATALOGUE = load(ROOT / "checks/requirements.toml")


@pytest.mark.parametrize("known", every_fault().values(), ids=lambda known: known.id)
def test_every_fault_names_a_role_a_requirement_and_what_happened(known: Fault) -> None:
    assert known.host in (*ROLES, "outside", "hub", ORGANISATION)
    assert known.tier in TIERS
    assert {known.violates, *known.entails} <= set(CATALOGUE.requirements)
    assert known.story
    assert all(known.entails.values())
    assert known.violates not in known.entails


MOST_ENTAILED = 4
"""More would mean that checks repeat each other."""


@pytest.mark.parametrize("known", every_fault().values(), ids=lambda known: known.id)
def test_a_fault_entails_little_and_says_why(known: Fault) -> None:
    assert len(known.entails) <= MOST_ENTAILED
    assert all(len(reason.split()) >= 3 for reason in known.entails.values())


def test_there_are_a_hundred_faults_over_all_concerns() -> None:
    assert len(every_fault()) >= 100
    concerns = {requirement.concern for requirement in CATALOGUE.requirements.values()}
    assert {name.partition(".")[0] for name in every_fault()} >= concerns


# what no fault of the lab violates, and why it cannot
UNBREAKABLE = {
    "antivirus.memory": "a container has the memory of the machine",
    "firewall.no-bypass": "/proc/sys cannot be written in a container",
}


@pytest.mark.parametrize("identifier", sorted(CATALOGUE.requirements))
def test_each_requirement_is_violated_by_a_fault_or_says_why_the_lab_cannot(identifier: str) -> None:
    violated = {known.violates for known in every_fault().values()}
    assert (identifier in violated) != (identifier in UNBREAKABLE)
