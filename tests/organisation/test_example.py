"""What was copied from the example and never replaced is found by comparing with the example itself."""

from __future__ import annotations

import tomllib
from typing import Any

import pytest

from cjsm_connect.organisation.example import forgotten, unmade
from tests.made_up import ROOT, merged

FOLDER = ROOT / "inventories/example"
EXAMPLE: dict[str, Any] = tomllib.loads((FOLDER / "organisation.toml").read_text())
FILES = {name: (FOLDER / name).read_text() for name in ("hub/ca.pem", "hub/inner-ca.pem", "domains.txt", "users.csv")}


def keys(mapping: dict[str, Any], files: dict[str, str] | None = None) -> set[str]:
    return {one.key for one in forgotten(mapping, files or {}, EXAMPLE, FILES)}


def test_a_copy_is_forgotten_altogether() -> None:
    found = keys(EXAMPLE)
    assert {"organisation.name", "contacts.applicant.telephone", "hub.host", "estate.dns"} <= found
    assert len([key for key in found if key.startswith("declarations[")]) == len(EXAMPLE["declarations"]) == 15


def test_choices_numbers_roles_and_places_are_nobodys() -> None:
    found = keys(EXAMPLE)
    own = {"organisation.kind", "organisation.staff", "hub.port", "estate.data_location", "hub.ca_file", "inner.mode"}
    assert found.isdisjoint({*own, 'hosts["relay"].name', 'hosts["relay"].ssh.user', "contacts.helpdesk.name"})


@pytest.mark.parametrize("key", ["organisation.telephone", "contacts.applicant.name", "hub.host", "estate.proxy"])
def test_what_was_replaced_is_not_forgotten(key: str) -> None:
    table, _, name = key.rpartition(".")
    patch: Any = {name: "01632 960001"}
    for part in reversed(table.split(".")):
        patch = {part: patch}
    assert key in keys(EXAMPLE)
    assert key not in keys(merged(EXAMPLE, patch))


@pytest.mark.parametrize(("changed", "unmade_still"), [({"owner"}, False), ({"date"}, True), ({"statement"}, True)])
def test_a_declaration_counts_for_nothing_while_its_owner_is_the_examples(
    changed: set[str], unmade_still: bool
) -> None:
    new = {"owner": "R. S. Real", "date": EXAMPLE["declarations"][0]["date"].replace(day=2), "statement": "We do."}
    first = {**EXAMPLE["declarations"][0], **{name: new[name] for name in changed}}
    found = unmade({"declarations": [first, {"id": "ours-alone", "owner": "R. S. Real"}]}, EXAMPLE)
    assert found == ([first["id"]] if unmade_still else [])


@pytest.mark.parametrize(("changed", "left"), [({"owner"}, True), ({"date"}, True), ({"owner", "date"}, False)])
def test_a_declaration_is_somebodys_on_a_day(changed: set[str], left: bool) -> None:
    new = {"owner": "R. S. Real", "date": EXAMPLE["declarations"][0]["date"].replace(day=2)}
    first = {**EXAMPLE["declarations"][0], **{name: new[name] for name in changed}}
    found = keys({**EXAMPLE, "declarations": [first, *EXAMPLE["declarations"][1:]]})
    assert (f'declarations["{first["id"]}"]' in found) is left


def test_people_are_compared_by_their_place_not_by_their_name() -> None:
    signatories = [{"name": "R. S. Real", "position": "Director of Resources"}]
    assert not [key for key in keys({**EXAMPLE, "signatories": signatories}) if key.startswith("signatories")]


def test_a_file_is_compared_by_what_it_says() -> None:
    text = FILES["hub/ca.pem"].replace("# Sample", "# Ours").replace("\n", "\r\n")
    mine = "example.org\nhousing.council.example\n"
    found = forgotten({}, {"hub/ca.pem": text, "domains.txt": mine, "users.csv": "name,address\n"}, EXAMPLE, FILES)
    assert [(one.file, one.key) for one in found] == [("domains.txt", "one line"), ("hub/ca.pem", "the certificate")]


def test_an_organisation_of_its_own_has_forgotten_nothing() -> None:
    assert keys({"organisation": {"name": "Real Council"}, "hosts": "no list", "hub": []}, {"hub/ca.pem": "x"}) == set()
