"""What is tried: from where, how far it goes, and what it never does. Pure: nothing is sent here."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cjsm_connect.organisation.routes import SELF_TEST_RECIPIENT
from cjsm_connect.probes.tries import Try, all_tries
from cjsm_connect.probes.tries.domains import MOST, asked
from cjsm_connect.remote import look, smuggling
from cjsm_connect.remote import tries as remote
from cjsm_connect.results import Impact
from tests.made_up import authority, lab_file, organisation, with_relays

LAB = all_tries(organisation())


def by_id(identifier: str, made: list[Try] = LAB) -> dict[str, Any]:
    [found] = [one for one in made if one.id == identifier]
    return dict(found.arguments)


def test_every_try_has_an_id_of_its_own() -> None:
    assert len({one.id for one in LAB}) == len(LAB)


def test_every_try_runs_somewhere_that_exists_and_judges_a_managed_host() -> None:
    where = organisation()
    places = {"controller", *(host.name for host in where.hosts), *(place.name for place in where.vantage)}
    assert {one.at for one in LAB} <= places
    assert {one.subject for one in LAB} <= {host.name for host in where.hosts}


def test_every_try_is_of_a_known_kind_and_impact_and_can_be_sent() -> None:
    for one in LAB:
        assert one.kind in (look.READINGS if one.around else remote.KINDS)
        Impact(one.impact)
        json.dumps(dict(one.arguments))


def _sends_content(one: Try) -> bool:
    return "message" in one.arguments or one.kind in ("smuggle", "submit")


def test_content_goes_to_the_recipient_that_is_thrown_away_unless_mail_was_wished_for() -> None:
    for one in filter(_sends_content, LAB):
        if one.impact != Impact.HUB_MAIL:
            recipients = one.arguments.get("recipients") or [one.arguments["recipient"]]
            assert recipients == [SELF_TEST_RECIPIENT], one.id
            assert one.discards, one.id


def test_the_virus_sample_never_goes_towards_the_hub() -> None:
    samples = [one for one in LAB if "eicar" in json.dumps(dict(one.arguments))]
    assert len(samples) == 10
    # a milter only answers; it delivers nothing
    assert all((one.discards or one.kind == "scan") and one.impact == Impact.LOCAL_ACTIVE for one in samples)


def test_a_handshake_with_the_hub_ends_before_mail() -> None:
    handshakes = [one for one in LAB if one.impact == Impact.HUB_HANDSHAKE]
    assert len(handshakes) >= 2
    assert all("sender" not in one.arguments for one in handshakes)


def test_nothing_else_reaches_the_hubs_addresses() -> None:
    addresses = {str(address) for address in organisation().hub.addresses}
    others = [one for one in LAB if one.impact == Impact.LOCAL_ACTIVE and one.kind != "submit"]
    touching = [
        one for one in others if one.arguments.get("address") in addresses and one.id.split(".")[0] != "firewall"
    ]
    assert touching == []


def test_the_hubs_certificate_is_shown_from_the_hubs_source_address() -> None:
    arguments = by_id("relay.hub:relay")
    assert arguments["source"] == "203.0.113.21"
    assert arguments["tls"]["certificate"] == "/etc/cjsm-hub/client.pem"
    assert arguments["tls"]["authorities"] == authority()
    assert (arguments["address"], arguments["port"]) == ("198.51.100.10", 4545)


@pytest.mark.parametrize("name", ["relay.no-certificate:relay", "inner.no-certificate:mail:relay", "tls.TLSv1.1:relay"])
def test_where_the_other_side_should_refuse_ours_verifies_nothing(name: str) -> None:
    assert by_id(name)["tls"]["authorities"] is None


def test_the_same_innocent_envelope_makes_the_difference_a_certificate() -> None:
    hub, other = by_id("relay.hub:relay"), by_id("relay.other-member:relay")
    assert other["tls"]["certificate"] == "/etc/cjsm-hub/member.pem"
    assert [hub[key] for key in ("sender", "recipients", "source")] == [
        other[key] for key in ("sender", "recipients", "source")
    ]


def test_a_certificate_that_the_vantage_lacks_is_never_replaced_by_none() -> None:
    vantage = [{**place, "certificates": {}} for place in lab_file()["vantage"]]
    made = all_tries(organisation(vantage=vantage))
    assert "other_member" in by_id("relay.other-member:relay", made)["tls"]["certificate"]


def test_without_vantages_the_tries_are_still_listed_so_that_their_absence_is_told() -> None:
    ours = {one.id for one in LAB if not one.id.startswith("firewall.")}
    assert ours <= {one.id for one in all_tries(organisation(vantage=None))}


def test_the_large_sample_stays_below_the_declared_size() -> None:
    limit = organisation().mail.message_size_limit
    assert limit - 50_000 < by_id("relay.eicar-large:relay")["message"]["size"] < limit


@pytest.mark.parametrize("ending", smuggling.ENDINGS)
def test_each_way_to_end_a_message_too_early_is_tried(ending: str) -> None:
    assert by_id(f"relay.smuggling-{ending}:relay")["ending"] == ending


def test_every_domain_is_asked_for_and_of_a_long_list_an_even_sample() -> None:
    assert asked(organisation()) == organisation().domains.names
    names = [f"d{number:03}.example" for number in range(101)]
    many = organisation(domains={"names": names}, tests=None)
    sample = asked(many)
    assert MOST - 5 <= len(sample) <= MOST
    assert (sample[0], sample[-1]) == ("d000.example", "d096.example")


def test_without_two_mailboxes_no_message_is_sent() -> None:
    assert not [one for one in all_tries(organisation(tests=None)) if one.impact == Impact.HUB_MAIL and not one.lacking]


def test_a_message_goes_each_way_and_is_looked_for_at_the_other_end() -> None:
    ways = {one.id: one.at for one in LAB if one.impact == Impact.HUB_MAIL}
    assert ways == {
        "message.outbound-sent": "mail",
        "message.outbound-relayed:relay": "relay",
        "message.outbound-arrived": "hub",
        "message.inbound-sent": "hub",
        "message.inbound-arrived": "mail",
        "message.inbound-logged": "mail",
    }
    assert {one.id: one.follows for one in LAB if one.follows} == {
        "message.outbound-arrived": ("message.outbound-sent", "message.outbound-relayed:relay"),
        "message.inbound-arrived": ("message.inbound-sent",),
        "message.inbound-logged": ("message.inbound-sent",),
    }
    assert by_id("message.inbound-sent")["recipient"] == "clerk@council.example.cjsm.net"
    assert by_id("message.outbound-arrived")["folder"] == "/home/charity/Maildir"


def test_each_relay_beyond_the_first_hands_a_message_of_its_own_to_the_hub() -> None:
    made = [one for one in all_tries(with_relays(3)) if one.id.startswith("message.outbound-relayed:")]
    assert [(one.at, one.kind) for one in made] == [("relay", "log"), ("relay2", "submit"), ("relay3", "submit")]
    assert len({one.arguments["mark"] for one in made}) == 3
    assert {one.arguments["recipient"] for one in made} == {"advocate@charity.example.cjsm.net"}
