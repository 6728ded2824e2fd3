"""A run is complete by construction: what did not run, broke, or could not be read is in the results as an error."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from checks.framework import REGISTRY
from cjsm_connect.probes import run as module
from cjsm_connect.probes.run import Wanted, run_checks
from cjsm_connect.probes.session import CheckSession
from cjsm_connect.results import CjsmError, Run, Status
from cjsm_connect.results.catalogue import load
from tests.checks.recordings import observation
from tests.made_up import ROOT, lab_file, organisation

pytestmark = pytest.mark.slow

REQUIREMENT = """
[[requirement]]
id = "demo.answer"
concern = "demo"
title = "The answer is 42"
why = "Everything depends on it."
source = "made up"
severity = "high"
"""

ANOTHER = """
[[requirement]]
id = "other.question"
concern = "other"
title = "There is a question"
why = "An answer needs one."
source = "made up"
severity = "low"
"""

HEAD = """
from checks.framework import check
"""

CHECK = """
@check("{id}", requirement="{requirement}", role="{role}", title="A title", remedy="cjsm apply")
def test_{name}(seen, verdict):
    {body}
"""

PASSING = 'verdict(seen.fact("demo", "answer") == 42, expected="42", observed=seen.fact("demo", "answer"))'


def check(name: str, body: str = PASSING, role: str = "relay", requirement: str = "demo.answer") -> str:
    return CHECK.format(id=f"demo.{name}", name=name, body=body, role=role, requirement=requirement)


EVERYTHING = Wanted()
Runner = Callable[..., Run]
numbers = count()


@pytest.fixture
def ran(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    """Run a made-up folder of checks on a made-up observation."""
    folder = tmp_path / "checks"
    folder.mkdir()
    (folder / "conftest.py").write_text((ROOT / "checks/conftest.py").read_text())
    monkeypatch.setattr(module, "CHECKS", folder)
    known = dict(REGISTRY)

    def forget() -> None:
        REGISTRY.clear()
        REGISTRY.update(known)

    def runner(
        text: str,
        *,
        wanted: Wanted = EVERYTHING,
        more: str = "",
        ended: str = "2026-11-21T12:00:00+00:00",
        **changes: Any,
    ) -> Run:
        (folder / "requirements.toml").write_text(REQUIREMENT + more)
        for old in folder.glob("test_made_up_*.py"):
            old.unlink()
        # a name of its own: Python keeps modules by their names
        (folder / f"test_made_up_{next(numbers)}.py").write_text(HEAD + text)
        seen = observation({"host": "relay", "facts": {"demo": {"answer": 42}}, "ended": ended})
        (tmp_path / "seen.json").write_text(json.dumps(seen))
        # the lab's own accepted gap names a check that these made-up ones are not
        subject = organisation(**{"scope": [], **changes})
        forget()
        return run_checks(subject, replace(wanted, observed=tmp_path / "seen.json"))[0]

    yield runner
    forget()


def statuses(run: Run) -> dict[str, str]:
    return {f"{one.check} {one.subject}": one.status.value for one in run.results}


def test_a_check_is_judged_on_every_host_of_its_roles(ran: Runner) -> None:
    run = ran(check("answer", role="relay,mail"))
    assert statuses(run) == {"demo.answer relay": "pass", "demo.answer mail": "error"}
    assert run.exit_code == 2
    assert "mail is not in the observation" in run.results[1].reason


def test_a_check_of_the_estate_is_judged_once(ran: Runner) -> None:
    assert statuses(ran(check("answer", 'verdict(True, expected="a", observed="b")', role="estate"))) == {
        "demo.answer estate": "pass"
    }


def test_a_failure_is_a_finding_and_the_others_still_run(ran: Runner) -> None:
    run = ran(check("wrong", 'verdict(False, expected="42", observed="41")') + check("answer"))
    assert statuses(run) == {"demo.wrong relay": "fail", "demo.answer relay": "pass"}
    assert run.exit_code == 1


@pytest.mark.parametrize("body", ["pass", "1 / 0", 'seen.fact("demo", "unheard of")', "import sys; sys.exit(0)"])
def test_a_check_that_says_nothing_or_breaks_is_an_error(ran: Runner, body: str) -> None:
    run = ran(check("broken", body) + check("answer"))
    assert statuses(run)["demo.broken relay"] == "error"
    assert run.exit_code == 2


def test_a_file_that_cannot_be_read_is_an_error_and_the_rest_is_judged(ran: Runner, tmp_path: Path) -> None:
    (tmp_path / "checks/test_broken.py").write_text("def test_(:\n")
    run = ran(check("answer"))
    assert statuses(run) == {"collection.checks/test_broken.py estate": "error", "demo.answer relay": "pass"}
    assert run.exit_code == 2


def test_a_check_of_a_requirement_that_nobody_asked_for_is_an_error(ran: Runner) -> None:
    run = ran(check("lost", requirement="demo.unheard-of"))
    assert run.exit_code == 2
    assert "'demo.unheard-of' is not in checks/requirements.toml" in run.results[0].reason


def test_two_checks_of_one_name_are_an_error(ran: Runner) -> None:
    run = ran(check("answer") + check("answer").replace("def test_answer", "def test_another"))
    assert run.exit_code == 2
    assert "two checks are called 'demo.answer'" in run.results[0].reason


def without_firewall() -> list[dict[str, Any]]:
    return [host for host in lab_file()["hosts"] if host["role"] != "firewall"]


def test_a_check_that_ran_on_no_host_is_an_error_that_says_how_to_accept_it(ran: Runner) -> None:
    run = ran(check("answer", role="firewall"), hosts=without_firewall())
    assert statuses(run) == {"demo.answer firewall": "error"}
    assert "ran on no host: the organisation file has no host with the role firewall" in run.results[0].reason
    assert '[[scope]] check = "demo.answer"' in run.results[0].reason
    assert run.exit_code == 2


def test_a_check_that_ran_on_no_host_and_is_accepted_by_name_is_not_tested(ran: Runner) -> None:
    run = ran(check("answer", role="firewall"), hosts=without_firewall(), scope=[accepted("demo.answer")])
    assert statuses(run) == {"demo.answer firewall": "not_tested"}
    assert run.results[0].scoped
    assert (run.exit_code, run.complete) == (0, False)


def test_only_one_concern_can_be_asked_for_and_the_run_says_so(ran: Runner) -> None:
    text = check("answer") + check("question", requirement="other.question")
    run = ran(text, wanted=Wanted(only=("demo",)), more=ANOTHER)
    assert statuses(run) == {"demo.answer relay": "pass"}
    assert run.narrowed == ("demo.answer",)
    assert "NARROWED to concern demo: 1 of 2 requirements were judged" in run.notes[0]
    assert not run.complete


def test_one_requirement_can_be_asked_for(ran: Runner) -> None:
    text = check("answer") + check("question", requirement="other.question")
    run = ran(text, wanted=Wanted(requirement=("other.question",)), more=ANOTHER)
    assert statuses(run) == {"demo.question relay": "pass"}
    assert run.narrowed == ("other.question",)


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        (Wanted(only=("zzz",)), "no such concern; there are: demo, other"),
        (Wanted(requirement=("demo.anwser",)), "no such requirement; did you mean demo.answer"),
        (Wanted(only=("other",), requirement=("demo.answer",)), "together leave nothing"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(ran: Runner, wanted: Wanted, said: str) -> None:
    with pytest.raises(CjsmError, match=said):
        ran(check("answer"), wanted=wanted, more=ANOTHER)


def test_a_requirement_without_a_check_is_an_error_so_that_totals_add_up_to_the_catalogue(ran: Runner) -> None:
    run = ran(check("answer"), more=ANOTHER)
    assert statuses(run) == {"demo.answer relay": "pass", "no-check.other.question estate": "error"}
    assert {one.requirement for one in run.results} == {"demo.answer", "other.question"}


@pytest.mark.parametrize("mark", ["skip", 'skipif(True, reason="x")', "xfail", "xfail(strict=True)"])
def test_a_mark_cannot_take_a_check_out(ran: Runner, mark: str) -> None:
    wrong = check("wrong", 'verdict(False, expected="42", observed="41")')
    run = ran(f"import pytest\n{check('answer')}\n@pytest.mark.{mark}{wrong}")
    assert {one.status for one in run.results} == {Status.ERROR}
    assert "demo.wrong carries the mark" in run.results[0].reason
    assert run.exit_code == 2


@pytest.mark.parametrize(
    "body",
    [
        'import pytest; pytest.skip("later")',
        'import pytest; pytest.xfail("known")',
        'import pytest; pytest.exit("enough", returncode=0)',
        "raise SystemExit(0)",
    ],
)
@pytest.mark.parametrize("first", ["", 'verdict(True, expected="a", observed="a"); '])
def test_a_check_that_leaves_by_another_door_is_an_error_and_the_others_are_judged(
    ran: Runner, body: str, first: str
) -> None:
    run = ran(check("gone", first + body) + check("answer"))
    assert statuses(run) == {"demo.gone relay": "error", "demo.answer relay": "pass"}
    assert "the check itself broke" in next(one.reason for one in run.results if one.check == "demo.gone")
    assert run.exit_code == 2


@pytest.mark.parametrize(
    "options", ["-k nothing_of_the_kind", "-m lab", "--collect-only", "--ignore-glob=/*made_up*", "--deselect=checks"]
)
def test_options_from_the_environment_take_no_check_away(
    ran: Runner, monkeypatch: pytest.MonkeyPatch, options: str
) -> None:
    monkeypatch.setenv("PYTEST_ADDOPTS", options)
    assert statuses(ran(check("answer"))) == {"demo.answer relay": "pass"}


@pytest.mark.parametrize("option", ["-knothing_of_the_kind", "-mlab", "--collect-only"])
def test_checks_that_pytest_deselects_are_errors(ran: Runner, monkeypatch: pytest.MonkeyPatch, option: str) -> None:
    monkeypatch.setattr(module, "_ARGUMENTS", (*module._ARGUMENTS, option))
    run = ran(check("answer"))
    assert statuses(run) == {"demo.answer relay": "error"}
    assert run.results[0].reason == "the check did not run"


def test_a_file_that_pytest_does_not_look_at_is_an_error(
    ran: Runner, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(module, "_ARGUMENTS", (*module._ARGUMENTS, f"--ignore-glob={tmp_path}/checks/*made_up*"))
    run = ran(check("answer"))
    assert {one.status for one in run.results} == {Status.ERROR}
    assert "pytest did not look at this file of checks" in run.results[0].reason


def test_a_file_that_skips_itself_is_an_error_even_if_another_has_a_check_of_the_same_requirement(
    ran: Runner, tmp_path: Path
) -> None:
    skips = 'import pytest; pytest.skip("not today", allow_module_level=True)\n'
    (tmp_path / "checks/test_skips_itself.py").write_text(skips + HEAD + check("second"))
    run = ran(check("answer"))
    assert statuses(run) == {"collection.checks/test_skips_itself.py estate": "error", "demo.answer relay": "pass"}
    assert run.exit_code == 2


def test_a_check_whose_function_pytest_takes_for_no_test_is_an_error(ran: Runner) -> None:
    run = ran(check("answer") + check("second").replace("def test_second", "def second"))
    assert "demo.second was never judged: pytest does not take second for a test" in run.results[0].reason
    assert run.exit_code == 2


class BreaksEachItem(module._Hand):
    def pytest_runtest_protocol(self) -> None:
        raise RuntimeError("plug-in")


class BreaksTheLoop(module._Hand):
    def pytest_runtestloop(self) -> None:
        raise RuntimeError("plug-in")


class EndsQuietly(module._Hand):
    def pytest_runtestloop(self) -> None:
        pytest.exit("enough", returncode=0)


@pytest.mark.parametrize("plug_in", [BreaksEachItem, BreaksTheLoop, EndsQuietly])
def test_a_plug_in_that_breaks_makes_everything_an_error(
    ran: Runner, monkeypatch: pytest.MonkeyPatch, plug_in: type
) -> None:
    monkeypatch.setattr(module, "_Hand", plug_in)
    run = ran(check("answer") + check("second"))
    assert {one.status for one in run.results} == {Status.ERROR}
    assert {"demo.answer relay", "demo.second relay"} <= statuses(run).keys()
    assert run.exit_code == 2


def test_a_judgement_that_breaks_leaves_an_error(ran: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise RuntimeError("not the check's own mistake")

    monkeypatch.setattr(CheckSession, "judge", broken)
    run = ran(check("answer") + check("second"))
    assert {one.reason for one in run.results} == {"the check did not run"}
    assert run.exit_code == 2


def test_a_run_without_any_result_is_no_success() -> None:
    nothing = Run((), "2026-11-21T12:00:00+00:00", "2026-11-21T12:00:00+00:00", "Exampleshire", "d", "0", "c")
    assert nothing.exit_code == 2
    assert not nothing.complete


def test_a_waiver_waives_and_is_not_a_pass(ran: Runner) -> None:
    run = ran(check("wrong", 'verdict(False, expected="42", observed="41")'), waivers=[waiver("demo.answer")])
    assert statuses(run) == {"demo.wrong relay": "waived"}
    assert run.exit_code == 0
    assert run.totals()["pass"] == 0


def test_a_waiver_that_has_expired_since_waives_nothing_and_is_a_finding(ran: Runner) -> None:
    text = check("wrong", 'verdict(False, expected="42", observed="41")')
    run = ran(text, waivers=[waiver("demo.answer")], ended="2027-06-01T12:00:00+00:00")
    assert statuses(run) == {"waiver.demo.answer estate": "fail", "demo.wrong relay": "fail"}
    assert [(one.state, one.covers) for one in run.waivers] == [("it expired at the end of 2027-05-01 (UTC)", 0)]


def test_a_waiver_ends_with_its_last_day_in_utc(ran: Runner) -> None:
    text = check("wrong", 'verdict(False, expected="42", observed="41")')
    last = ran(text, waivers=[waiver("demo.answer")], ended="2027-05-02T00:59:59+01:00")
    assert statuses(last) == {"demo.wrong relay": "waived"}
    after = ran(text, waivers=[waiver("demo.answer")], ended="2027-05-02T00:00:00+00:00")
    assert statuses(after)["demo.wrong relay"] == "fail"


def test_a_waiver_that_has_not_begun_waives_nothing_and_is_a_finding(ran: Runner) -> None:
    run = ran(check("answer"), waivers=[waiver("demo.answer")], ended="2026-10-31T12:00:00+00:00")
    assert statuses(run) == {"waiver.demo.answer estate": "fail", "demo.answer relay": "pass"}
    assert run.exit_code == 1


def test_a_waiver_never_hides_an_error(ran: Runner) -> None:
    run = ran(check("broken", "1 / 0"), waivers=[waiver("demo.answer")])
    assert statuses(run) == {"demo.broken relay": "error"}
    assert run.exit_code == 2


def test_a_waiver_of_an_unknown_requirement_is_a_finding(ran: Runner) -> None:
    run = ran(check("answer"), waivers=[waiver("demo.unheard-of")])
    assert statuses(run)["waiver.demo.unheard-of estate"] == "fail"
    assert run.exit_code == 1


def test_a_narrowed_run_judges_the_waivers_of_what_it_looks_at(ran: Runner) -> None:
    text = check("answer") + check("question", requirement="other.question")
    over = {"waivers": [waiver("demo.answer")], "ended": "2027-06-01T12:00:00+00:00", "more": ANOTHER}
    assert "waiver.demo.answer estate" in statuses(ran(text, wanted=Wanted(only=("demo",)), **over))
    assert "waiver.demo.answer estate" not in statuses(ran(text, wanted=Wanted(only=("other",)), **over))


def test_not_tested_counts_unless_it_is_accepted_by_name(ran: Runner) -> None:
    text = check("answer", 'verdict.not_tested("no vantage")')
    assert ran(text).exit_code == 1
    run = ran(text, scope=[accepted("demo.answer")])
    assert run.exit_code == 0
    assert not run.complete


def accepted(name: str) -> dict[str, Any]:
    return {"check": name, "reason": "none there", "owner": "Chris", "date": date.fromisoformat("2026-11-01")}


def test_totals_add_up_to_the_number_of_results(ran: Runner) -> None:
    run = ran(
        check("one", role="relay,mail,firewall") + check("two", 'verdict.not_tested("x")') + check("three", "pass")
    )
    assert sum(run.totals().values()) == len(run.results) == 5


def test_the_run_knows_what_it_judged_and_with_what(ran: Runner) -> None:
    run = ran(check("answer"))
    assert run.organisation == "Exampleshire Council"
    assert run.organisation_digest == organisation(scope=[]).digest
    assert run.catalogue_version == load(module.CHECKS / "requirements.toml").version
    assert run.notes == ("judged from the recording seen.json",)


def test_every_check_we_ship_is_in_a_run_even_when_no_host_answers(tmp_path: Path) -> None:
    unreachable = {name: {"facts": {}, "unreachable": "down"} for name in ("relay", "mail", "firewall")}
    (tmp_path / "seen.json").write_text(json.dumps(observation({"hosts": unreachable})))
    run, _ = run_checks(organisation(), Wanted(observed=tmp_path / "seen.json"))
    assert {one.check for one in run.results} == set(REGISTRY)
    declared = [one for one in run.results if one.vantage == "declaration"]
    assert all(one.status is Status.ERROR for one in run.results if one not in declared)


def test_a_check_process_never_loads_pyinfra_or_gevent(tmp_path: Path) -> None:
    (tmp_path / "seen.json").write_text(json.dumps(observation({})))
    program = (
        "import sys; from pathlib import Path; from tests.made_up import organisation;"
        "from cjsm_connect.probes.run import Wanted, run_checks;"
        f"run_checks(organisation(), Wanted(observed=Path({str(tmp_path / 'seen.json')!r})));"
        "print([name for name in sys.modules if name.split('.')[0] in ('gevent', 'pyinfra')])"
    )
    done = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def waiver(requirement: str) -> dict[str, Any]:
    said = {"requirement": requirement, "reason": "later", "approver": "Robin", "risk": "small"}
    return {**said, "start": date.fromisoformat("2026-11-01"), "expiry": date.fromisoformat("2027-05-01")}


def test_the_checks_are_read_while_the_hosts_are_asked(ran: Runner, monkeypatch: pytest.MonkeyPatch) -> None:
    read = threading.Event()
    told = observation({"host": "relay", "facts": {"demo": {"answer": 42}}, "ended": "2026-11-21T12:00:00+00:00"})

    def gather(*_: Any) -> dict[str, Any]:
        assert read.wait(10), "pytest had not read the checks"
        return told

    monkeypatch.setattr(module, "gather", gather)
    monkeypatch.setitem(globals(), "READ", read)
    text = f"from {__name__} import READ\nREAD.set()\n" + check("answer")
    ran(text)  # from a recording, which leaves the file of checks in its folder
    read.clear()
    del REGISTRY["demo.answer"]
    next(module.CHECKS.glob("test_made_up_*.py")).rename(module.CHECKS / f"test_made_up_{next(numbers)}.py")
    run, _ = run_checks(organisation(scope=[]))
    assert statuses(run) == {"demo.answer relay": "pass"}


def test_what_keeps_hosts_from_being_asked_is_said_and_nothing_is_judged(monkeypatch: pytest.MonkeyPatch) -> None:
    def gather(*_: Any) -> dict[str, Any]:
        raise CjsmError("no known_hosts beside organisation.toml")

    monkeypatch.setattr(module, "gather", gather)
    monkeypatch.setattr(CheckSession, "judge", lambda *_: pytest.fail("something was judged"))
    with pytest.raises(CjsmError, match="no known_hosts"):
        run_checks(organisation())
