"""The check and stock testinfra are compared over the same assertions, or not at all."""

import re
import sys
from importlib import import_module
from pathlib import Path

import pytest

from checks.framework import REGISTRY, roles
from cjsm_connect.bench import checks
from cjsm_connect.results import CjsmError
from tests.made_up import organisation

STOCK = checks.STOCK.read_text()
ABOUT = re.findall(r'^@about\("([a-z.-]+)", (.*)\)$', STOCK, re.MULTILINE)
ROLES = {"*EVERY": {"relay", "mail", "firewall"}, "*MAIL": {"relay", "mail"}}


for path in (Path(__file__).parents[2] / "checks").glob("test_*.py"):
    import_module(f"checks.{path.stem}")  # each registers its checks


def said(tmp_path: Path, text: str, code: int = 0) -> list[str]:
    program = tmp_path / "program.py"
    program.write_text(f"import sys\nprint({text!r})\nsys.exit({code})\n")
    return [sys.executable, str(program)]


def test_every_test_of_the_peer_is_about_a_check_of_ours_on_hosts_of_its_roles() -> None:
    assert len(ABOUT) > 100
    for identifier, where in ABOUT:
        described = REGISTRY[identifier].check
        assert described.vantage == "host"
        assert ROLES.get(where, {where.strip('"')}) <= set(roles(described)), identifier


def test_the_peer_asks_about_each_check_once_and_imports_nothing_of_ours() -> None:
    names = [identifier for identifier, _ in ABOUT]
    assert len(names) == len(set(names)) == STOCK.count("\ndef test_")
    assert "cjsm_connect" not in re.sub(r'""".*?"""', "", STOCK, flags=re.DOTALL)


def test_assertions_are_read_from_what_pytest_collects(tmp_path: Path) -> None:
    collected = "stock.py::test_a[relay.hub-keys-relay]\nstock.py::test_b[tls.keys-private-mail]\n\n2 tests collected"
    found = checks.assertions(said(tmp_path, collected))
    assert found == {("relay.hub-keys", "relay"), ("tls.keys-private", "mail")}


def test_a_peer_that_cannot_be_read_is_no_peer(tmp_path: Path) -> None:
    with pytest.raises(CjsmError, match="could not read"):
        checks.assertions(said(tmp_path, "ERROR", 2))


@pytest.mark.parametrize(
    "row", ["relay.hub-keys relay fail", "relay.hub-keys relay not_tested", "other.check relay pass"]
)
def test_an_assertion_that_did_not_pass_in_our_run_makes_the_times_worth_nothing(tmp_path: Path, row: str) -> None:
    with pytest.raises(CjsmError, match=r"relay\.hub-keys on relay"):
        checks.equal(said(tmp_path, row), {("relay.hub-keys", "relay")})


def test_ours_may_judge_more_than_the_peer(tmp_path: Path) -> None:
    rows = "relay.hub-keys relay pass\nrelay.other relay pass\nrelay.other mail pass"
    assert checks.equal(said(tmp_path, rows), {("relay.hub-keys", "relay")}) == 2


def test_ratios_are_of_the_same_rounds() -> None:
    found = {"assertions_3": 236, "beside_testinfra_3_median_s": 2.0, "testinfra_3_median_s": 50.0}
    assert checks.ratios(found) == {"host_side_to_testinfra_3": 0.04, "times_faster_than_testinfra_3": 25.0}


def test_the_peer_shares_its_connection_or_not_and_always_pins_host_keys(tmp_path: Path) -> None:
    ground = checks.Ground(tmp_path, "none", organisation(), tmp_path)
    shared, alone = (checks.access(ground, shared=shared) for shared in (True, False))
    assert "ControlPath" in shared and "Control" not in alone and "Kex" not in alone
    assert "StrictHostKeyChecking yes" in alone


def test_the_seconds_of_observing_and_judging_are_what_our_run_says_of_itself(tmp_path: Path) -> None:
    program = tmp_path / "program.py"
    program.write_text("import sys\nprint('Warning: of something\\n1.25', file=sys.stderr)\n")
    found = checks.of_ours([sys.executable, str(program)], 3)
    assert found["observing_and_judging"] == 1.25 and found["host_side"] > 0


def test_a_lab_that_is_not_up_is_not_measured_and_one_that_is_up_is_not_made(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CjsmError, match="is not up"), checks.laboratory(checks.Options("none"), print):
        pass
    monkeypatch.setattr(checks, "is_up", lambda _: True)
    with pytest.raises(CjsmError, match="name another"), checks.laboratory(checks.Options("mine", relays=3), print):
        pass


def test_a_lab_that_is_made_for_it_is_ended_afterwards(monkeypatch: pytest.MonkeyPatch) -> None:
    happened: list[str] = []
    monkeypatch.setattr(checks, "is_up", lambda _: False)
    monkeypatch.setattr(checks.healthy, "ensure", lambda lab, relays: happened.append(f"{lab.name} with {relays}"))
    monkeypatch.setattr(checks.Lab, "down", lambda lab: happened.append("down"))
    with pytest.raises(KeyError), checks.laboratory(checks.Options("five", relays=3), print):
        raise KeyError
    assert happened == ["five with 3", "down"]
