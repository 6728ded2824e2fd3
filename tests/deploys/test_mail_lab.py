"""Mail on real hosts, asserted at the receiver: both ways, refused for nobody, later when the mail server is away."""

import json
import time

import pytest

from cjsm_connect.lab import Lab, mailboxes

pytestmark = pytest.mark.lab

OURS = "clerk@council.example"
THEIRS = "advocate@charity.example"


@pytest.fixture
def hub(lab: Lab):
    """The simulated hub, which behaves again after the test."""
    yield lab.hub
    lab.hub.behave()


def until(seen, seconds=20):
    """Wait for something to be seen; the last answer, whatever it is."""
    end = time.monotonic() + seconds
    while not (found := seen()) and time.monotonic() < end:
        time.sleep(0.2)
    return found


TEXT = "Wie geht es? £5, ünïcode, and a dot:\n.\nend\n"


def message(sender, recipient, subject):
    kind = "MIME-Version: 1.0\nContent-Type: text/plain; charset=utf-8\nContent-Transfer-Encoding: 8bit\n"
    return f"From: {sender}\nTo: {recipient}\nSubject: {subject}\n{kind}\n{TEXT}"


def subjects(lab, host, user):
    return [str(found["Subject"]) for found in mailboxes.messages(lab.name, host, user)]


def told(lab, *words):
    """The lines of the relay's mail log that hold all the words."""
    lines = lab.exec("relay", ["cat", "/var/log/cjsm/mail.log"]).stdout.splitlines()
    return [line for line in lines if all(word in line for word in words)]


def waiting(lab):
    """Recipients in the relay's queue, with why they wait."""
    rows = lab.exec("relay", ["postqueue", "-j"]).stdout.splitlines()
    found = [recipient for row in rows for recipient in json.loads(row)["recipients"]]
    return {recipient["address"]: recipient.get("delay_reason", "") for recipient in found}


def send_out(lab, subject):
    recipient = f"{THEIRS}.cjsm.net"
    mailboxes.send(lab.name, "mail", OURS, [recipient], message(OURS, recipient, subject))


@pytest.mark.touches("mail", "relay", "hub")
def test_a_message_arrives_at_another_member_unharmed_and_from_the_suffixed_sender(lab):
    send_out(lab, "out")
    found = until(lambda: [one for one in mailboxes.messages(lab.name, "hub", "charity") if one["Subject"] == "out"])
    assert [str(one["From"]) for one in found] == [f"{OURS}.cjsm.net"]
    assert found[0].get_content().startswith(TEXT)


@pytest.mark.touches("mail", "relay", "hub")
@pytest.mark.parametrize("rewriting", ["both", "envelope", "header"])
def test_a_message_from_another_member_arrives_however_the_hub_rewrites(lab, hub, rewriting):
    hub.configure(rewriting=rewriting, footer=True)
    recipient = f"{OURS}.cjsm.net" if rewriting != "header" else OURS
    mailboxes.send(lab.name, "hub", THEIRS, [recipient], message(THEIRS, recipient, f"in {rewriting}"))
    assert until(lambda: f"in {rewriting}" in subjects(lab, "mail", "clerk"))


@pytest.mark.touches("mail", "relay", "hub")
def test_a_message_for_nobody_is_refused_to_the_hub_and_never_bounced(lab):
    recipient = "nobody.of.that.name@council.example.cjsm.net"
    mailboxes.send(lab.name, "hub", THEIRS, [recipient], message(THEIRS, recipient, "nobody"))
    assert until(lambda: told(lab, "nobody.of.that.name", "reject: RCPT"))
    assert " 550 " in told(lab, "nobody.of.that.name", "reject: RCPT")[0]
    assert "nobody.of.that.name" not in str(waiting(lab))
    assert not told(lab, "nobody.of.that.name", "status=bounced")


@pytest.mark.touches("mail", "relay", "hub")
def test_the_hub_is_told_to_come_back_while_the_mail_server_is_away(lab):
    lab.exec("mail", ["systemctl", "stop", "postfix.service"])
    recipient = f"{OURS}.cjsm.net"
    mailboxes.send(lab.name, "hub", THEIRS, [recipient], message(THEIRS, recipient, "later"))
    deferred = until(lambda: [row for row in mailboxes.log(lab.name, "hub").splitlines() if "status=deferred" in row])
    assert deferred and " 45" in deferred[0], "a message that could arrive later must not be refused for good"
    lab.exec("mail", ["systemctl", "start", "postfix.service"])
    lab.exec("relay", ["systemctl", "stop", "postfix.service"])
    lab.exec("relay", ["sh", "-c", "rm -f /var/lib/postfix/verify_cache.*"])  # or the outage is remembered for a while
    lab.exec("relay", ["systemctl", "start", "postfix.service"])
    lab.exec("hub", ["postqueue", "-f"])
    assert until(lambda: "later" in subjects(lab, "mail", "clerk"), 30)


@pytest.mark.touches("mail", "relay")
def test_mail_to_the_internet_does_not_pass_the_relay_and_never_leaves_it(lab):
    stranger = "someone@internet.example"
    mailboxes.send(lab.name, "relay", "root@relay.council.example", [stranger], message(OURS, stranger, "astray"))
    assert until(lambda: told(lab, stranger, "this relay carries CJSM mail only"))
    assert not told(lab, stranger, "status=sent")
    assert stranger not in mailboxes.log(lab.name, "outside")
