"""A fault breaks a lab host, proves it, and touches no other host."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import pytest

from checks.framework import ROLES
from cjsm_connect.results.catalogue import load
from faults import Fault, FaultError, Patient, every_fault, inflict
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
    assert known.host in ROLES
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
