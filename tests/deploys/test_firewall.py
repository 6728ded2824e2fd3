"""What the firewall lets through is exactly what the organisation file implies; nft itself reads every ruleset."""

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from cjsm_connect.organisation import Host, Organisation, load
from cjsm_connect.organisation.flows import Flow, HostFlows, for_host
from deploys import firewall
from tests.made_up import organisation as made_up

LAB = Path(__file__).resolve().parents[2] / "inventories" / "lab"


@pytest.fixture(scope="module")
def organisation() -> Organisation:
    return load(LAB, require_files=False)


def rules(organisation: Organisation, name: str, chain: str) -> list[str]:
    """The lines of one chain."""
    host = organisation.host(name)
    text = firewall.desired(organisation, host).firewalls[0].ruleset
    return [line.strip() for line in text.partition(f"\tchain {chain} {{\n")[2].partition("\n\t}\n")[0].splitlines()]


def text_with(host: Host, *incoming: Flow) -> str:
    return firewall.ruleset(host, HostFlows(incoming, (), ()))


@pytest.mark.parametrize("name", ["firewall", "relay", "mail"])
@pytest.mark.parametrize("chain", ["input", "output", "forward"])
def test_every_chain_drops_what_it_does_not_know_and_counts_it(
    organisation: Organisation, name: str, chain: str
) -> None:
    lines = rules(organisation, name, chain)
    assert lines[0] == f"type filter hook {chain} priority filter; policy drop;"
    assert lines[-1] == f"counter name drop_{chain} drop"
    assert f'log prefix "cjsm-drop-{chain}: " group 5' in lines[-2]
    assert lines[-2].startswith("limit rate")


def test_only_the_hub_reaches_the_relays_cjsm_port(organisation: Organisation) -> None:
    about_port = [line for line in rules(organisation, "relay", "input") if "dport 4545" in line]
    assert len(about_port) == 1
    assert about_port[0].startswith("ip saddr 203.0.113.21 ip daddr 198.51.100.10 tcp dport 4545 ct state new")


def test_ssh_is_accepted_from_the_administrators_only(organisation: Organisation) -> None:
    for name in ("firewall", "relay", "mail"):
        about_ssh = [line for line in rules(organisation, name, "input") if "dport 22 " in line]
        assert len(about_ssh) == 1
        assert about_ssh[0].startswith("ip saddr 192.0.2.100 ")


def test_the_relay_may_not_send_ordinary_mail(organisation: Organisation) -> None:
    assert not [line for line in rules(organisation, "relay", "output") if "dport 25 " in line]
    assert not [
        line
        for line in rules(organisation, "firewall", "forward")
        if "saddr 198.51.100.10" in line and "port 25 " in line
    ]


def test_the_internet_does_not_mean_our_own_networks(organisation: Organisation) -> None:
    (rule,) = (line for line in rules(organisation, "mail", "input") if "dport 25 " in line)
    assert rule.startswith("ip saddr != { 192.0.2.0/24, 198.51.100.0/24 } ip daddr 192.0.2.10 ")


def test_a_declared_egress_is_open_to_the_internet_and_says_who_approved_it() -> None:
    egress = {"to": "any:443", "approver": "Chris Technical", "reason": "no mirror yet"}
    (rule,) = (line for line in rules(made_up(estate={"egress": egress}), "relay", "output") if "dport 443 " in line)
    assert rule.startswith("ip saddr 198.51.100.10 ip daddr != { 192.0.2.0/24, 198.51.100.0/24 } tcp dport 443 ")
    assert rule.endswith('comment "no mirror yet (approved by Chris Technical)"')


def test_only_the_firewall_forwards(organisation: Organisation) -> None:
    for name in ("relay", "mail"):
        accepted = [line for line in rules(organisation, name, "forward") if "counter name flow_" in line]
        assert accepted == []
    assert [line for line in rules(organisation, "firewall", "forward") if "counter name flow_" in line]


def test_every_rule_for_a_flow_says_why_and_is_counted_by_name(organisation: Organisation) -> None:
    for host in organisation.hosts:
        text = firewall.desired(organisation, host).firewalls[0].ruleset
        for flow in for_host(organisation, host).incoming:
            (line,) = (
                line
                for line in text.splitlines()
                if f"counter name flow_{flow.name.replace('-', '_')} " in line and " dport " in line
            )
            assert line.endswith(f'accept comment "{flow.reason}"')


def test_one_transaction_replaces_only_our_own_table(organisation: Organisation) -> None:
    text = firewall.desired(organisation, organisation.host("relay")).firewalls[0].ruleset
    statements = [line for line in text.splitlines() if line and line[0] not in "#\t}"]
    assert statements == ["table inet cjsm", "delete table inet cjsm", "table inet cjsm {"]
    assert "flush" not in text


def test_a_reason_cannot_leave_its_comment(organisation: Organisation) -> None:
    relay = organisation.host("relay")
    flow = for_host(organisation, relay).incoming[0]
    text = text_with(relay, replace(flow, reason='x" ; accept # "'))
    assert """accept comment "x' ; accept # '\"""" in text


def test_a_long_reason_is_cut_between_characters() -> None:
    cut = firewall.comment("é" * 200)
    assert cut == "é" * 60
    assert len(cut.encode()) <= 128


def test_the_nftables_unit_is_not_ours_to_start_or_stop(organisation: Organisation) -> None:
    units = [service.unit for service in firewall.desired(organisation, organisation.host("relay")).services]
    assert set(units) == {"ulogd2.service", "ssh.service"}


@pytest.mark.lab
@pytest.mark.skipif(os.geteuid() != 0 or not shutil.which("nft"), reason="needs root and nft")
@pytest.mark.parametrize("name", ["firewall", "relay", "mail"])
def test_nft_loads_every_ruleset_and_a_second_time_changes_nothing(
    organisation: Organisation, name: str, tmp_path: Path
) -> None:
    path = tmp_path / "cjsm.nft"
    path.write_text(firewall.desired(organisation, organisation.host(name)).firewalls[0].ruleset)
    script = 'nft -f "$0" && nft -s list ruleset && echo AGAIN && nft -f "$0" && nft -s list ruleset'
    argv = ["unshare", "--net", "sh", "-c", script, str(path)]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, _, second = done.stdout.partition("AGAIN\n")
    assert first == second
    assert "policy drop" in first


def test_passwords_over_ssh_are_forbidden_only_where_the_organisation_says_so() -> None:
    left = made_up(policy={"ssh_passwords": "leave"})
    assert firewall.SSHD not in [file.path for file in firewall.desired(left, left.host("relay")).files]
    forbidden = made_up(policy={"ssh_passwords": "forbid"})
    wanted = firewall.desired(forbidden, forbidden.host("relay"))
    text = next(file.content for file in wanted.files if file.path == firewall.SSHD)
    settings = [line for line in text.splitlines() if not line.startswith("#")]
    assert settings == ["PasswordAuthentication no", "KbdInteractiveAuthentication no"]


def test_sshd_takes_up_its_file_by_reload_before_the_change_is_confirmed() -> None:
    forbidden = made_up(policy={"ssh_passwords": "forbid"})
    services = {item.unit: item for item in firewall.desired(forbidden, forbidden.host("mail")).services}
    sshd = services["ssh.service"]
    assert (sshd.access, sshd.on_change, sshd.watches) == (True, "reload", (firewall.SSHD,))
