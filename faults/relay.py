"""Ways in which Postfix sends what it must keep, or takes what it must refuse."""

from __future__ import annotations

from faults import Patient, fault
from faults.connection import HUB_SIDE, INNER_SIDE, configure, override, service
from faults.domains import HUB, edit

MAIN = "/etc/postfix/main.cf"
OLD_ENOUGH = 4  # seconds: what is edited while Postfix starts may have been read
SPOOL = "/var/spool/postfix"
MASTER = "/etc/postfix/master.cf"
SELF_TEST = "smtpd_relay_restrictions = check_recipient_access lmdb:/etc/cjsm/maps/self_test"
DISGUISED = "/etc/cjsm/maps/disguised_domains"
MAIL_SERVER = "[192.0.2.10]:2525"
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
    "relay.policy-wrong-name",
    host="relay",
    violates="relay.never-clear-text",
    entails={"connection.mail-both-ways": "the hub does not prove that name, and mail waits"},
)
def policy_wrong_name(host: Patient) -> None:
    """The hub is asked for the name that it had before."""
    edit(host, "tls_policy", "match=hub.cjsm.example", "match=old-hub.cjsm.example")


@fault("relay.inner-policy-may", host="relay", violates="relay.never-clear-text")
def inner_policy_may(host: Patient) -> None:
    """TLS to the mail server is used when it works."""
    edit(host, "tls_policy", f"{MAIL_SERVER} secure match=mail.council.example", f"{MAIL_SERVER} may")


@fault("relay.inner-policy-encrypt", host="mail", violates="relay.never-clear-text")
def inner_policy_encrypt(host: Patient) -> None:
    """The mail server encrypts to whoever answers at the relay's address."""
    edit(host, "tls_policy", "secure match=relay.council.example", "encrypt")


@fault("relay.a-letter-turns-tls-off", host="relay", violates="relay.no-letter-steers")
def a_letter_turns_tls_off(host: Patient) -> None:
    """The default of Debian 13 is back: "TLS-Required: no" in a message sends it to the hub in clear text."""
    override(host, "postfix/cjsm", tls_required_enable="yes")


@fault("relay.a-letter-turns-tls-off-inside", host="relay", violates="relay.no-letter-steers")
def a_letter_turns_tls_off_inside(host: Patient) -> None:
    """The same on the way from the relay to the mail server: the line was taken out."""
    host.run(["postconf", "-PX", f"{service(host, 'postfix/inner')}/tls_required_enable"])
    configure(host, tls_required_enable="yes")


@fault("relay.a-letter-turns-tls-off-on-mail", host="mail", violates="relay.no-letter-steers")
def a_letter_turns_tls_off_on_mail(host: Patient) -> None:
    """The mail server obeys the header on its way to the relay."""
    override(host, "postfix/cjsm-inner", tls_required_enable="yes")


@fault("relay.disguised-domain", host="mail", violates="relay.no-letter-steers")
def disguised_domain(host: Patient) -> None:
    """transport_maps was put back to what the manual's example has: an address with a full-width dot goes by MX."""
    configure(host, transport_maps="lmdb:/etc/cjsm/maps/transport")


@fault("relay.sender-in-disguise", host="mail", violates="relay.no-forged-senders")
def sender_in_disguise(host: Patient) -> None:
    """Senders are asked about in the table of plain names only: "cjsm.net" with a full-width dot passes for CJSM."""
    configure(host, smtpd_sender_restrictions="check_sender_access lmdb:/etc/cjsm/maps/cjsm_senders")


@fault("relay.one-disguise-forgotten", host="mail", violates="relay.no-letter-steers")
def one_disguise_forgotten(host: Patient) -> None:
    """The line about one invisible character was taken out, because a user complained of it."""
    rows = host.read(DISGUISED).splitlines(keepends=True)
    host.write(DISGUISED, "".join(row for row in rows if "U+200B" not in row))
    host.reload_postfix()
    assert "U+200B" not in host.read(DISGUISED)


@fault("relay.mx-answers-for-cjsm", host="mail", violates="relay.no-letter-steers")
def mx_answers_for_cjsm(host: Patient) -> None:
    """The public DNS is asked for CJSM again, if a route should ever be missing."""
    configure(host, smtp_dns_reply_filter="")


@fault("relay.one-service-asks-dns", host="mail", violates="relay.no-letter-steers")
def one_service_asks_dns(host: Patient) -> None:
    """The service that mail to the internet leaves by has a filter of its own, which is empty."""
    host.run(["postconf", "-P", "smtp/unix/smtp_dns_reply_filter="])
    host.reload_postfix()
    assert not host.run(["postconf", "-Ph", "smtp/unix/smtp_dns_reply_filter"]).stdout.strip()


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


@fault("relay.domain-itself-forgotten", host="relay", violates="relay.route")
def domain_itself_forgotten(host: Patient) -> None:
    """The relay knows what is below cjsm.net, and not cjsm.net."""
    edit(host, "transport", f"cjsm.net {HUB}\n.cjsm.net", ".cjsm.net")


@fault("relay.fallback", host="relay", violates="relay.no-mx")
def fallback(host: Patient) -> None:
    """What the hub does not take at once goes to the provider's smart host."""
    client = "cjsm/unix"
    host.run(["postconf", "-P", f"{client}/smtp_fallback_relay=[203.0.113.32]:25"])
    host.reload_postfix()
    assert host.run(["postconf", "-Ph", f"{client}/smtp_fallback_relay"]).stdout.strip() == "[203.0.113.32]:25"


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
    host.reload_postfix()
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


