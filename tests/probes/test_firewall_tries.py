"""What is tried against the firewall: only what no flow permits, each with a control between the same two hosts."""

from cjsm_connect.organisation.flows import flows
from cjsm_connect.probes.tries.firewall import blocked, tries
from tests.made_up import organisation

LAB = organisation()


def ids(**changes: object) -> set[str]:
    return {one.id for one in blocked(organisation(**changes))}


def test_every_blocked_connection_has_a_control_between_the_same_two_hosts() -> None:
    asked = {one.id: one for one in tries(LAB)}
    for one in blocked(LAB):
        assert one.controls
        for control in one.controls:
            assert control.id in asked
            assert control.at in (one.at, one.subject) or control.subject in (one.at, one.subject)


def test_every_dropper_is_asked_for_its_counters() -> None:
    asked = {one.id for one in tries(LAB)}
    assert {f"firewall.counters:{one.dropper}" for one in blocked(LAB)} <= asked


def test_what_comes_from_another_network_must_be_dropped_by_the_firewall() -> None:
    droppers = {one.id: (one.dropper, one.counter) for one in blocked(LAB)}
    assert droppers["firewall.in-outside-22:relay"] == ("firewall", "drop_forward")
    assert droppers["firewall.in-outside-22:firewall"] == ("firewall", "drop_input")
    assert droppers["firewall.in-controller-23:mail"] == ("mail", "drop_input")
    assert droppers["firewall.out-outside-443:relay"] == ("relay", "drop_output")


def test_permitted_connections_are_not_expected_to_be_blocked() -> None:
    found = ids()
    assert "firewall.in-controller-22:relay" not in found
    assert "firewall.in-outside-25:mail" not in found
    assert "firewall.out-hub-4545:relay" not in found


def test_a_managed_host_is_not_a_stranger_of_the_internet() -> None:
    """The firewall's outer address is not inside, yet "anywhere on the internet" does not mean our own firewall."""
    assert not [one for one in tries(LAB) if one.id.startswith("firewall.control-firewall-mail-")]


def test_a_declared_egress_is_no_longer_expected_to_be_blocked() -> None:
    egress = {"to": "any:443", "approver": "Chris Technical", "reason": "no mirror yet"}
    assert "firewall.out-outside-443:relay" in ids()
    assert "firewall.out-outside-443:relay" not in ids(estate={"egress": egress})


def test_knocking_at_the_hub_itself_is_a_handshake_with_it() -> None:
    hub = {str(address) for address in LAB.hub.addresses}
    for one in tries(LAB):
        if one.kind == "tcp":
            assert (one.impact == "hub-handshake") == (one.arguments["address"] in hub)


def test_without_vantage_hosts_only_the_estate_itself_is_tried() -> None:
    found = blocked(organisation(vantage=[]))
    assert found
    assert {one.at for one in found} <= {"controller", "relay", "mail", "firewall"}


def test_ids_are_unique_and_all_ports_come_from_the_file() -> None:
    asked = [one.id for one in tries(LAB)]
    assert len(asked) == len(set(asked))
    ours = {port for flow in flows(LAB) for port in flow.ports} | {23, 25, 443}
    assert {one.port for one in blocked(LAB)} <= ours
