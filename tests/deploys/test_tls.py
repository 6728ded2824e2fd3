"""tls as Desired: keys made where they are used, requests for the operator, and what waits for an answer."""

from __future__ import annotations

from cjsm_connect.desired import Desired
from deploys.tls import desired
from tests.deploys.mail import answered, content
from tests.made_up import authority, organisation


def on(host: str) -> Desired:
    where = organisation()
    return desired(where, where.host(host))


def test_the_relay_has_a_key_for_the_hub_and_one_for_the_inner_hop() -> None:
    assert [key.name for key in on("relay").keys] == ["hub", "inner"]
    assert [key.name for key in on("mail").keys] == ["inner"]
    assert on("firewall") == Desired()


def test_keys_lie_in_a_folder_that_only_root_can_open() -> None:
    folders = {folder.path: folder.mode for folder in on("relay").directories}
    assert folders["/etc/cjsm/tls"] == 0o700
    assert all(key.path.startswith("/etc/cjsm/tls/") for key in on("relay").keys)


def test_a_certificate_is_asked_for_the_hosts_full_name() -> None:
    (hub, _) = on("relay").keys
    assert (hub.common_name, hub.names) == ("relay.council.example", ("relay.council.example",))
    assert hub.organisation == "Exampleshire Council"


def test_no_private_key_is_part_of_what_is_sent() -> None:
    assert not any("PRIVATE" in file.content for file in on("relay").files)


def test_while_the_operator_has_not_answered_it_is_said_what_to_send_to_whom() -> None:
    hub, inner = on("relay").waiting
    assert "certificates/relay.csr to the CJSM helpdesk" in hub and "certificates/relay.pem" in hub
    assert "certificates/relay-inner.csr" in inner


def test_nothing_waits_once_all_have_answered() -> None:
    where = answered()
    assert not desired(where, where.host("relay")).waiting
    assert desired(where, where.host("relay")).keys[0].certificate == authority()


def test_the_mail_server_does_not_trust_the_operators_ca() -> None:
    assert content(on("relay"), "/etc/cjsm/tls/hub-ca.pem") == authority()
    assert [file.path for file in on("mail").files] == ["/etc/cjsm/tls/inner-ca.pem"]


def test_an_exim_mail_server_gets_no_key_of_postfix() -> None:
    hosts = [host if host["name"] != "mail" else {**host, "mta": "exim", "mailboxes": "existing"} for host in _hosts()]
    where = organisation(hosts=hosts)
    assert desired(where, where.host("mail")) == Desired()


def _hosts() -> list[dict[str, object]]:
    from tests.made_up import lab_file

    hosts: list[dict[str, object]] = lab_file()["hosts"]
    return hosts
