"""Run the checks: gather one observation, judge it with pytest in this process, and return everything as one Run.

pytest is imported, and reads the checks, while the hosts are being asked: that is half of what it costs.
"""

from __future__ import annotations

import contextlib
import difflib
import io
import os
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cjsm_connect import __version__
from cjsm_connect.organisation import Organisation, load
from cjsm_connect.probes import recording
from cjsm_connect.probes.gather import Options, Talk, gather
from cjsm_connect.results import CjsmError, Run
from cjsm_connect.results import catalogue as catalogues
from cjsm_connect.results.catalogue import Catalogue
from cjsm_connect.results.judge import Verdict
from cjsm_connect.rooms import ROOT

if TYPE_CHECKING:
    import pytest

    from cjsm_connect.probes.session import CheckSession

Observation = dict[str, Any]
CHECKS = ROOT / "checks"


@dataclass(frozen=True)
class Wanted:
    """What the person asked for: how far to go, which requirements, and where a recording is kept or read."""

    options: Options = field(default_factory=Options)
    only: tuple[str, ...] = ()  # concerns; empty for all
    requirement: tuple[str, ...] = ()  # requirements by id; empty for all
    observed: Path | None = None
    record: Path | None = None
    say: Talk = field(default=lambda text: None)  # where progress is told


def run_checks(organisation: Organisation, wanted: Wanted = Wanted()) -> tuple[Run, dict[str, Any]]:
    """Run all checks (or those that were asked for) and return the results with the observation that they judged.

    Raises:
        CjsmError: it cannot begin: a recording that is none, permission that is not declared, an unknown name.
    """
    catalogue = catalogues.load(CHECKS / "requirements.toml")
    narrowed = narrowing(catalogue, wanted.only, wanted.requirement)
    with _observing(organisation, wanted) as observed:
        session = _session(organisation, catalogue, narrowed, observed)
        _judge(session)
        observation = session.observation
    if wanted.record:
        recording.write(wanted.record, observation)
    return _run(session, wanted), observation


@contextlib.contextmanager
def _observing(organisation: Organisation, wanted: Wanted) -> Iterator[Callable[[], Observation]]:
    """What waits for the observation. Live hosts are asked from now on; a recording is read when it is wanted."""
    if wanted.observed:
        yield partial(recording.read, wanted.observed)
        return
    with ThreadPoolExecutor(1) as pool:
        options = replace(wanted.options, texts=wanted.options.texts or wanted.record is not None)
        yield pool.submit(gather, organisation, options, wanted.say).result


def from_pytest(config: pytest.Config) -> CheckSession:
    """The run that plain `pytest checks` was asked for.

    Raises:
        CjsmError: no organisation was named, or its file has mistakes.
    """
    place = config.getoption("--org") or os.environ.get("CJSM_ORG", "")
    if not place:
        raise CjsmError("no organisation: give --org FOLDER, or set CJSM_ORG to the folder of an organisation.toml")
    options = Options(config.getoption("--hub"), config.getoption("--send-test-to"))
    observed = config.getoption("--observed")
    only, requirement = tuple(config.getoption("--only")), tuple(config.getoption("--requirement"))
    wanted = Wanted(options, only, requirement, Path(observed) if observed else None)
    organisation, catalogue = load(Path(place)), catalogues.load(CHECKS / "requirements.toml")
    narrowed = narrowing(catalogue, wanted.only, wanted.requirement)
    if wanted.observed:
        return _session(organisation, catalogue, narrowed, partial(recording.read, wanted.observed))
    return _session(organisation, catalogue, narrowed, partial(gather, organisation, wanted.options))


def _session(
    organisation: Organisation, catalogue: Catalogue, narrowed: tuple[str, ...], observe: Callable[[], Observation]
) -> CheckSession:
    from cjsm_connect.probes.session import CheckSession

    return CheckSession(organisation, catalogue, observe, narrowed)


def narrowing(catalogue: Catalogue, only: Collection[str], requirement: Collection[str]) -> tuple[str, ...]:
    """The requirements of those concerns (if any are named) that are among these (if any are named); empty: all.

    Raises:
        CjsmError: a name is unknown, or nothing is left.
    """
    rows = catalogue.requirements.values()
    _known("--only", only, {row.concern for row in rows})
    _known("--requirement", requirement, {row.id for row in rows})
    if not only and not requirement:
        return ()
    left = [row.id for row in rows if (not only or row.concern in only) and (not requirement or row.id in requirement)]
    if not left:
        raise CjsmError("--only and --requirement together leave nothing: expected a requirement of a concern named")
    return tuple(left)


