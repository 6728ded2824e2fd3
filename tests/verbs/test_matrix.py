"""A fault counts as named only when the right requirement is accused, and alone."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import cjsm_connect.lab
from cjsm_connect.lab import healthy
from cjsm_connect.results import CjsmError, Status, catalogue
from cjsm_connect.verbs import _repeated
from cjsm_connect.verbs import matrix as verb
from cjsm_connect.verbs.matrix import Accusation, Row, chosen, described, exit_code, judged, matrix_command
from faults import ORGANISATION, Fault, Patient
from tests.made_up import ROOT

WARNED = {
    "check": "logging.forwarding",
    "subject": "relay",
    "status": "warn",
    "requirement": "logging.syslog-forwarding",
}
ROW = Row("a.b", "relay", "a.b", found=True, also_accused=(), seconds=1.0)


def nothing(_: Patient) -> None:
    """Nothing happens."""


def fault(number: int = 1, host: str = "firewall") -> Fault:
    return Fault(f"firewall.number-{number}", host, "firewall.declared", nothing, {"firewall.boot": "made by hand"})


def saying(*requirements: str, status: Status = Status.FAIL) -> frozenset[Accusation]:
    return frozenset(Accusation(f"check.{name}", "firewall", status, name) for name in requirements)


class World:
    """Labs whose checks say what the test wants: `says` are the results of each run, one run after the other."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, says: Sequence[Any] = ()) -> None:
        self.done: list[str] = []
        self.says = list(says)
        monkeypatch.setattr(cjsm_connect.lab, "Lab", self.lab)
        monkeypatch.setattr(healthy, "ensure", lambda lab: None)
        monkeypatch.setattr(_repeated, "checked", self.checked)
        monkeypatch.setattr("faults.inflict", lambda fault, patient: self.done.append(f"break {fault.id}"))

    def lab(self, name: str) -> Any:
        world = self

        class Lab:
            def __init__(self) -> None:
                self.name, self.organisation_folder = name, Path("council")

            def reset(self, names: Sequence[str] = ()) -> None:
                world.done.append(" ".join(["reset", *(names or ["all"])]))

            def exec(self, *_: Any) -> None:
                raise AssertionError

            def mistake(self) -> str:
                world.done.append("copy")
                return "mistaken"

            certify = exec

        return Lab()

    def checked(self, _: str, organisation: Path) -> tuple[list[Any], int]:
        self.done.append("check" if organisation.name == "council" else f"check {organisation.name}")
        found = self.says.pop(0) if self.says else []
        if isinstance(found, str):
            raise CjsmError(found)
        return found, int(any(one["status"] != "warn" for one in found))

    def run(self, monkeypatch: pytest.MonkeyPatch, faults: list[Fault], *arguments: str) -> Any:
        monkeypatch.setattr(verb, "chosen", lambda only: faults)
        return CliRunner().invoke(matrix_command, ["--json", *arguments])


def failing(requirement: str, subject: str = "firewall", status: str = "fail") -> dict[str, str]:
    return {"check": f"check.{requirement}", "subject": subject, "status": status, "requirement": requirement}


def test_the_right_requirement_alone_is_right() -> None:
    row = judged(fault(), saying("firewall.declared"), 12.34)
    assert (row.right, row.found, row.also_accused, row.seconds) == (True, True, (), 12.3)


def test_what_the_fault_entails_is_no_accusation() -> None:
    assert judged(fault(), saying("firewall.declared", "firewall.boot"), 1).right


def test_another_requirement_beside_the_right_one_is_told() -> None:
    row = judged(fault(), saying("firewall.declared", "relay.queue"), 1)
    assert not row.right
    assert "also accused: relay.queue" in described(row)


@pytest.mark.parametrize("names", [[], ["firewall.boot"], ["relay.queue"]])
def test_a_fault_that_nobody_names_is_missed(names: list[str]) -> None:
    row = judged(fault(), saying(*names), 1)
    assert not row.found
    assert "MISSED" in described(row)


def test_a_check_that_could_not_tell_has_found_nothing_but_accuses() -> None:
    assert not judged(fault(), saying("firewall.declared", status=Status.ERROR), 1).found
    assert judged(fault(), saying("relay.queue", status=Status.ERROR), 1).also_accused == ("relay.queue",)
    assert judged(fault(), saying("firewall.declared", status=Status.WARN), 1).found


def test_a_fault_that_could_not_be_made_is_not_right_and_says_why() -> None:
    row = judged(fault(), saying("firewall.declared"), 1, "relay: nft ended with 1")
    assert not row.right
    assert "nft ended with 1" in described(row)
    assert exit_code([ROW, row]) == 2


def test_the_exit_code_tells_named_from_missed_from_unknown() -> None:
    assert exit_code([ROW]) == 0
    assert exit_code([ROW, judged(fault(), frozenset(), 1)]) == 1
    assert exit_code([ROW], stopped="the healthy lab is accused") == 2


def test_faults_are_chosen_by_the_beginning_of_their_names_and_sorted_by_host() -> None:
    found = chosen(("estate.", "firewall.p"))
    assert {one.id.partition(".")[0] for one in found} == {"estate", "firewall"}
    assert [one.host for one in found] == sorted(one.host for one in found)
    assert [one.id for one in chosen(("relay.policy-may",))] == ["relay.policy-may"]
    with pytest.raises(CjsmError, match="lab fault --list"):
        chosen(("nonsense",))


