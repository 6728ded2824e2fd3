"""The catalogue is complete: all that is asked for has a requirement, and nothing is required that nobody asked for.

coverage.toml was written from the documents; the catalogue is compared with it in both directions.
"""

from __future__ import annotations

import importlib
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

from checks.framework import REGISTRY
from cjsm_connect.results import Severity, Status
from cjsm_connect.results.catalogue import load
from tests.checks.recordings import recordings
from tests.made_up import ROOT

for module in sorted((ROOT / "checks").glob("test_*.py")):
    importlib.import_module(f"checks.{module.stem}")

CATALOGUE = load(ROOT / "checks/requirements.toml")
DOCUMENTS: list[dict[str, Any]] = tomllib.loads((Path(__file__).parent / "coverage.toml").read_text())["document"]
ITEMS = [(document["name"], item) for document in DOCUMENTS for item in document["item"]]
ASKED = {name for _, item in ITEMS for name in item.get("requirements", ())}

# what must be in coverage.toml whatever else is: the parts that are numbered or named in their document
CLAUSES = (4, 6, 9, 10, 13, 16, 17, 18, 21, 22, 23)
EMAIL_RULES = ("TLS", "PTR", "SPF", "DKIM", "DMARC", "MTA-STS", "TLS-RPT")
ESSENTIALS = ("Firewalls", "Security update management", "Malware protection")
QUESTIONS_OF_THE_CHECKLIST = 10
QUESTIONS_OF_THE_FAQ = 15

# a source names a document and a place in it; what is our own choice says so
DOCUMENT_AND_PLACE = (
    r"Terms v10\.2 clause \d+\b.*",
    r"Application 2009, (step \d+|server checklist|minimum prerequisites): .+",
    r'CJSM FAQ, ".+".*',
    r"CJSM outage 2019: .+",
    r"CJSM system notifications( \d{4})?: .+",
    r"Technical overview 2005(, App\. A)?(, .+)?: .+",
    r"Cyber Essentials v3\.3, (Firewalls|Secure configuration|Security update management|Malware protection): .+",
    r"Cyber Essentials v3\.3 A\d\.\d( and A\d\.\d)?(: .+)?",
    r"GOV\.UK, (Securing government email|Set up government email services securely): .+",
    r"MoJ, (Secure Email Transfer Guide|Email Authentication Guide): .+",
    r"NCSC, Using TLS to protect data( \(2017\))?: .+",
    r"RFC \d+ (\(BCP \d+\) )?sections? [\d.]+.*",
    r"(Postfix|ClamAV|Debian)[^,]*, .+",
    r"own choice\b.*",
)


def place(name: str, item: dict[str, Any]) -> str:
    return f"{name}, {item['place']}: {item['asks']}"


@pytest.mark.parametrize(("name", "item"), ITEMS, ids=[place(*one) for one in ITEMS])
def test_what_is_asked_has_a_requirement_or_a_reason_why_not(name: str, item: dict[str, Any]) -> None:
    assert item.keys() <= {"place", "asks", "requirements", "left_out"}
    assert bool(item.get("requirements")) != bool(item.get("left_out"))
    assert set(item.get("requirements", ())) <= CATALOGUE.requirements.keys()


@pytest.mark.parametrize("identifier", sorted(CATALOGUE.requirements))
def test_a_requirement_was_asked_for_by_somebody_or_says_that_it_is_our_own_choice(identifier: str) -> None:
    assert identifier in ASKED or "own choice" in CATALOGUE[identifier].source


@pytest.mark.parametrize("identifier", sorted(CATALOGUE.requirements))
def test_a_source_names_a_document_and_a_place(identifier: str) -> None:
    for part in CATALOGUE[identifier].source.split("; "):
        assert any(re.fullmatch(pattern, part) for pattern in DOCUMENT_AND_PLACE), part


def places(name: str) -> list[str]:
    return [item["place"] for document, item in ITEMS if document == name]


def test_no_part_of_the_documents_was_forgotten() -> None:
    assert {f"clause {number}" for number in CLAUSES} <= set(places("Terms v10.2"))
    assert set(EMAIL_RULES) <= set(places("GOV.UK, Securing government email"))
    assert set(ESSENTIALS) <= set(places("Cyber Essentials v3.3"))
    assert places("Application 2009").count("server checklist") >= QUESTIONS_OF_THE_CHECKLIST
    assert len(set(places("CJSM FAQ"))) == QUESTIONS_OF_THE_FAQ


def test_only_what_concerns_no_system_is_left_out() -> None:
    """Terms, technical overview, government rules and Cyber Essentials are answered in full."""
    assert {name for name, item in ITEMS if "left_out" in item} <= {"CJSM FAQ"}


def test_advice_is_of_low_severity_and_never_more_than_a_warning() -> None:
    advice = {one.id for one in CATALOGUE.requirements.values() if one.advice}
    assert all(CATALOGUE[name].severity is Severity.LOW and not CATALOGUE[name].prerequisite for name in advice)
    given = {entry.check.id for entry in REGISTRY.values() if entry.check.requirement in advice}
    assert given
    assert not [one.path.name for one in recordings() if one.check in given and one.expected is Status.FAIL]