def _known(option: str, names: Collection[str], known: Collection[str]) -> None:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=5)
            said = f"did you mean {' or '.join(near)}?" if near else f"there are: {', '.join(sorted(known))}"
            raise CjsmError(f"{option} {name}: no such {option.lstrip('-').replace('only', 'concern')}; {said}")


class _Hand:
    """Hands the run to pytest's configuration, where checks/conftest.py finds it."""

    def __init__(self, session: CheckSession) -> None:
        self.session = session

    def pytest_configure(self, config: pytest.Config) -> None:
        from cjsm_connect.probes.session import SESSION

        config.stash[SESSION] = self.session

    def pytest_runtestloop(self) -> bool | None:
        """Wait for the observation. Without one nothing is judged: `run_checks` asks for it again, and says why."""
        try:
            self.session.observation  # noqa: B018
        except Exception:
            return True
        return None

    def pytest_runtest_protocol(self, item: pytest.Item) -> bool | None:
        """Judge a check without fixtures and reports, which nobody reads here and cost more than the judging.

        Plain `pytest checks` goes the long way, to the same function. What breaks leaves no result, which is an error.
        """
        mark, function = item.get_closest_marker("check"), getattr(item, "obj", None)
        if mark is None or function is None or _parameters(function) != ("seen", "verdict"):
            return None
        subject = item.callspec.params["subject"]  # type: ignore[attr-defined]
        with contextlib.suppress(Exception):
            seen, verdict = self.session.seen(subject), Verdict()
            self.session.judge(mark.args[0], subject, verdict, lambda: function(seen, verdict))
        return True


def _parameters(function: Callable[..., Any]) -> tuple[str, ...]:
    return function.__code__.co_varnames[: function.__code__.co_argcount]


_HANDS_OFF = ("PYTEST_ADDOPTS", "PYTEST_PLUGINS", "PYTEST_DISABLE_PLUGIN_AUTOLOAD")

# the terminal reporter would write to our stdout; the others watch each check and cost as much as the judging itself
_WITHOUT = (
    *("terminal", "cacheprovider", "logging", "warnings", "unraisableexception", "threadexception", "faulthandler"),
    *("doctest", "unittest", "junitxml", "pastebin", "stepwise", "setuponly", "setupplan"),
)
_ARGUMENTS = (
    *(f"-pno:{plugin}" for plugin in _WITHOUT),
    # hosts are asked meanwhile, and say so: standard error stays open
    *("--capture=no", "--import-mode=importlib", "--continue-on-collection-errors", "--assert=plain"),
)


def _judge(session: CheckSession) -> None:
    import pytest

    said = io.StringIO()
    place = [f"--rootdir={CHECKS.parent}", f"--confcutdir={CHECKS}", "-c", os.devnull, str(CHECKS)]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), _own_environment():
        code = pytest.main([*_ARGUMENTS, *place], plugins=[_Hand(session)])
    if code in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
        session.collection_failed("checks", said.getvalue())
    if code == pytest.ExitCode.INTERRUPTED and not session.broken:
        raise KeyboardInterrupt
    for path in sorted(CHECKS.glob("test_*.py")):
        if str(path) not in session.files:
            session.collection_failed(f"checks/{path.name}", "pytest did not look at this file of checks")


@contextlib.contextmanager
def _own_environment() -> Iterator[None]:
    """Nothing in the environment may take checks away: no options, and no plug-ins that happen to be installed."""
    kept = {name: os.environ.pop(name) for name in _HANDS_OFF if name in os.environ}
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    try:
        yield
    finally:
        del os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"]
        os.environ.update(kept)


def _run(session: CheckSession, wanted: Wanted) -> Run:
    observation, results = session.observation, session.all_results()
    return Run(
        results=results,
        started=observation["started"],
        ended=datetime.now(UTC).isoformat(timespec="seconds") if not wanted.observed else observation["ended"],
        organisation=session.organisation.organisation.name,
        organisation_digest=session.organisation.digest,
        tool_version=__version__,
        catalogue_version=session.catalogue.version,
        laboratory=observation.get("lab", ""),
        notes=(*observation.get("notes", ()), *_own_notes(session, wanted)),
        narrowed=session.narrowed,
        waivers=session.waivers(results),
    )


def _own_notes(session: CheckSession, wanted: Wanted) -> list[str]:
    notes = [f"judged from the recording {wanted.observed.name}"] if wanted.observed else []
    if not session.narrowed:
        return notes
    asked = [f"concern {name}" for name in wanted.only] + [f"requirement {name}" for name in wanted.requirement]
    number = f"{len(session.narrowed)} of {len(session.catalogue.requirements)} requirements"
    return [f"NARROWED to {', '.join(asked)}: {number} were judged, and nothing is said of the others", *notes]
