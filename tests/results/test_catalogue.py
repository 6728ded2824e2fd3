"""The catalogue is read strictly: a requirement without a source, or a check without a requirement, is a mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from cjsm_connect.results.catalogue import PREREQUISITES, CatalogueError, edition, load, parse
from tests.made_up import ROOT

ROW = """
[[requirement]]
id = "firewall.default-deny"
concern = "firewall"
title = "Default deny"
why = "Open ports are open doors."
source = "Terms v10.2 clause 21"
severity = "high"
prerequisite = "firewall"
"""


def test_a_requirement_is_found_by_its_id() -> None:
    assert parse(ROW)["firewall.default-deny"].source == "Terms v10.2 clause 21"


def test_a_requirement_nobody_asked_for_is_named_in_the_error() -> None:
    with pytest.raises(CatalogueError, match=r"'firewall\.other' is not in checks/requirements\.toml"):
        parse(ROW)["firewall.other"]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('source = "Terms v10.2 clause 21"', "", "lacks source"),
        ('why = "Open ports are open doors."', 'why = ""', "lacks why"),
        ('severity = "high"', 'severity = "huge"', "severity is 'huge'"),
        ('prerequisite = "firewall"', 'prerequisite = "fire"', "prerequisite is 'fire'"),
        ('prerequisite = "firewall"', 'owner = "me"', "unknown keys owner"),
        ('concern = "firewall"', 'concern = "relay"', "must start with its concern"),
    ],
)
def test_each_mistake_is_said(old: str, new: str, said: str) -> None:
    with pytest.raises(CatalogueError, match=said):
        parse(ROW.replace(old, new))


def test_the_same_id_twice_is_refused() -> None:
    with pytest.raises(CatalogueError, match="is there twice"):
        parse(ROW + ROW)


def test_all_mistakes_are_told_at_once() -> None:
    with pytest.raises(CatalogueError, match=r"lacks title.*severity is"):
        parse(ROW.replace("title", "tittle").replace('"high"', '"none"'))


def test_the_version_changes_with_the_content_only() -> None:
    assert parse(ROW).version == parse(ROW).version
    assert parse(ROW).version != parse(ROW.replace("Default deny", "Deny by default")).version


def test_a_missing_file_is_a_sentence(tmp_path: Path) -> None:
    with pytest.raises(CatalogueError, match="expected a readable TOML file"):
        load(tmp_path / "requirements.toml")


def test_the_catalogue_we_ship_has_requirements_for_each_minimum_prerequisite() -> None:
    catalogue = load(ROOT / "checks/requirements.toml")
    assert all(catalogue.of_prerequisite(name) for name in PREREQUISITES)


EDITION = "5.7ce224272ed8"


def test_a_changed_catalogue_is_a_new_edition() -> None:
    found = load(ROOT / "checks/requirements.toml").version
    assert found == EDITION, (
        "requirements.toml was changed: add one to its `edition`, then write the version found here into EDITION; "
        "evidence is compared by it"
    )


def test_the_larger_edition_is_the_newer_and_a_version_without_one_is_none() -> None:
    assert edition("10.0123456789ab") == 10
    assert edition("9.ffffffffffff") == 9


@pytest.mark.parametrize(
    "version",
    [
        "",
        "0123456789ab",
        "1",
        "-1.0123456789ab",
        "1.0123456789AB",
        "١.0123456789ab",
        "01.0123456789ab",
        "1.0123456789ab\n",
    ],
)
def test_what_is_no_version_is_no_edition_and_not_the_oldest(version: str) -> None:
    assert edition(version) is None
    assert parse("edition = 7\n" + ROW).version.startswith("7.")
