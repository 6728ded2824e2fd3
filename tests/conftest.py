"""What tests share: the lab in its healthy state, and the command line on it."""

import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import nullcontext

import pytest
from xdist.remote import Producer
from xdist.scheduler import LoadScopeScheduling

from cjsm_connect.lab import Lab, healthy
from cjsm_connect.lab.machine import locked

# each worker of pytest-xdist has labs of its own: test, test-1
WORKER = os.environ.get("PYTEST_XDIST_WORKER", "")
NAME = os.environ.get("CJSM_TEST_LAB", "test") + WORKER.replace("gw0", "").replace("gw", "-")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--keep", action="store_true", help="leave the lab up, broken as it may be")


def pytest_configure(config: pytest.Config) -> None:
    if not WORKER:
        config.pluginmanager.register(FailuresAtOnce(config))


LABS_OF_THEIR_OWN = ("tests/lab/", "tests/operations/test_relays_lab.py", "tests/operations/test_existing_lab.py")


class OneWorkerForLabs(LoadScopeScheduling):
    """Each test goes to whichever worker is free. Tests that start other labs than `test` all go to one: two of them at
    once would use the same names, and more inotify instances than a machine has (inotify(7))."""

    def _split_scope(self, nodeid: str) -> str:
        return "labs" if nodeid.startswith(LABS_OF_THEIR_OWN) else nodeid


def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> OneWorkerForLabs | None:
    return OneWorkerForLabs(config, log) if config.getvalue("dist") == "loadscope" else None


class FailuresAtOnce:
    """Tells the end of each failure when it happens: a run that is cut off has then said what was wrong."""

    def __init__(self, config: pytest.Config) -> None:
        self.config = config

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        reporter = self.config.pluginmanager.getplugin("terminalreporter")
        if report.failed and reporter:
            reporter.ensure_newline()
            reporter.write_line(f"{report.when} of {report.nodeid} failed:\n{report.longreprtext[-3000:]}")


@pytest.fixture(scope="session")
def running_lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """The lab `test`, healthy. One that ran before the tests is reset, and goes on running after them.

    Of several workers the first one builds the healthy state, and the others start from it.
    """
    report = request.config.pluginmanager.getplugin("terminalreporter")
    lab = Lab(NAME, report.write_line if report else print)
    was_up = lab.running()
    with locked(tmp_path_factory.getbasetemp().parent / "healthy.lock") if WORKER else nullcontext():
        healthy.ensure(lab)
    if was_up:
        lab.reset()
    yield lab
    if request.config.getoption("--keep"):
        print(f"\nthe lab is left up: ./cjsm lab exec --lab {NAME} relay -- COMMAND")
    elif not was_up:
        lab.down()


@pytest.fixture(scope="session")
def labs_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """The worker that may start other labs than `test`. A second one fails: OneWorkerForLabs was not asked."""
    place = tmp_path_factory.getbasetemp().parent / "labs-of-its-own"
    with locked(place) if WORKER else nullcontext():
        if WORKER and place.with_suffix(".worker").exists():
            pytest.fail("two workers of pytest-xdist start labs of the same names; they belong to one")
        place.with_suffix(".worker").touch()


@pytest.fixture(scope="module")
def running_pair(request: pytest.FixtureRequest, labs_of_its_own: None) -> Iterator[Lab]:
    """A healthy lab with two relays; it is ended with the tests of the file that needs it."""
    report = request.config.pluginmanager.getplugin("terminalreporter")
    lab = Lab(f"{NAME}-pair", report.write_line if report else print)
    healthy.ensure(lab, relays=2)
    yield lab
    lab.down()


@pytest.fixture
def pair(running_pair: Lab) -> Iterator[Lab]:
    """The healthy lab with two relays; all its hosts are reset after the test, as each relay has a part in it."""
    yield running_pair
    running_pair.reset()


@pytest.fixture
def lab(request: pytest.FixtureRequest, running_lab: Lab) -> Lab:
    """The healthy lab. `@pytest.mark.touches("relay")` says which hosts a test leaves changed: they are reset first."""
    marker = request.node.get_closest_marker("touches")
    soiled = request.config.stash.setdefault(SOILED, set())
    if soiled:
        running_lab.reset(sorted(soiled))
        soiled.clear()
    if marker:
        soiled.update(marker.args)
    return running_lab


SOILED: pytest.StashKey[set[str]] = pytest.StashKey()


@pytest.fixture
def cjsm(lab: Lab) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a verb on the lab's organisation."""
    return lambda *arguments, **other: healthy.verb(lab, *arguments, **other)