@pytest.mark.parametrize("requirement", verb.MAIL)
def test_what_the_hosts_remember_of_a_fault_is_put_back_with_it(
    monkeypatch: pytest.MonkeyPatch, requirement: str
) -> None:
    refused = Fault("tls.gone", "firewall", "tls.anchor", nothing, {requirement: "mail waits, or is refused"})
    world = World(monkeypatch, [[], [failing("tls.anchor"), failing(requirement)], [], []])
    assert world.run(monkeypatch, [refused]).exit_code == 0
    assert world.done[-2:] == ["reset firewall hub mail relay", "check"]


def test_the_requirements_by_which_that_is_seen_are_in_the_catalogue() -> None:
    assert set(verb.MAIL) <= set(catalogue.load(ROOT / "checks/requirements.toml").requirements)


def test_each_fault_starts_from_a_reset_and_its_host_is_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, [[], [failing("firewall.declared")], [failing("firewall.declared")]])
    done = world.run(monkeypatch, [fault(1), fault(2, "relay")])
    assert done.exit_code == 0
    assert world.done == [
        *("reset all", "check"),
        *("reset firewall", "break firewall.number-1", "check"),
        *("reset firewall relay", "break firewall.number-2", "check"),
        *("reset relay", "check"),
    ]


def test_the_rows_have_the_six_published_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, [[], [failing("firewall.declared"), failing("relay.queue")]])
    done = world.run(monkeypatch, [fault()])
    [row] = json.loads(done.stdout)
    assert row.pop("seconds") >= 0
    assert row == {
        "fault": "firewall.number-1",
        "host": "firewall",
        "requirement": "firewall.declared",
        "found": True,
        "also_accused": ["relay.queue"],
    }
    assert done.exit_code == 1
    assert "0 of 1 faults were named" in done.stderr


def test_what_warns_without_a_fault_is_left_out_but_not_what_fails_of_the_same_requirement(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    warned = Fault("logging.copy", "relay", WARNED["requirement"], nothing)
    world = World(monkeypatch, [[WARNED], [WARNED], [{**WARNED, "status": "fail"}]])
    rows = json.loads(world.run(monkeypatch, [warned, warned]).stdout)
    assert [row["found"] for row in rows] == [False, True]


def test_a_lab_that_is_accused_at_the_start_tries_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, [[failing("relay.queue")]])
    done = world.run(monkeypatch, [fault()])
    assert done.exit_code == 2
    assert "is accused at the start: check.relay.queue on firewall (fail)" in done.stderr
    assert not any(step.startswith("break") for step in world.done)


def test_after_every_tenth_fault_the_lab_must_be_healthy(monkeypatch: pytest.MonkeyPatch) -> None:
    ill = [[], *[[failing("firewall.declared")]] * 10, [failing("relay.queue", status="warn")]]
    world = World(monkeypatch, ill)
    done = world.run(monkeypatch, [fault(number) for number in range(20)])
    assert done.exit_code == 2
    assert "accused after firewall.number-9: check.relay.queue on firewall (warn)" in done.stderr
    assert len(json.loads(done.stdout)) == 10
    assert world.done[-3:] == ["check", "reset firewall", "check"]


def test_a_host_that_was_put_back_for_the_green_check_is_not_put_back_again(monkeypatch: pytest.MonkeyPatch) -> None:
    says = [[], *[[failing("firewall.declared")]] * 10, [], [failing("firewall.declared")]]
    world = World(monkeypatch, says)
    assert world.run(monkeypatch, [fault(number) for number in range(11)]).exit_code == 0
    assert world.done[-6:] == [
        "reset firewall",
        "check",
        "break firewall.number-10",
        "check",
        "reset firewall",
        "check",
    ]


def test_checks_that_do_not_run_are_a_problem_of_the_row_and_of_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch, [[], "cjsm: hosts are gone", [], []])
    done = world.run(monkeypatch, [fault()])
    [row] = json.loads(done.stdout)
    assert not row["found"]
    assert "hosts are gone" in done.stderr
    assert done.exit_code == 2


def test_labs_side_by_side_share_the_faults(monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(monkeypatch)
    done = world.run(monkeypatch, [fault(number) for number in range(6)], "--lab", "one", "--lab", "two")
    assert {row["fault"] for row in json.loads(done.stdout)} == {f"firewall.number-{number}" for number in range(6)}
    assert world.done.count("reset all") == 2
    assert sum(step.startswith("break") for step in world.done) == 6


def test_a_fault_of_the_organisation_file_breaks_a_copy_and_resets_no_host_but_those_broken_before(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    world = World(monkeypatch, [[], [failing("firewall.declared")], [failing("firewall.declared", "estate")], []])
    done = world.run(monkeypatch, [fault(1), fault(2, ORGANISATION)])
    assert done.exit_code == 0, done.output
    assert world.done == [
        *("reset all", "check", "reset firewall", "break firewall.number-1", "check"),
        *("reset firewall", "copy", "break firewall.number-2", "check mistaken", "check"),
    ]
