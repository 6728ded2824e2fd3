"""pytest's side of the checks: `cjsm check`, and plain `pytest checks --org FOLDER [--observed FILE]`."""

from __future__ import annotations

from pathlib import Path

import pytest

from checks.framework import REGISTRY, roles
from cjsm_connect.probes.run import from_pytest
from cjsm_connect.probes.seen import Seen
from cjsm_connect.probes.session import SESSION, CheckSession, Subject
from cjsm_connect.results import Check, CjsmError, Result, Status
from cjsm_connect.results.catalogue import CatalogueError
from cjsm_connect.results.judge import Verdict

NOT_RUN = ("skip", "skipif", "xfail")
"""pytest's marks by which a check would not be judged, or its failure not be shown."""


def pytest_addoption(parser: pytest.Parser) -> None:
    group = parser.getgroup("cjsm", "CJSM checks")
    group.addoption("--org", default="", help="organisation.toml or its folder (else CJSM_ORG)")
    group.addoption("--observed", default="", help="judge a recorded observation instead of looking at hosts")
    group.addoption("--only", action="append", default=[], help="only this concern; may be given more than once")
    group.addoption("--requirement", action="append", default=[], help="only this requirement; likewise")
    group.addoption("--hub", action="store_true", help="also do handshakes with the hub")
    group.addoption("--send-test-to", default="", help="also send a message through the hub to this address")


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "check(described): a requirement, judged on each subject host")


@pytest.hookimpl(trylast=True)
def pytest_sessionstart(session: pytest.Session) -> None:
    """`cjsm check` has put its run there already; plain pytest makes one from its own options."""
    if SESSION not in session.config.stash:
        try:
            session.config.stash[SESSION] = from_pytest(session.config)
        except CjsmError as error:
            raise pytest.UsageError(str(error)) from error


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """One item for each check and subject; a combination that does not exist is not an item."""
    check = _check(metafunc.definition)
    if check is not None:
        _refuse_marks(check, metafunc.definition)
        run = metafunc.config.stash[SESSION]
        subjects = run.subjects(roles(check))
        run.expect(check, subjects)
        metafunc.parametrize("subject", subjects, ids=[subject.name for subject in subjects], indirect=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    run = config.stash[SESSION]
    unwanted = [item for item in items if (check := _check(item)) and not run.wants(check)]
    config.hook.pytest_deselected(items=unwanted)
    items[:] = [item for item in items if item not in unwanted]
    for registered in REGISTRY.values():
        code = registered.function.__code__
        if run.files.get(code.co_filename) and registered.check.id not in run.known:
            why = f"{registered.check.id} was never judged: pytest does not take {code.co_name} for a test"
            run.collection_failed(f"{Path(code.co_filename).name}::{code.co_name}", why)


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report(collector: pytest.Collector):  # type: ignore[no-untyped-def]
    report = yield
    if isinstance(collector, pytest.Module):
        collector.config.stash[SESSION].files[str(collector.path)] = report.passed
    if not report.passed:  # a file that skips itself is not read either
        collector.config.stash[SESSION].collection_failed(collector.nodeid, str(report.longrepr))
    return report


@pytest.fixture
def subject(request: pytest.FixtureRequest) -> Subject:
    chosen: Subject = request.param
    return chosen


@pytest.fixture
def seen(pytestconfig: pytest.Config, subject: Subject) -> Seen:
    return pytestconfig.stash[SESSION].seen(subject)


@pytest.fixture
def verdict() -> Verdict:
    return Verdict()


@pytest.hookimpl(tryfirst=True)
def pytest_pyfunc_call(pyfuncitem: pytest.Function) -> object:
    """Judge instead of merely call: the result is kept, then told to pytest in its own words."""
    check = _check(pyfuncitem)
    if check is None:
        return None
    given = pyfuncitem.funcargs
    run: CheckSession = pyfuncitem.config.stash[SESSION]
    found = run.judge(
        check, given["subject"], given["verdict"], lambda: pyfuncitem.obj(given["seen"], given["verdict"])
    )
    pyfuncitem.user_properties.append(("status", found.status.value))
    _tell_pytest(found)
    return True


def pytest_report_teststatus(report: pytest.TestReport) -> tuple[str, str, str] | None:
    if report.when == "call" and ("status", "warn") in report.user_properties:
        return "warned", "w", "WARN"
    return None


def _refuse_marks(check: Check, node: pytest.FunctionDefinition) -> None:
    marks = sorted({mark.name for mark in node.iter_markers()}.intersection(NOT_RUN))
    if marks:
        raise CatalogueError(
            f"{check.id} carries the mark {', '.join(marks)}: a check says verdict.not_tested(WHY) instead"
        )


def _check(node: pytest.Item | pytest.FunctionDefinition) -> Check | None:
    mark = node.get_closest_marker("check")
    return mark.args[0] if mark else None


def _tell_pytest(found: Result) -> None:
    """not_tested and waived are skips with their reason; fail and error show what was expected, seen and to do."""
    if found.status in (Status.NOT_TESTED, Status.WAIVED):
        pytest.skip(f"{found.status.value}: {found.reason}")
    if found.status in (Status.FAIL, Status.ERROR):
        pytest.fail(_told(found), pytrace=False)


def _told(found: Result) -> str:
    head = f"{found.requirement} on {found.subject}: {found.title}"
    said = {"expected": found.expected, "observed": found.observed, "remedy": found.remedy, "error": found.reason}
    return "\n".join([head, *(f"  {name + ':':<10}{text}" for name, text in said.items() if text)])
