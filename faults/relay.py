"""Ways in which Postfix sends what it must keep, or takes what it must refuse."""

from __future__ import annotations

from faults import Patient, fault
from faults.connection import HUB_SIDE, INNER_SIDE, configure, override, service
from faults.domains import HUB, edit

MAIN = "/etc/postfix/main.cf"
MASTER = "/etc/postfix/master.cf"
SELF_TEST = "smtpd_relay_restrictions = check_recipient_access lmdb:/etc/cjsm/maps/self_test"
HUB_POLICY = "[hub.cjsm.example]:4545 secure match=hub.cjsm.example protocols=>=TLSv1.2 ciphers=high"


@fault("relay.policy-may", host="relay", violates="relay.never-clear-text")
def policy_may(host: Patient) -> None:
    """TLS to the hub is used when it works, and left away when it does not."""
    edit(host, "tls_policy", HUB_POLICY, "[hub.cjsm.example]:4545 may")


@fault("relay.policy-any-name", host="relay", violates="relay.never-clear-text")
def policy_any_name(host: Patient) -> None:
    """Mail is encrypted to whoever answers at the hub's address."""
    edit(host, "tls_policy", HUB_POLICY, "[hub.cjsm.example]:4545 encrypt protocols=>=TLSv1.2")


@fault(
    "relay.policy-under-another-name",
    host="relay",
    violates="relay.never-clear-text",
    entails={"domains.no-mx": "the next hop has no policy under its own name"},
)
def policy_under_another_name(host: Patient) -> None:
    """The policy is written for the domain, where Postfix looks for the next hop."""
    edit(host, "tls_policy", HUB_POLICY, "cjsm.net secure match=hub.cjsm.example")


@fault(
    "relay.route-to-mx",
    host="relay",
    violates="relay.route",
    entails={
        "domains.no-mx": "the route has no next hop in brackets",
        "connection.mail-both-ways": "the mail does not go to the hub",
    },
)
def route_to_mx(host: Patient) -> None:
    """CJSM mail goes where the DNS says."""
    edit(host, "transport", f".cjsm.net {HUB}", ".cjsm.net cjsm:")


@fault("relay.ways-out", host="relay", violates="relay.no-mx")
def ways_out(host: Patient) -> None:
    """Postfix's stock service and default route came back, as after a copied example."""
    host.write(MASTER, host.read(MASTER) + "smtp unix - - n - - smtp\n")
    configure(host, default_transport="smtp")
    assert host.run(["postconf", "-M", "smtp/unix"]).stdout.strip()


def permit(host: Patient, restriction: str) -> None:
    """Put a permission before the refusal of the listener for the hub."""
    refusal = f"{SELF_TEST}, reject_unauth_destination"
    host.replace(MASTER, refusal, f"{SELF_TEST}, {restriction}, reject_unauth_destination")
    host.run(["postfix", "reload"])
    assert restriction in host.run(["postconf", "-P"]).stdout


@fault("relay.trusts-the-dmz", host="relay", violates="relay.no-open-relay")
def trusts_the_dmz(host: Patient) -> None:
    """Every host of the DMZ may send through the listener for the hub."""
    permit(host, "permit_mynetworks")
    configure(host, mynetworks="198.51.100.0/24")


@fault("relay.hub-may-relay", host="relay", violates="relay.no-open-relay")
def hub_may_relay(host: Patient) -> None:
    """Whoever has a known certificate may send anywhere, as a manual's example has it."""
    permit(host, "permit_tls_clientcerts")


@fault("relay.strangers-key", host="relay", violates="relay.only-the-hub")
def strangers_key(host: Patient) -> None:
    """One more public key is known as the hub's."""
    table = "hub_certificates"
    first = host.read(f"/etc/cjsm/maps/{table}").splitlines()[0]
    edit(host, table, first, f"{first}\n{':'.join(['5e'] * 32)} OK")


@fault("relay.any-address", host="relay", violates="relay.only-the-hub")
def any_address(host: Patient) -> None:
    """The hub's key is good from everywhere."""
    host.replace(MASTER, "check_client_access cidr:/etc/cjsm/maps/hub_sources, ", "")
    host.run(["postfix", "reload"])
    assert "hub_sources" not in host.run(["postconf", "-P"]).stdout


@fault("relay.old-tls", host="relay", violates="relay.only-the-hub")
def old_tls(host: Patient) -> None:
    """The listener for the hub accepts every version of TLS."""
    override(host, HUB_SIDE, smtpd_tls_mandatory_protocols=">=TLSv1")


