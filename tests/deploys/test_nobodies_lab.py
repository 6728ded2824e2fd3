"""Nobody is taken for a recipient: asked with RCPT from the internet and through the hub; nothing is bounced later."""

import json

import pytest

from cjsm_connect.lab import mailboxes
from tests.deploys.test_mail_lab import OURS, THEIRS, message, subjects, until

pytestmark = pytest.mark.lab

ASK = """
import json, smtplib, sys
with smtplib.SMTP("192.0.2.10", 25, "mx.internet.example", 20, ("203.0.113.31", 0)) as session:
    session.ehlo()
    session.mail("stranger@internet.example")
    print(json.dumps({name: session.rcpt(name + "@council.example")[0] for name in sys.argv[1:]}))
"""
ACCOUNTS = ("nobody", "www-data", "daemon", "sshd", "list", "postfix", "_apt", "systemd-network", "mail", "bin")
FORMS = ("nobody+x", "www-data+clerk", "DAEMON", '"sshd"', "mail-owner", "owner-list")


def told(lab, *names):
    """The code to RCPT for each name, as the internet hears it on the public port."""
    return json.loads(lab.exec("outside", ["python3", "-c", ASK, *names]).stdout)


def bounced(lab):
    return [
        line for line in lab.exec("mail", ["cat", "/var/log/cjsm/mail.log"]).stdout.splitlines() if "=bounced" in line
    ]


@pytest.mark.touches("mail")
def test_the_internet_is_refused_accounts_of_the_system_in_every_form(lab):
    assert told(lab, *ACCOUNTS[:5]) == dict.fromkeys(ACCOUNTS[:5], 550)
    assert told(lab, *ACCOUNTS[5:]) == dict.fromkeys(ACCOUNTS[5:], 550)
    assert told(lab, *FORMS) == dict.fromkeys(FORMS, 550)


@pytest.mark.touches("mail")
def test_people_and_their_aliases_are_recipients_in_every_form(lab):
    people = ("clerk", "Clerk", "clerk+case.7", "solicitor", "postmaster", "root", "it.helpdesk")
    assert told(lab, *people) == dict.fromkeys(people, 250)


@pytest.mark.touches("mail")
def test_an_account_without_a_home_and_an_alias_to_a_program_or_file_are_no_recipients(lab):
    lab.exec(
        "mail", ["useradd", "--no-create-home", "--home-dir", "/nonexistent", "--shell", "/usr/sbin/nologin", "ghost"]
    )
    lab.exec("mail", ["useradd", "--system", "--no-create-home", "robot"])
    aliases = {"prog": '"|/bin/false"', "bare": "|/bin/false", "file": "/var/tmp/box", "both": 'clerk, "|/bin/false"'}
    lab.exec("mail", ["tee", "-a", "/etc/aliases"], input="".join(f"{name}: {to}\n" for name, to in aliases.items()))
    lab.exec("mail", ["newaliases"])
    names = ("ghost", "robot", *aliases)
    assert told(lab, *names) == dict.fromkeys(names, 550)


@pytest.mark.touches("mail", "relay", "hub")
def test_the_hub_is_refused_them_too_and_learns_it_at_once(lab):
    recipients = [f"{name}@council.example.cjsm.net" for name in ("www-data", "nobody+x", "daemon")]
    mailboxes.send(lab.name, "hub", THEIRS, recipients, message(THEIRS, recipients[0], "for nobody"))

    def fates():
        return [
            row for row in mailboxes.log(lab.name, "hub").splitlines() if "status=bounced" in row and "cjsm-out" in row
        ]

    assert len(until(lambda: fates() if len(fates()) == len(recipients) else [], 30)) == len(recipients)
    assert all(" 550 " in row for row in fates())
    assert not bounced(lab)


@pytest.mark.touches("mail", "hub", "relay")
def test_mail_for_a_home_that_is_away_waits_and_arrives_when_it_is_back(lab):
    lab.exec("mail", ["mv", "/home/clerk", "/home/away"])
    recipient = f"{OURS}.cjsm.net"
    mailboxes.send(lab.name, "hub", THEIRS, [recipient], message(THEIRS, recipient, "patience"))
    log = "/var/log/cjsm/mail.log"
    assert until(lambda: "maildir delivery failed" in lab.exec("mail", ["cat", log]).stdout)
    assert not bounced(lab)
    lab.exec("mail", ["mv", "/home/away", "/home/clerk"])
    lab.exec("mail", ["postqueue", "-f"])
    assert until(lambda: "patience" in subjects(lab, "mail", "clerk"), 30)
