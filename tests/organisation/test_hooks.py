"""A scanner of the organisation's own, as its file names it."""

from __future__ import annotations

import json
import re
import textwrap
import tomllib
from datetime import UTC, datetime
from typing import Any

import pytest

from cjsm_connect.organisation import Organisation, OrganisationError
from cjsm_connect.probes import hooks
from tests.made_up import ROOT, organisation

SCANNER: dict[str, Any] = {
    "milter": "unix:/run/vendor/milter.sock",
    "units": ["vendor-milter.service"],
    "status": ["/opt/vendor/bin/status", "--json"],
    "memory": 2_000_000_000,
}


def with_scanner(**changes: Any) -> Organisation:
    return organisation(antivirus={"scanner": "hook", "hook": {**SCANNER, **changes}})


def test_without_a_word_clamav_scans() -> None:
    assert organisation().antivirus.scanner == "clamav" and organisation().antivirus.hook is None


@pytest.mark.parametrize("milter", ["unix:/run/vendor/milter.sock", "inet:127.0.0.1:8891", "inet:[::1]:8891"])
def test_a_hook_is_reached_on_the_relay_itself(milter: str) -> None:
    hook = with_scanner(milter=milter).antivirus.hook
    assert hook and (hook.milter, hook.settings) == (milter, {})


@pytest.mark.parametrize(
    ("changes", "key", "expected"),
    [
        ({"milter": "inet:192.0.2.7:8891"}, "antivirus.hook.milter", "on the relay itself"),
        ({"milter": "inet:127.0.0.1"}, "antivirus.hook.milter", "PORT"),
        ({"milter": "inet:localhost:8891"}, "antivirus.hook.milter", "127.0.0.1:PORT"),
        ({"milter": "unix:run/milter"}, "antivirus.hook.milter", "absolute path"),
        ({"milter": "/run/milter"}, "antivirus.hook.milter", "unix:/PATH"),
        ({"status": []}, "antivirus.hook.status", "at least one entry"),
        ({"status": ["status"]}, "antivirus.hook.status", "absolute path"),
        ({"status": ["/opt/../tmp/x"]}, "antivirus.hook.status", "absolute path"),
        ({"status": ["/opt/x", "a\nb"]}, "antivirus.hook.status", "printable"),
        ({"status": "/opt/x --json"}, "antivirus.hook.status", "list"),
        ({"units": []}, "antivirus.hook.units", "at least one entry"),
        ({"units": ["--now"]}, "antivirus.hook.units", "systemd unit"),
        ({"units": ["vendor"]}, "antivirus.hook.units", "systemd unit"),
        ({"settings": {"other.service": ["/etc/x"]}}, "antivirus.hook", "units only"),
        ({"settings": {"vendor-milter.service": ["etc/x"]}}, "antivirus.hook.settings", "absolute path"),
        ({"memory": "2G"}, "antivirus.hook.memory", "whole number"),
        ({"timeout": 5}, "antivirus.hook.timeout", "one of"),
    ],
)
def test_what_cannot_be_a_hook_is_told_by_its_key(changes: dict[str, Any], key: str, expected: str) -> None:
    with pytest.raises(OrganisationError) as caught:
        with_scanner(**changes)
    assert all(problem.key.startswith(key) for problem in caught.value.problems)
    assert any(expected in problem.expected for problem in caught.value.problems)


@pytest.mark.parametrize("table", [{"scanner": "hook"}, {"scanner": "clamav", "hook": SCANNER}, {"hook": SCANNER}])
def test_the_choice_and_the_table_belong_together(table: dict[str, Any]) -> None:
    with pytest.raises(OrganisationError, match='scanner = "hook" and a table named hook'):
        organisation(antivirus=table)


def test_an_exim_relay_cannot_have_a_milter() -> None:
    hosts = [
        {**host.model_dump(mode="json", exclude_none=True), **({"mta": "exim"} if host.role == "relay" else {})}
        for host in organisation().hosts
    ]
    for host in hosts:
        host["ssh"] = {"user": "operator", "agent": True, "sudo": "passwordless"}
    with pytest.raises(OrganisationError, match="Exim has no milter"):
        organisation(hosts=hosts, antivirus={"scanner": "hook", "hook": SCANNER})


def test_a_mirror_of_clamavs_signatures_is_wanted_for_clamav_only() -> None:
    estate = {"mirrors": {"signatures": None, "signature_files": None}}
    with pytest.raises(OrganisationError, match=r"estate\.mirrors\.signatures"):
        organisation(estate=estate)
    assert organisation(estate=estate, antivirus={"scanner": "hook", "hook": SCANNER}).antivirus.hook


PATCHES = {"units": ["site-patching.timer"], "status": ["/opt/site/patch-status"]}


def test_another_system_patches_all_hosts_or_those_named() -> None:
    assert organisation().patching.of("mail") is None
    assert organisation(patching={"system": "hook", "hook": PATCHES}).patching.of("mail")
    some = organisation(patching={"system": "hook", "hook": {**PATCHES, "hosts": ["mail"]}}).patching
    assert some.of("mail") and some.of("relay") is None


def test_a_patched_host_that_does_not_exist_is_told() -> None:
    with pytest.raises(
        OrganisationError, match=r'patching\.hook\.hosts: found "mial"; expected some of: firewall, relay'
    ):
        organisation(patching={"system": "hook", "hook": {**PATCHES, "hosts": ["mial"]}})


def documented() -> list[str]:
    """The indented blocks of docs/hooks.md."""
    text = (ROOT / "docs/hooks.md").read_text()
    blocks = re.findall(r"(?:^    .*\n|^\n(?=    ))+", text, re.MULTILINE)
    return [textwrap.dedent(block).strip() for block in blocks]


def test_the_documented_tables_make_an_organisation_and_the_documented_answers_are_whole() -> None:
    tables = [tomllib.loads(block) for block in documented() if block.startswith("[")]
    answers = [json.loads(block) for block in documented() if block.startswith("{")]
    where = organisation(**tables[0], **{"patching": tables[1]["patching"]})
    assert [one.concern for one in hooks.configured(where)] == ["antivirus", "patching"]
    for one, said in zip(hooks.configured(where), answers, strict=True):
        clock = datetime(2026, 11, 21, 12, tzinfo=UTC).timestamp()
        assert all(finding.ok for finding in one.judge({"why": "", "said": said}, where.policy, clock))
