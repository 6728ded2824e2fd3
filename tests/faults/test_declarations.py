"""Faults of the organisation file work on a copy, leave a file that can be read, and the checks of it name them."""

from __future__ import annotations

import importlib
import subprocess
import tomllib
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import pytest

from checks.framework import REGISTRY
from cjsm_connect.lab import entry, lab_of, laboratory
from cjsm_connect.lab.laboratory import MISTAKEN, Lab
from cjsm_connect.organisation import Organisation, parse
from cjsm_connect.probes.seen import Seen
from cjsm_connect.results import Status
from cjsm_connect.results.catalogue import load
from cjsm_connect.results.judge import Verdict, judge
from cjsm_connect.verbs.fault import patient
from faults import ORGANISATION, Fault, FaultError, Patient, every_fault, inflict
from tests.made_up import FINGERPRINT, ROOT, TODAY, authority

for module in sorted((ROOT / "checks").glob("test_*.py")):
    importlib.import_module(f"checks.{module.stem}")

CATALOGUE = load(ROOT / "checks/requirements.toml")
FAULTS = [known for known in every_fault().values() if known.host == ORGANISATION]
FILES = {"hub/ca.pem": authority(), "hub/inner-ca.pem": authority(), "hub/fingerprints.txt": FINGERPRINT}


def on_files(folder: Path, argv: Sequence[str], text: str | None) -> subprocess.CompletedProcess[str]:
    return subprocess.run(list(argv), cwd=folder, input=text, capture_output=True, text=True, check=False)


def broken(known: Fault, folder: Path) -> Organisation:
    (folder / "organisation.toml").write_text((ROOT / "inventories/lab/organisation.toml").read_text())
    (folder / MISTAKEN).write_text("unit\n")
    inflict(known, Patient(ORGANISATION, partial(on_files, folder), marker=MISTAKEN))
    mapping = tomllib.loads((folder / "organisation.toml").read_text())
    return parse(mapping, {**FILES, "known_hosts": ""}, TODAY, folder=Path("/organisation"))


def declared(identifier: str, organisation: Organisation) -> set[Status]:
    """What the checks of a requirement say that look at the organisation file alone."""
    found = set()
    for one in REGISTRY.values():
        if one.check.requirement == identifier and one.check.vantage == "declaration":
            seen, verdict = Seen(organisation, {}, TODAY), Verdict()
            judged = judge(one.check, CATALOGUE[identifier], "estate", verdict, partial(one.function, seen, verdict))
            found.add(judged.status)
    return found


@pytest.mark.parametrize("known", FAULTS, ids=lambda known: known.id)
def test_a_fault_of_the_organisation_file_leaves_one_that_is_valid_and_that_its_checks_name(
    known: Fault, tmp_path: Path
) -> None:
    organisation = broken(known, tmp_path)
    said = declared(known.violates, organisation)
    assert not said or said & {Status.FAIL, Status.WARN}


def test_most_of_them_are_seen_in_the_file_alone() -> None:
    in_the_file = {one.check.requirement for one in REGISTRY.values() if one.check.vantage == "declaration"}
    assert len([known for known in FAULTS if known.violates in in_the_file]) >= 18


@pytest.fixture
def lab(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lab:
    monkeypatch.setattr(entry, "LABS", tmp_path)
    source = tmp_path / "unit" / "organisation"
    (source / "ssh").mkdir(parents=True)
    (source / "organisation.toml").write_text((ROOT / "inventories/lab/organisation.toml").read_text())
    (source / "ssh/id_ed25519").touch(0o600)
    return Lab("unit")


def test_the_labs_own_file_is_never_changed_and_the_copy_goes_with_undo(lab: Lab) -> None:
    before = (lab.organisation_folder / "organisation.toml").read_text()
    host = patient(lab, ORGANISATION)
    inflict(every_fault()["estate.storage-unsaid"], host)
    copy = entry.mistaken_folder("unit")
    assert 'id = "storage"' not in (copy / "organisation.toml").read_text()
    assert (copy / "ssh/id_ed25519").stat().st_mode & 0o777 == 0o600
    assert lab_of(copy) == "unit"
    assert (lab.organisation_folder / "organisation.toml").read_text() == before
    lab.correct()
    assert not copy.exists()


def test_a_second_fault_begins_with_a_fresh_copy(lab: Lab) -> None:
    for name in ("estate.storage-unsaid", "estate.workstations-unsaid"):
        inflict(every_fault()[name], patient(lab, ORGANISATION))
    text = (entry.mistaken_folder("unit") / "organisation.toml").read_text()
    assert 'id = "storage"' in text and 'id = "workstations"' not in text


def test_an_organisation_folder_that_is_no_copy_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "organisation.toml").write_text((ROOT / "inventories/lab/organisation.toml").read_text())
    host = Patient(ORGANISATION, partial(on_files, tmp_path), marker=MISTAKEN)
    with pytest.raises(FaultError, match="it is no host of a lab, and nothing was done to it"):
        inflict(every_fault()["estate.storage-unsaid"], host)
    assert laboratory.MISTAKEN not in {path.name for path in tmp_path.iterdir()}
