"""Rules that would cut off the administrators are refused in the plan."""

from ipaddress import ip_address

import pytest

from cjsm_connect.desired import Firewall
from cjsm_connect.desired.access import Way, refusals, warnings, way
from cjsm_connect.desired.change import Change
from tests.made_up import lab_file, organisation

ADMIN = ip_address("192.0.2.100")
ELSEWHERE = ip_address("192.0.2.77")
CHANGE = Change(firewalls=(Firewall("inet cjsm", "/etc/nftables.d/cjsm.nft", "rules"),))


def seen(host="relay", source=ADMIN, port=22, changes=True, others=()):
    return Way(host, changes, source, port, tuple(others))


def administered_from(*networks):
    return organisation(estate={"administered_from": list(networks)})


def test_an_administrator_who_is_listed_is_not_refused():
    ways = [seen(name) for name in ("firewall", "relay", "mail")]
    assert not list(refusals(organisation(), ways))
    assert not list(warnings(organisation(), ways))


def test_a_network_covers_its_addresses():
    assert not list(refusals(administered_from("192.0.2.64/26"), [seen(source=ELSEWHERE)]))


@pytest.mark.parametrize("host", ["firewall", "relay", "mail"])
def test_who_is_not_listed_is_told_what_was_expected_what_was_found_and_what_to_do(host):
    ((name, text),) = refusals(organisation(), [seen(host, ELSEWHERE)])
    assert name == host
    assert "expected SSH from estate.administered_from (192.0.2.100), found you at 192.0.2.77" in text
    assert "Add that address there; if you come through a jump host, its address belongs there" in text


def test_rules_that_do_not_change_cut_off_nobody():
    assert not list(refusals(organisation(), [seen(source=ELSEWHERE, changes=False)]))


def test_a_firewall_is_also_judged_for_the_hosts_behind_it():
    """The firewall host is reached from the listed address, the relay behind it from another."""
    ways = [seen("firewall"), seen("relay", ELSEWHERE, changes=False)]
    ((name, text),) = refusals(organisation(), ways)
    assert name == "firewall"
    assert text.startswith("relay lies behind it, and the new firewall rules would cut you off")


def test_a_host_in_the_same_network_does_not_lie_behind_the_firewall():
    assert not list(refusals(organisation(), [seen("firewall"), seen("mail", ELSEWHERE, changes=False)]))


def test_what_begins_on_the_firewall_itself_is_not_passed_on_by_it():
    """A jump host's connection goes out from it; whether that works is a warning of its own."""
    assert not list(refusals(organisation(), [seen("firewall"), seen("relay", ip_address("192.0.2.1"), changes=False)]))


def test_another_port_than_the_one_we_came_through_is_refused():
    hosts = [host | {"ssh": host["ssh"] | {"port": 2222}} for host in lab_file()["hosts"]]
    ((_, text),) = refusals(organisation(hosts=hosts), [seen()])
    assert "let SSH in on port 2222 (ssh.port of relay), and you are connected to its port 22" in text


def test_administrators_of_the_other_ip_version_only_would_reach_nothing():
    where = administered_from("2001:db8:1::/64")
    ((_, text),) = refusals(where, [seen(source=None)])
    assert "let nobody in by SSH: 198.51.100.10 is IPv4" in text and "found: 2001:db8:1::/64" in text


def test_a_listed_network_that_cannot_reach_the_host_is_a_warning():
    where = administered_from("192.0.2.100", "2001:db8:1::/64")
    assert not list(refusals(where, [seen()]))
    ((_, text),) = warnings(where, [seen()])
    assert "2001:db8:1::/64 of estate.administered_from cannot reach this host" in text


def test_other_peoples_open_sessions_are_a_warning_unless_they_are_listed():
    ((_, text),) = warnings(organisation(), [seen(others=[ADMIN, ELSEWHERE])])
    assert text.startswith("an SSH session from 192.0.2.77 is open")


def test_where_nobody_can_tell_a_warning_says_so():
    ((_, text),) = warnings(organisation(), [seen(source=None)])
    assert "nobody can tell from which address you reach this host" in text


def test_a_managed_host_used_as_jump_host_is_a_warning():
    where = administered_from("192.0.2.100", "198.51.100.1")
    ways = [seen("firewall"), seen("relay", ip_address("198.51.100.1"), changes=False)]
    assert not list(refusals(where, ways))
    assert [text for name, text in warnings(where, ways) if name == "firewall" and "jump host" in text]


@pytest.mark.parametrize("source", ["", "127.0.0.1", "::1", "198.51.100.10"])
def test_a_session_from_the_host_itself_tells_nothing_of_where_it_began(source):
    host = organisation().host("relay")
    found = way(host, CHANGE, {"access": {"from": source, "port": 22, "others": ["192.0.2.77", "127.0.0.1"]}})
    assert found == Way("relay", True, None, 22, (ELSEWHERE,))


def test_a_host_that_could_not_be_looked_at_says_nothing():
    assert way(organisation().host("relay"), Change(), {}) == Way("relay", False, None, 0, ())
