"""What the lab's plan says, without starting anything."""

from __future__ import annotations

import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from cjsm_connect.lab import entry, folder, hub, outside, topology
from cjsm_connect.lab.entry import CLONE
from cjsm_connect.lab.laboratory import Lab
from cjsm_connect.results import CjsmError


def described(relays: int) -> dict[str, Any]:
    """The organisation file of a lab with so many relays."""
    return tomllib.loads(folder.with_relays((CLONE / "inventories/lab/organisation.toml").read_text(), relays))


@pytest.mark.parametrize("relays", [1, 2, 18])
def test_hosts_are_those_of_the_labs_organisation_file(relays: int) -> None:
    written = described(relays)
    found = {host["name"]: host["address"] for host in [*written["hosts"], *written["vantage"]]}
    assert found == {host.name: host.address for host in topology.hosts_with(relays).values()}


def test_a_further_relay_is_described_as_the_first_with_names_addresses_and_restart_of_its_own() -> None:
    first, third = (host for host in described(3)["hosts"] if host["name"] in {"relay", "relay3"})
    own = {"name": "relay3", "fqdn": "relay3.council.example", "address": "198.51.100.12"}
    assert third == {**first, **own, "interfaces": {"dmz": "198.51.100.12"}, "reboot_time": "05:30"}


def test_a_description_with_one_relay_is_the_one_in_the_clone() -> None:
    assert described(1) == tomllib.loads((CLONE / "inventories/lab/organisation.toml").read_text())


def test_the_hub_stands_where_the_organisation_file_says() -> None:
    written = described(1)["hub"]
    assert [topology.HUB.address, topology.HUB.addresses[1]] == [*written["addresses"], *written["sources"]]


def test_the_hub_tries_every_relay_of_the_lab_in_turn(tmp_path: Path) -> None:
    hub._write_configuration(tmp_path, hub.Settings(), [topology.relay(1), topology.relay(2)])
    assert "cjsm-out:[198.51.100.10]:4545, [198.51.100.11]:4545\n" in (tmp_path / hub.FOLDER / "transport").read_text()
    services = (tmp_path / "etc/postfix/master.cf").read_text()
    assert "smtp_tls_secure_cert_match=relay.council.example:relay2.council.example\n" in services


@pytest.mark.parametrize("number", [0, -1, 19])
def test_a_number_of_relays_that_a_lab_cannot_have_is_refused(number: int) -> None:
    with pytest.raises(CjsmError, match="between 1 and 18 relays"):
        topology.checked_relays(number)


def test_the_lab_that_the_clone_describes_has_one_relay() -> None:
    with pytest.raises(CjsmError, match="lab up --lab several --relays 2"):
        folder.require_describable(entry.DEFAULT, 2)
    folder.require_describable("several", 2)


def test_a_lab_that_was_never_started_has_the_hosts_of_the_plain_one() -> None:
    assert [host.name for host in Lab("tests-none").hosts] == list(topology.HOSTS)


@pytest.mark.parametrize("name", ["", "Lab", "a b", "-x", "../x", "x" * 21])
def test_a_name_that_could_become_another_path_is_refused(name: str) -> None:
    with pytest.raises(CjsmError, match="cannot name a lab"):
        topology.checked_name(name)


def test_every_address_points_back_to_its_name() -> None:
    rows = [line.split() for line in outside.zone().splitlines() if " A " in line or " PTR " in line]
    forward = {(row[0], row[2]) for row in rows if row[1] == "A"}
    backward = {(row[2], ".".join(reversed(row[0].split(".")[:4]))) for row in rows if row[1] == "PTR"}
    assert backward <= forward
    assert {address for _, address in backward} >= {a for h in topology.EVERY_HOST for a in h.addresses[:1]}


@pytest.mark.parametrize("today", [date(2026, 11, 30), date(2029, 3, 1)])
def test_the_statements_of_a_lab_are_never_stale(today: date) -> None:
    text = folder.declared_lately((CLONE / "inventories/lab/organisation.toml").read_text(), today)
    made = [row["date"] for row in tomllib.loads(text)["declarations"]]
    assert made and {(today - one).days for one in made} == {30}
