"""The drawing says what the firewall rules are made from: every flow, with its ports and its protection."""

import re
from html import unescape

import pytest

from cjsm_connect.organisation.flows import flows
from cjsm_connect.reports.diagram import drawing
from tests.made_up import organisation, with_relays
from tests.reports.test_html import page


def ends(made):
    """(from, to, label, kind) of each arrow, by the titles that people read."""
    at = {party.x: party.title for party in made.parties}
    return [(at[arrow.start], at[arrow.end], arrow.label, arrow.kind) for arrow in made.arrows]


def test_mail_goes_between_hub_relay_and_mail_server_protected_at_every_hop():
    found = ends(drawing(organisation()))
    relay, mail = "relay.council.example", "mail.council.example"
    for row in (
        (relay, "CJSM hub", "TCP 4545", "secure"),
        ("CJSM hub", relay, "TCP 4545", "secure"),
        (mail, relay, "TCP 2525", "secure"),
        (relay, mail, "TCP 2525", "secure"),
        ("Internet", mail, "TCP 25", "open"),
    ):
        assert row in found


@pytest.mark.parametrize("estate", [organisation(), with_relays(3)], ids=["one relay", "three relays"])
def test_every_flow_of_every_host_is_drawn(estate):
    drawn = {title for row in ends(drawing(estate)) for title in row[:2]}
    assert {host.fqdn for host in estate.hosts} <= drawn
    ports = {port for arrow in drawing(estate).arrows for port in re.findall(r"\d+", arrow.label)}
    assert ports == {str(port) for flow in flows(estate) for port in flow.ports}


def test_parties_of_one_network_stand_together_from_the_outside_in():
    made = drawing(organisation())
    assert [band.title for band in made.bands] == ["outside", "lan | dmz | wan", "dmz", "lan"]
    assert sum(band.width for band in made.bands) == made.width - 60


def test_the_protection_follows_the_organisation_file():
    implicit = drawing(organisation(hub={"mode": "implicit"}))
    assert any("TLS from the first byte" in arrow.detail for arrow in implicit.arrows)


def test_who_cannot_see_the_drawing_can_read_it():
    said = unescape(re.search(r'<desc id="estate-desc">(.*?)</desc>', page(), re.DOTALL)[1])
    assert "relay.council.example to CJSM hub: TCP 4545, SMTP, STARTTLS demanded, certificates on both ends." in said
