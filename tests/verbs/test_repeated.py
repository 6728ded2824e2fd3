"""Runs of the checks in processes that begin with everything imported."""

from __future__ import annotations

import importlib
import os
import signal
from pathlib import Path

import pytest

from cjsm_connect.results import CjsmError
from cjsm_connect.verbs import _repeated

pytestmark = pytest.mark.slow


def test_what_is_wrong_with_the_organisation_is_told_as_the_verb_tells_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CJSM_IN_LAB", "lab")  # there is none to enter
    (tmp_path / "organisation.toml").write_text("format = 99\n")
    with pytest.raises(CjsmError, match=r"organisation\.toml"):
        _repeated.checked("lab", tmp_path)


def _end_itself(_lab: str, _organisation: Path) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _break(_lab: str, _organisation: Path) -> None:
    raise TypeError("a mistake of ours")


@pytest.mark.parametrize(("end", "said"), [(_end_itself, "BrokenProcessPool"), (_break, "TypeError: a mistake")])
def test_a_run_that_dies_or_breaks_is_an_error_and_not_a_lab_without_findings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: object, said: str
) -> None:
    monkeypatch.setattr(_repeated, "_checked", end)
    with pytest.raises(CjsmError, match=f"gave no results: {said}"):
        _repeated.checked("lab", tmp_path)


@pytest.mark.parametrize("name", _repeated.IMPORTED)
def test_what_is_imported_ahead_is_there(name: str) -> None:
    importlib.import_module(name)  # the fork server is silent about what it cannot import
