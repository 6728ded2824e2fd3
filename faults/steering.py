"""Ways in which mail that was accepted is thrown away, sent elsewhere, copied or held, and nobody is told."""

from __future__ import annotations

from faults import Patient, fault
from faults.connection import configure
from faults.domains import edit
from faults.relay import MASTER

AWAY = "/etc/postfix/away"
INNER_ROUTE = "council.example inner:[192.0.2.10]:2525"


def table(host: Patient, row: str) -> str:
    """A table of an administrator's own with one row."""
    host.write(AWAY, f"{row}\n")
    host.run(["postmap", f"lmdb:{AWAY}"])
    return f"lmdb:{AWAY}"


@fault("relay.header-discards", host="relay", violates="relay.nothing-steers")
def header_discards(host: Patient) -> None:
    """A rule against spam throws away what has a word in its subject."""
    host.write(AWAY, "/^Subject:.*lottery/ DISCARD spam\n")
    configure(host, header_checks=f"regexp:{AWAY}")


@fault("relay.body-redirects", host="relay", violates="relay.nothing-steers")
def body_redirects(host: Patient) -> None:
    """What has a word in its text goes to somebody else."""
    host.write(AWAY, "/strictly private/ REDIRECT curious@council.example\n")
    configure(host, body_checks=f"regexp:{AWAY}")


@fault(
    "relay.copies-for-the-archive",
    host="relay",
    violates="relay.nothing-steers",
    entails={"connection.mail-both-ways": "a copy of the test message goes to others than its recipient"},
)
def copies_for_the_archive(host: Patient) -> None:
    """Each message is copied to an archive of our own, which nobody has asked CJSM's members about."""
    configure(host, always_bcc="archive@council.example")


@fault("relay.copies-by-one-service", host="relay", violates="relay.nothing-steers")
def copies_by_one_service(host: Patient) -> None:
    """main.cf says nothing of copies: cleanup(8) has them by an option of its own in master.cf."""
    copies = table(host, "clerk@council.example archive@council.example")
    host.run(["postconf", "-P", f"cleanup/unix/recipient_bcc_maps={copies}"])
    host.reload_postfix()
    assert copies in host.run(["postconf", "-Ph", "cleanup/unix/recipient_bcc_maps"]).stdout


@fault("relay.recipient-discarded", host="relay", violates="relay.nothing-steers")
def recipient_discarded(host: Patient) -> None:
    """The listener for the hub takes mail for one person, and throws it away."""
    away = table(host, "solicitor@council.example DISCARD")
    listed = "check_recipient_access lmdb:/etc/cjsm/maps/self_test, "
    setting = "smtpd_recipient_restrictions = "
    host.replace(MASTER, f"{setting}{listed}", f"{setting}check_recipient_access {away}, {listed}")
    host.reload_postfix()
    assert away in host.run(["postconf", "-P"]).stdout


@fault(
    "relay.mail-on-hold",
    host="relay",
    violates="relay.nothing-steers",
    entails={"connection.mail-both-ways": "what is on hold arrives nowhere"},
)
def mail_on_hold(host: Patient) -> None:
    """During an inquiry all mail from the hub was put on hold at its end, and stays there."""
    held = "-o { smtpd_end_of_data_restrictions = check_client_access static:HOLD }"
    host.replace(MASTER, "-o smtpd_end_of_data_restrictions=\n", f"{held}\n")
    host.reload_postfix()
    assert "static:HOLD" in host.run(["postconf", "-P"]).stdout


@fault(
    "relay.person-discarded-by-route",
    host="relay",
    violates="relay.nothing-steers",
    entails={"domains.one-list": "the table of routes has a row that no domain asks for"},
)
def person_discarded_by_route(host: Patient) -> None:
    """The route of one person, who has left, leads nowhere: mail is taken and thrown away."""
    edit(host, "transport", f"\n{INNER_ROUTE}", f"\nsolicitor@council.example discard:\n{INNER_ROUTE}")


@fault("relay.retry-discards", host="relay", violates="relay.nothing-steers")
def retry_discards(host: Patient) -> None:
    """What should wait for a route is thrown away: the service retry runs discard(8)."""
    host.run(["postconf", "-F", "retry/unix/command=discard"])
    host.reload_postfix()
    assert host.run(["postconf", "-M", "retry/unix"]).stdout.split()[7] == "discard"


@fault("relay.unknown-to-one-mailbox", host="mail", violates="relay.nothing-steers")
def unknown_to_one_mailbox(host: Patient) -> None:
    """What nobody is the recipient of goes to one person, as a catch-all of before."""
    configure(host, luser_relay="clerk")
