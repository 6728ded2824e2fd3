"""What the lab's plan says, without starting anything."""

from __future__ import annotations

import tomllib

import pytest

from cjsm_connect.lab import outside, topology
from cjsm_connect.lab.entry import CLONE
from cjsm_connect.results import CjsmError


def test_hosts_are_those_of_the_labs_organisation_file() -> None:
    written = tomllib.loads((CLONE / "inventories/lab/organisation.toml").read_text())
    described = {host["name"]: host["address"] for host in [*written["hosts"], *written["vantage"]]}
    assert described == {host.name: host.address for host in topology.HOSTS.values()}


def test_the_hub_stands_where_the_organisation_file_says() -> None:
    written = tomllib.loads((CLONE / "inventories/lab/organisation.toml").read_text())["hub"]
    assert [topology.HUB.address, topology.HUB.addresses[1]] == [*written["addresses"], *written["sources"]]


@pytest.mark.parametrize("name", ["", "Lab", "a b", "-x", "../x", "x" * 21])
def test_a_name_that_could_become_another_path_is_refused(name: str) -> None:
    with pytest.raises(CjsmError, match="cannot name a lab"):
        topology.checked_name(name)


def test_every_address_points_back_to_its_name() -> None:
    rows = [line.split() for line in outside.zone().splitlines() if " A " in line or " PTR " in line]
    forward = {(row[0], row[2]) for row in rows if row[1] == "A"}
    backward = {(row[2], ".".join(reversed(row[0].split(".")[:4]))) for row in rows if row[1] == "PTR"}
    assert backward <= forward
    assert {address for _, address in backward} >= {a for h in topology.HOSTS.values() for a in h.addresses[:1]}