@fault(
    "relay.users-may-relay",
    host="relay",
    violates="relay.no-open-relay",
)
def users_may_relay(host: Patient) -> None:
    """Whoever logs in by SASL may send anywhere, as on a mail server for users."""
    permit(host, "permit_sasl_authenticated")


@fault("relay.strangers-key", host="relay", violates="relay.only-the-hub")
def strangers_key(host: Patient) -> None:
    """One more public key is known as the hub's."""
    table = "hub_certificates"
    first = host.read(f"/etc/cjsm/maps/{table}").splitlines()[0]
    edit(host, table, first, f"{first}\n{':'.join(['5e'] * 32)} OK")


@fault("relay.revoked-key-kept", host="relay", violates="relay.only-the-hub")
def revoked_key_kept(host: Patient) -> None:
    """The hub's former key was revoked by the operator; a table of before still lets it in."""
    former = "/etc/postfix/former_hub"
    host.write(former, f"{':'.join(['5e'] * 32)} OK\n")
    host.run(["postmap", f"lmdb:{former}"])
    asked = "check_ccert_access lmdb:/etc/cjsm/maps/hub_certificates, "
    host.replace(MASTER, asked, f"{asked}check_ccert_access lmdb:{former}, ")
    host.reload_postfix()
    assert former in host.run(["postconf", "-P"]).stdout


@fault("relay.any-address", host="relay", violates="relay.only-the-hub")
def any_address(host: Patient) -> None:
    """The hub's key is good from everywhere."""
    host.replace(MASTER, "check_client_access cidr:/etc/cjsm/maps/hub_sources, ", "")
    host.reload_postfix()
    assert "hub_sources" not in host.run(["postconf", "-P"]).stdout


@fault(
    "relay.takes-every-recipient",
    host="relay",
    violates="relay.unknown-recipients",
    entails={"connection.unknown-recipients": "that is what it does"},
)
def takes_every_recipient(host: Patient) -> None:
    """The mail server is not asked any more whether a recipient exists."""
    override(host, HUB_SIDE, smtpd_recipient_restrictions="")


@fault("relay.bare-newlines-outwards", host="relay", violates="relay.no-smuggling")
def bare_newlines_outwards(host: Patient) -> None:
    """The mail server's users could hide a second message on their way to the hub."""
    override(host, INNER_SIDE, smtpd_forbid_bare_newline="no")


@fault("relay.bare-newlines-from-the-internet", host="mail", violates="relay.no-smuggling")
def bare_newlines_from_the_internet(host: Patient) -> None:
    """On the public port a bare line feed may end a message."""
    configure(host, smtpd_forbid_bare_newline="no")


@fault(
    "relay.bare-newlines",
    host="relay",
    violates="relay.no-smuggling",
    entails={"connection.no-smuggling": "a message hidden in another gets in"},
)
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
    host.reload_postfix()
    assert "smtp_tls_securty_level" in host.run(["postconf", "-n"]).stderr


@fault("relay.not-loaded", host="relay", violates="relay.configuration")
def not_loaded(host: Patient) -> None:
    """main.cf was edited and Postfix was not told."""
    while int(host.run(["ps", "-C", "qmgr", "-o", "etimes="]).stdout) < OLD_ENOUGH:
        host.run(["sleep", "0.2"])
    host.write(MAIN, host.read(MAIN) + "# edited, never loaded\n")
    assert "never loaded" in host.read(MAIN)


@fault(
    "relay.port-25",
    host="relay",
    violates="relay.configuration",
    entails={"firewall.only-needed-services": "no declared flow leads to port 25 of the relay"},
)
def port_25(host: Patient) -> None:
    """A listener on port 25 was opened for a test, and stayed."""
    host.write(MASTER, host.read(MASTER) + "smtp inet n - n - - smtpd\n")
    host.reload_postfix()
    assert host.run(["postconf", "-M", "smtp/inet"]).stdout.strip()


@fault("relay.gives-up-early", host="relay", violates="relay.mail-moves")
def gives_up_early(host: Patient) -> None:
    """Mail is returned after an hour of the hub's maintenance."""
    configure(host, maximal_queue_lifetime="1h")


@fault("relay.queue-in-memory", host="relay", violates="relay.queue-kept")
def queue_in_memory(host: Patient) -> None:
    """Somebody made the queue quicker: a restart of the host loses what waits in it."""
    host.run(["systemctl", "stop", "postfix.service"])
    host.run(["cp", "-a", SPOOL, "/root/spool"])
    host.run(["mount", "-t", "tmpfs", "memory", SPOOL])
    host.run(["cp", "-a", "/root/spool/.", SPOOL])
    host.run(["systemctl", "start", "postfix.service"])
    assert host.run(["findmnt", "-no", "FSTYPE", SPOOL]).stdout.strip() == "tmpfs"


@fault(
    "relay.nothing-written-down",
    host="relay",
    violates="relay.tls-facts",
    entails={"logging.tls-facts": "it is asked of the log of every service"},
)
def nothing_written_down(host: Patient) -> None:
    """How mail was encrypted is not in the log any more."""
    host.run(["postconf", "-P", f"{service(host, HUB_SIDE)}/smtpd_tls_loglevel=0"])
    host.reload_postfix()
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
