"""An address is an address: nothing else comes with it, wherever one is read."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest
from pydantic_core import PydanticCustomError

from cjsm_connect.engineer import targets
from cjsm_connect.organisation import OrganisationError
from cjsm_connect.organisation.addresses import address, is_address, network, observed
from cjsm_connect.organisation.values import domain_name
from tests.made_up import ROOT, organisation

ZONED = [
    "fe80::1%\nNEEDLE permit",
    "fe80::1%x\nbindcmdaddress 0.0.0.0",
    "fe80::1%eth0",
    "fe80::1%25eth0",
    "2001:db8::1%;}",
    "::%",
]
READERS = {"ip_address", "ip_network", "ip_interface", "IPv6Address", "IPv6Interface"}
ROOMS = ("cjsm_connect", "deploys", "checks", "faults", "inventories")
ON_HOSTS, IN_THE_LAB = "cjsm_connect/remote/", ("cjsm_connect/lab/", "cjsm_connect/bench/")
THE_PLACE = "cjsm_connect/organisation/addresses.py"


@pytest.mark.parametrize("text", ZONED)
def test_an_address_with_a_zone_is_none(text: str) -> None:
    for reader in (address, network):
        with pytest.raises(ValueError, match="zone"):
            reader(text)
    assert not is_address(text)
    with pytest.raises(PydanticCustomError):
        domain_name(text)


@pytest.mark.parametrize(
    "text", ["192.0.2.1 ", "\n192.0.2.1", "192.0.2.1\n", "192.0.2.٣", "010.0.0.1", "1", "", "2001:db8::1\0"]
)
def test_what_is_not_plainly_an_address_is_none(text: str) -> None:
    assert not is_address(text)


def test_a_kernel_may_name_the_interface_beside_an_address() -> None:
    assert str(observed("fe80::1%eth0")) == "fe80::1"


@pytest.mark.parametrize("text", ZONED)
@pytest.mark.parametrize(
    "changes",
    [
        lambda text: {"hub": {"sources": [text]}},
        lambda text: {"hub": {"addresses": [text]}},
        lambda text: {"estate": {"ntp": [text]}},
        lambda text: {"estate": {"dns": [text]}},
        lambda text: {"estate": {"administered_from": [text]}},
        lambda text: {"estate": {"administered_from": [f"{text}/128"]}},
        lambda text: {"estate": {"networks": [{"name": "lan", "cidr": f"{text}/64", "zone": "lan"}]}},
        lambda text: {"estate": {"proxy": f"http://[{text}]:3128/"}},
        lambda text: {"estate": {"mirrors": {"addresses": [text]}}},
        lambda text: {"syslog": {"target": f"[{text}]:6514"}},
        lambda text: {"syslog": {"addresses": [text]}},
        lambda text: {"flows": [_flow(text)]},
        lambda text: {"hosts": [_host(text)]},
        lambda text: {"vantage": [_vantage(text)]},
    ],
)  # fmt: skip
def test_no_value_of_an_organisation_takes_one_with_a_zone(text: str, changes: object) -> None:
    with pytest.raises(OrganisationError):
        organisation(**changes(text))  # type: ignore[operator]


def _flow(text: str) -> dict[str, object]:
    return {"name": "x", "source": [text], "host": "mail", "ports": [1], "reason": "r", "approver": "a"}


SSH = {"user": "operator", "agent": True, "sudo": "none"}


def _host(text: str) -> dict[str, object]:
    host = {"name": "mail", "fqdn": "mail.council.example", "role": "mail", "release": "trixie", "reboot_time": "04:00"}
    return {**host, "address": text, "interfaces": {"lan": text}, "gateway": text, "ssh": {**SSH, "user": "root"}}


def _vantage(text: str) -> dict[str, object]:
    return {"name": "outside", "address": text, "network": "wan", "source": text, "ssh": SSH}


@pytest.mark.parametrize("text", [*(f"[{text}]" for text in ZONED), "[fe80::1%eth0]:25", "[1:2]", "[::1::2]:25"])
def test_no_target_takes_one_with_a_zone(text: str) -> None:
    with pytest.raises(targets.TargetError):
        targets.parse(text)


def test_addresses_are_read_in_one_place() -> None:
    """Python's readers are called nowhere else: another place would accept what this one refuses."""
    found = [f"{path}:{line}" for path in _sources() for line in _calls(path)]
    assert found == []


def _sources() -> Iterator[Path]:
    for room in ROOMS:
        for path in sorted((ROOT / room).rglob("*.py")):
            name = path.relative_to(ROOT).as_posix()
            if name != THE_PLACE and not name.startswith((ON_HOSTS, *IN_THE_LAB)):
                yield path


def _calls(path: Path) -> Iterator[int]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Call):
            name = node.func.id if isinstance(node.func, ast.Name) else getattr(node.func, "attr", "")
            if name in READERS:
                yield node.lineno
