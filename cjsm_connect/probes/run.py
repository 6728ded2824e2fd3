"""Run the checks: gather one observation, judge it with pytest in this process, and return everything as one Run."""

from __future__ import annotations

import contextlib
import io
import os
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cjsm_connect import __version__
from cjsm_connect.organisation import Organisation, load
from cjsm_connect.probes import recording
from cjsm_connect.probes.gather import Options, Talk, gather
from cjsm_connect.probes.session import SESSION, CheckSession
from cjsm_connect.results import CjsmError, Run
from cjsm_connect.results import catalogue as catalogues

CHECKS = Path(__file__).resolve().parents[2] / "checks"


@dataclass(frozen=True)
class Wanted:
    """What the person asked for: how far to go, which concern, and where a recording is kept or read."""

    options: Options = field(default_factory=Options)
    only: str = ""
    observed: Path | None = None
    record: Path | None = None
    say: Talk = field(default=lambda text: None)  # where progress is told


def run_checks(organisation: Organisation, wanted: Wanted = Wanted()) -> tuple[Run, dict[str, Any]]:
    """Run all checks (or one concern's) and return the results with the observation that they judged.

    Raises:
        CjsmError: it cannot begin: a recording that is none, permission that is not declared, an unknown concern.
    """
    session = _session(organisation, wanted)
    observation = session.observation  # gathered before the first check
    if wanted.record:
        recording.write(wanted.record, observation)
    _judge(session)
    return _run(session, wanted), observation


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
    wanted = Wanted(options, config.getoption("--only"), Path(observed) if observed else None)
    return _session(load(Path(place)), wanted)


def _session(organisation: Organisation, wanted: Wanted) -> CheckSession:
    catalogue = catalogues.load(CHECKS / "requirements.toml")
    concerns = {requirement.concern for requirement in catalogue.requirements.values()}
    if wanted.only and wanted.only not in concerns:
        raise CjsmError(f"--only {wanted.only}: no such concern; there are: {', '.join(sorted(concerns))}")
    if wanted.observed:
        return CheckSession(organisation, catalogue, partial(recording.read, wanted.observed), wanted.only)
    return CheckSession(organisation, catalogue, partial(gather, organisation, wanted.options, wanted.say), wanted.only)


class _Hand:
    """Hands the run to pytest's configuration, where checks/conftest.py finds it."""

    def __init__(self, session: CheckSession) -> None:
        self.session = session

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[SESSION] = self.session


# the terminal reporter would write to our stdout; plug-ins of other tools on this machine have no say in results
_ARGUMENTS = (
    *("-p", "no:terminal", "-p", "no:cacheprovider", "-p", "no:typeguard"),
    *("--import-mode=importlib", "--continue-on-collection-errors", "--assert=plain"),
)


def _judge(session: CheckSession) -> None:
    said = io.StringIO()
    place = [f"--rootdir={CHECKS.parent}", f"--confcutdir={CHECKS}", "-c", os.devnull, str(CHECKS)]
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        code = pytest.main([*_ARGUMENTS, *place], plugins=[_Hand(session)])
    if code in (pytest.ExitCode.INTERNAL_ERROR, pytest.ExitCode.USAGE_ERROR):
        session.collection_failed("checks", said.getvalue())
    if code == pytest.ExitCode.INTERRUPTED and not session.broken:
        raise KeyboardInterrupt


def _run(session: CheckSession, wanted: Wanted) -> Run:
    observation = session.observation
    return Run(
        results=session.all_results(),
        started=observation["started"],
        ended=datetime.now(UTC).isoformat(timespec="seconds") if not wanted.observed else observation["ended"],
        organisation=session.organisation.organisation.name,
        organisation_digest=session.organisation.digest,
        tool_version=__version__,
        catalogue_version=session.catalogue.version,
        laboratory=observation.get("lab", ""),
        notes=(*observation.get("notes", ()), *_own_notes(wanted)),
    )


def _own_notes(wanted: Wanted) -> list[str]:
    notes = [f"only the concern {wanted.only} was checked"] if wanted.only else []
    return notes + ([f"judged from the recording {wanted.observed.name}"] if wanted.observed else [])
