"""Mail waits when the hub is away or is not who it should be: it goes nowhere else, and arrives later. Real hosts."""

from __future__ import annotations

import json
import secrets
import subprocess
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

import pytest

from cjsm_connect.lab import Hub, Lab, mailboxes

pytestmark = [pytest.mark.lab, pytest.mark.touches("relay", "mail", "hub", "outside")]

CLERK, ADVOCATE = "clerk@council.example", "advocate@charity.example.cjsm.net"
Found = TypeVar("Found")
PATIENCE = 60  # seconds; the machine is shared


@pytest.fixture
def hub(lab: Lab) -> Iterator[Hub]:
    found = Hub(lab.name)
    yield found
    found.behave()


def sent(lab: Lab, sender: str = CLERK, recipient: str = ADVOCATE) -> str:
    """Hand a message to sendmail on the mail server; the subject by which it is found again."""
    token = secrets.token_hex(8)
    text = f"From: {sender}\nTo: {recipient}\nSubject: {token}\n\nNot before you are who you say.\n"
    mailboxes.send(lab.name, "mail", sender, [recipient], text)
    return token


def soon(look: Callable[[], Found]) -> Found:
    """What a look sees, as soon as it sees anything."""
    end = time.monotonic() + PATIENCE
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.5)
    return found


def reasons(lab: Lab, host: str = "relay") -> list[str]:
    """Why the mail in a host's queue waits; postqueue(1) -j."""
    lines = lab.exec(host, ["postqueue", "-j"]).stdout.splitlines()
    rows = [recipient for line in lines for recipient in json.loads(line)["recipients"]]
    return [row["delay_reason"] for row in rows if row.get("delay_reason")]


def arrived(lab: Lab, token: str, host: str = "hub", user: str = "charity") -> bool:
    return any(message["Subject"] == token for message in mailboxes.messages(lab.name, host, user))


def went_by_mx(lab: Lab, token: str) -> bool:
    """The public DNS leads mail for cjsm.net into a trap."""
    return arrived(lab, token, "outside", "trap")


def returned(lab: Lab, token: str) -> bool:
    found = mailboxes.messages(lab.name, "mail", "clerk")
    return any("this relay carries CJSM mail only" in str(message) and token in str(message) for message in found)


def flushed(lab: Lab) -> subprocess.CompletedProcess[str]:
    return lab.exec("relay", ["postqueue", "-f"])


@pytest.mark.parametrize(
    ("misconduct", "said"),
    [
        ({"server_certificate": "member"}, "Server certificate not verified"),
        ({"offered_tls": "none"}, "TLS is required, but was not offered"),
        ({"answer": "451 4.3.0 try again later"}, "451 4.3.0"),
    ],
    ids=["another member's certificate", "no TLS", "not now"],
)
def test_mail_waits_while_the_hub_misbehaves_and_arrives_later(
    lab: Lab, hub: Hub, misconduct: dict[str, str], said: str
) -> None:
    hub.configure(**misconduct)
    token = sent(lab)
    assert said in " ".join(soon(lambda: reasons(lab)))
    assert not arrived(lab, token) and not went_by_mx(lab, token)
    hub.behave()
    flushed(lab)
    assert soon(lambda: arrived(lab, token))


def test_mail_waits_while_the_hub_is_away_and_arrives_later(lab: Lab) -> None:
    lab.exec("hub", ["postfix", "stop"])
    token = sent(lab)
    assert "Connection refused" in " ".join(soon(lambda: reasons(lab)))
    assert not went_by_mx(lab, token)
    lab.exec("hub", ["postfix", "start"])
    flushed(lab)
    assert soon(lambda: arrived(lab, token))


def test_a_route_that_is_missing_sends_nothing_by_mx(lab: Lab) -> None:
    lab.exec("relay", ["postconf", "-e", "transport_maps="])
    lab.exec("relay", ["postfix", "reload"])
    token = sent(lab)
    assert soon(lambda: returned(lab, token)), "the relay refuses it, and the mail server returns it to its sender"
    assert not went_by_mx(lab, token)


def test_while_the_relay_is_away_mail_waits_on_the_mail_server(lab: Lab) -> None:
    lab.exec("relay", ["systemctl", "stop", "postfix"])
    token = sent(lab)
    assert soon(lambda: reasons(lab, "mail"))
    lab.exec("relay", ["systemctl", "start", "postfix"])
    lab.exec("mail", ["postqueue", "-f"])
    assert soon(lambda: arrived(lab, token))
    assert not went_by_mx(lab, token)