@fault(
    "relay.takes-every-recipient",
    host="relay",
    violates="relay.unknown-recipients",
    entails={"connection.unknown-recipients": "that is what it does"},
)
def takes_every_recipient(host: Patient) -> None:
    """The mail server is not asked any more whether a recipient exists."""
    override(host, HUB_SIDE, smtpd_recipient_restrictions="")


@fault("relay.bare-newlines", host="relay", violates="relay.no-smuggling")
def bare_newlines(host: Patient) -> None:
    """The default of Debian 12 is back: a bare line feed may end a line."""
    override(host, HUB_SIDE, smtpd_forbid_bare_newline="no")


@fault("relay.inner-for-everybody", host="relay", violates="relay.inner-hop")
def inner_for_everybody(host: Patient) -> None:
    """Every host with a certificate of the inner CA may send into CJSM."""
    override(host, INNER_SIDE, smtpd_client_restrictions="permit")


@fault("relay.anybody-sends-as-us", host="relay", violates="relay.inner-hop")
def anybody_sends_as_us(host: Patient) -> None:
    """Forwarded mail from the internet may go on into CJSM."""
    override(host, INNER_SIDE, smtpd_sender_restrictions="")


@fault("relay.misspelled", host="relay", violates="relay.configuration")
def misspelled(host: Patient) -> None:
    """A setting with a typing error, which Postfix passes over in silence."""
    host.write(MAIN, host.read(MAIN) + "smtp_tls_securty_level = secure\n")
    host.run(["postfix", "reload"])
    assert "smtp_tls_securty_level" in host.run(["postconf", "-n"]).stderr


@fault("relay.not-loaded", host="relay", violates="relay.configuration")
def not_loaded(host: Patient) -> None:
    """main.cf was edited and Postfix was not told."""
    host.write(MAIN, host.read(MAIN) + "# edited, never loaded\n")
    assert "never loaded" in host.read(MAIN)


@fault("relay.port-25", host="relay", violates="relay.configuration")
def port_25(host: Patient) -> None:
    """A listener on port 25 was opened for a test, and stayed."""
    host.write(MASTER, host.read(MASTER) + "smtp inet n - n - - smtpd\n")
    host.run(["postfix", "reload"])
    assert host.run(["postconf", "-M", "smtp/inet"]).stdout.strip()


@fault("relay.gives-up-early", host="relay", violates="relay.mail-moves")
def gives_up_early(host: Patient) -> None:
    """Mail is returned after an hour of the hub's maintenance."""
    configure(host, maximal_queue_lifetime="1h")


@fault("relay.nothing-written-down", host="relay", violates="relay.tls-facts")
def nothing_written_down(host: Patient) -> None:
    """How mail was encrypted is not in the log any more."""
    host.run(["postconf", "-P", f"{service(host, HUB_SIDE)}/smtpd_tls_loglevel=0"])
    host.run(["postfix", "reload"])
    assert "loglevel = 0" in host.run(["postconf", "-P"]).stdout


@fault("relay.everybody-submits", host="relay", violates="relay.no-automated-mail")
def everybody_submits(host: Patient) -> None:
    """Any program on the relay can send through CJSM."""
    configure(host, authorized_submit_users="static:anyone")


@fault("relay.self-test-reaches-the-hub", host="relay", violates="relay.self-test")
def self_test_reaches_the_hub(host: Patient) -> None:
    """The route that throws test messages away is gone: they would go out to the hub."""
    edit(host, "transport", "discard@selftest.invalid discard:self-test", f"discard@selftest.invalid {HUB}")


@fault(
    "relay.no-route-on-mail",
    host="mail",
    violates="relay.route",
    entails={"connection.mail-both-ways": "the mail does not go to the relay"},
)
def no_route_on_mail(host: Patient) -> None:
    """The mail server's table knows cjsm.net, and nothing below it."""
    edit(host, "transport", ".cjsm.net cjsm-inner:[198.51.100.10]:2525\n", "")


@fault(
    "relay.forged-senders",
    host="mail",
    violates="relay.no-forged-senders",
    entails={"connection.no-forged-senders": "that is what it accepts"},
)
def forged_senders(host: Patient) -> None:
    """Anybody on the internet can write as a court."""
    configure(host, smtpd_sender_restrictions="")


@fault("relay.public-side-in-clear", host="mail", violates="relay.public-side")
def public_side_in_clear(host: Patient) -> None:
    """The mail server offers TLS to nobody on the internet."""
    configure(host, smtpd_tls_security_level="none")
