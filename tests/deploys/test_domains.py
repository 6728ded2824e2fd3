"""domains as Desired: one list, and every table that follows from it."""

from __future__ import annotations

import pytest

from tests.deploys.mail import answered, table, wanted
from tests.made_up import organisation

OWN = {"council.example", "licensing.council.example"}
HUB = "cjsm:[hub.cjsm.example]:4545"
FILE = {"recipients": {"mode": "file", "addresses": ["clerk@council.example"]}}
SUFFIXED = {"domains": {"accept_suffixed": True}}


def test_a_declared_domain_is_in_every_table() -> None:
    relay = wanted(answered(), "relay")
    assert set(table(relay, "relay_domains")) == OWN
    assert set(table(relay, "recipients")) == OWN
    assert set(table(relay, "transport")) >= OWN
    assert set(table(wanted(answered(), "mail"), "local_domains")) == OWN


def test_cjsm_and_everything_below_it_has_one_route() -> None:
    assert {name: table(wanted(answered(), "relay"), "transport")[name] for name in ("cjsm.net", ".cjsm.net")} == {
        "cjsm.net": HUB,
        ".cjsm.net": HUB,
    }
    mail = table(wanted(answered(), "mail"), "transport")
    assert {mail[name] for name in ("cjsm.net", ".cjsm.net")} == {"cjsm-inner:[198.51.100.10]:2525"}
    for hub in ("hub.cjsm.example", "[203.0.113.20]", "[203.0.113.21]"):
        assert mail[hub].startswith("error:5.1.2 "), "the hub itself would be reached without TLS"


def test_no_route_can_look_up_mx() -> None:
    for host in ("relay", "mail"):
        for route in table(wanted(answered(), host), "transport").values():
            assert ":[" in route or route.startswith(("discard:", "error:"))


def test_each_next_hop_has_a_policy_under_the_same_text() -> None:
    for host in ("relay", "mail"):
        desired = wanted(answered(), host)
        hops = {route.partition(":")[2] for route in table(desired, "transport").values() if ":[" in route}
        assert hops == set(table(desired, "tls_policy"))


def test_every_policy_proves_a_name_and_never_falls_back() -> None:
    policies = table(wanted(answered(), "relay"), "tls_policy")
    assert policies["[hub.cjsm.example]:4545"].startswith("secure match=hub.cjsm.example ")
    assert policies["[192.0.2.10]:2525"].startswith("secure match=mail.council.example ")
    assert all("protocols=>=TLSv1.2" in policy for policy in policies.values())


def test_several_names_of_the_hub_are_all_accepted() -> None:
    where = answered(hub={"match": ["a.cjsm.example", "b.cjsm.example"]})
    policy = table(wanted(where, "relay"), "tls_policy")["[hub.cjsm.example]:4545"]
    assert "match=a.cjsm.example:b.cjsm.example" in policy


def test_mail_waits_while_there_is_no_certificate() -> None:
    routes = table(wanted(organisation(), "relay"), "transport")
    assert routes[".cjsm.net"].startswith("retry:4.7.5 ")
    assert routes["council.example"].startswith("retry:4.7.5 ")
    assert table(wanted(organisation(), "mail"), "transport")["cjsm.net"].startswith("retry:4.7.5 ")


def test_the_self_test_recipient_goes_nowhere() -> None:
    assert table(wanted(answered(), "relay"), "transport")["discard@selftest.invalid"].startswith("discard:")


def test_the_mail_server_is_asked_in_our_domains_only() -> None:
    assert set(table(wanted(answered(), "relay"), "recipients").values()) == {"reject_unverified_recipient, permit"}


def test_a_list_of_recipients_is_the_table() -> None:
    assert table(wanted(answered(**FILE), "relay"), "recipients") == {"clerk@council.example": "OK"}


@pytest.mark.parametrize("name", ["council.example.cjsm.net", "licensing.council.example.cjsm.net"])
def test_suffixed_addresses_are_taken_only_if_that_was_agreed(name: str) -> None:
    assert name not in table(wanted(answered(), "relay"), "relay_domains")
    assert f"@{name}" not in table(wanted(answered(), "relay"), "aliases")
    agreed = wanted(answered(**SUFFIXED), "relay")
    assert name in table(agreed, "relay_domains") and name in table(agreed, "recipients")
    assert table(agreed, "aliases")[f"@{name}"] == f"@{name.removesuffix('.cjsm.net')}"


def test_suffixed_addresses_from_inside_still_go_to_the_hub() -> None:
    assert "council.example.cjsm.net" not in table(wanted(answered(**SUFFIXED), "relay"), "transport")


def test_the_relays_own_postmaster_is_a_person() -> None:
    assert (
        table(wanted(answered(), "relay"), "aliases")["postmaster@relay.council.example"]
        == "it.helpdesk@council.example"
    )


def test_a_helpdesk_elsewhere_is_not_written_to_from_the_relay() -> None:
    elsewhere = {"name": "IT", "email": "it@provider.example", "telephone": "020 7946 0003"}
    where = answered(contacts={"helpdesk": elsewhere})
    assert table(wanted(where, "relay"), "aliases")["root@relay.council.example"] == "postmaster@council.example"


def test_keys_are_pinned_where_the_organisation_says_so() -> None:
    hosts = [{**host, "inner_fingerprint": "cd" * 32} for host in _hosts()]
    where = answered(hosts=hosts, inner={"mode": "pinned", "ca_file": None})
    policy = table(wanted(where, "relay"), "tls_policy")["[192.0.2.10]:2525"]
    assert policy.startswith(f"fingerprint match={':'.join(['cd'] * 32)} ")


def test_two_renderings_are_the_same() -> None:
    assert wanted(answered(), "relay") == wanted(answered(), "relay")


def _hosts() -> list[dict[str, object]]:
    from tests.made_up import lab_file

    hosts: list[dict[str, object]] = lab_file()["hosts"]
    return hosts
