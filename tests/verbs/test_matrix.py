"""A fault counts as named only when the right requirement is accused, and alone."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from cjsm_connect.lab import healthy
from cjsm_connect.results import CjsmError
from cjsm_connect.verbs.matrix import accused, chosen, described, judged
from faults import Fault, Patient


def nothing(_: Patient) -> None:
    """Nothing happens."""


FAULT = Fault("firewall.port-23-open", "firewall", "firewall.declared", nothing, {"firewall.boot": "made by hand"})


def test_the_right_requirement_alone_is_right() -> None:
    row = judged(FAULT, {"firewall.declared"}, 12.34)
    assert (row.right, row.found, row.also_accused, row.seconds) == (True, True, (), 12.3)


def test_what_the_fault_entails_is_no_accusation() -> None:
    assert judged(FAULT, {"firewall.declared", "firewall.boot"}, 1).right


def test_another_requirement_beside_the_right_one_is_told() -> None:
    row = judged(FAULT, {"firewall.declared", "relay.queue"}, 1)
    assert not row.right
    assert "also accused: relay.queue" in described(row)


@pytest.mark.parametrize("names", [set(), {"firewall.boot"}, {"relay.queue"}])
def test_a_fault_that_nobody_names_is_missed(names: set[str]) -> None:
    row = judged(FAULT, names, 1)
    assert not row.found
    assert "MISSED" in described(row)


def test_a_fault_that_could_not_be_made_is_not_right_and_says_why() -> None:
    row = judged(FAULT, {"firewall.declared"}, 1, "relay: nft ended with 1")
    assert not row.right
    assert "nft ended with 1" in described(row)


def test_faults_are_chosen_by_the_beginning_of_their_names() -> None:
    assert {one.id.partition(".")[0] for one in chosen(("estate.", "firewall.port"))} == {"estate", "firewall"}
    with pytest.raises(CjsmError, match="lab fault --list"):
        chosen(("nonsense",))


def test_checks_that_did_not_run_accuse_nobody_in_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    def verb(*_: Any) -> subprocess.CompletedProcess[str]:
        return subprocess.CompletedProcess([], 2, "", "cjsm: no known_hosts")

    monkeypatch.setattr(healthy, "verb", verb)
    with pytest.raises(CjsmError, match="cjsm: no known_hosts"):
        accused(None)  # type: ignore[arg-type]
