"""The simulated hub on its own: who may send, what becomes of addresses, how it comes back to the relay."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest

from cjsm_connect.lab import authority, entry, mailboxes
from cjsm_connect.lab.laboratory import Lab
from cjsm_connect.lab.topology import namespace
from cjsm_connect.results import CjsmError

pytestmark = pytest.mark.lab
CLI = [sys.executable, str(entry.CLONE / "cli.py"), "lab"]
STAND_IN = Path(__file__).with_name("relay_stand_in.py")
# tried from inside the lab: sends one message as a member, prints the hub's answer
MEMBER = """
import smtplib, ssl, sys
certificate, sender, recipient, start = sys.argv[1:5]
class Client(smtplib.SMTP):
    def _get_socket(self, host, port, timeout):
        return super()._get_socket("203.0.113.20", port, timeout)
context = ssl.create_default_context(cafile=sys.argv[5] + "/ca.pem")
if certificate:
    context.load_cert_chain(f"{sys.argv[5]}/{certificate}.pem", f"{sys.argv[5]}/{certificate}.key")
try:
    client = Client("hub.cjsm.example", 4545, timeout=60)
    if start == "starttls":
        client.starttls(context=context)
    client.sendmail(sender, [recipient], f"From: {sender}\\nTo: {recipient}\\nSubject: x\\n\\nBody of the message\\n")
    print("accepted")
except (smtplib.SMTPException, OSError) as error:
    print(type(error).__name__, error)
"""


@pytest.fixture(autouse=True)
def well_behaved(lab: Lab) -> Iterator[None]:
    mailboxes.empty(lab.name, "hub", "charity")
    yield
    lab.hub.behave()


def submit(lab: Lab, recipient: str, certificate: str = "member", start: str = "starttls") -> str:
    """Send from clerk@council.example as a member does; the hub's answer."""
    folder = str(lab.root("hub") / "etc/cjsm-hub")
    command = [*CLI, "shell", "--lab", lab.name, "--", sys.executable, "-c", MEMBER]
    command += [certificate, "clerk@council.example", recipient, start, folder]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=True).stdout.strip()


def eventually(look: Callable[[], list[EmailMessage]], seconds: float = 60) -> list[EmailMessage]:
    """What `look` finds as soon as it is not empty."""
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.1)
    return found


def received(lab: Lab) -> EmailMessage:
    messages = eventually(lambda: mailboxes.messages(lab.name, "hub", "charity"))
    assert len(messages) == 1
    return messages[0]


@pytest.fixture
def relay(lab: Lab, tmp_path: Path) -> Iterator[Callable[[], dict[str, object]]]:
    """A stand-in listening as the relay; calling it waits for the message that the hub brings."""
    key, chain = authority.member("tests-relay", "relay.council.example")
    for name, content in (("chain", chain), ("key", key), ("ca", authority.pem(authority.operator().root))):
        (tmp_path / name).write_text(content)
    arguments = ["4545", *(str(tmp_path / name) for name in ("chain", "key", "ca"))]
    command = ["nsenter", f"--net=/run/netns/{namespace(lab.name, 'relay')}", sys.executable, str(STAND_IN), *arguments]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    output = process.stdout
    yield lambda: json.loads(output.readline())
    process.kill()
    process.wait()


def from_charity(lab: Lab) -> None:
    message = "From: Someone <someone@charity.example>\nTo: clerk@council.example.cjsm.net\nSubject: back\n\nHello\n"
    mailboxes.send(lab.name, "hub", "someone@charity.example", ["clerk@council.example.cjsm.net"], message)


def test_a_member_reaches_another_member_and_the_suffix_moves_to_the_sender(lab: Lab) -> None:
    assert submit(lab, "judge@charity.example.cjsm.net") == "accepted"
    message = received(lab)
    assert message["Return-Path"] == "<clerk@council.example.cjsm.net>"
    assert message["From"] == "clerk@council.example.cjsm.net"
    assert (message["To"], message["Delivered-To"]) == ("judge@charity.example", "judge@charity.example")


@pytest.mark.parametrize(
    ("rewriting", "header", "envelope"),
    [
        ("envelope", "clerk@council.example", "<clerk@council.example.cjsm.net>"),
        ("header", "clerk@council.example.cjsm.net", "<clerk@council.example>"),
    ],
)
def test_the_hub_rewrites_where_it_is_told_to(lab: Lab, rewriting: str, header: str, envelope: str) -> None:
    lab.hub.configure(rewriting=rewriting)
    assert submit(lab, "judge@charity.example.cjsm.net") == "accepted"
    message = received(lab)
    assert (message["From"], message["Return-Path"]) == (header, envelope)


def test_the_footer_comes_only_when_asked_for(lab: Lab) -> None:
    submit(lab, "judge@charity.example.cjsm.net")
    assert "passed through" not in received(lab).get_content()
    mailboxes.empty(lab.name, "hub", "charity")
    lab.hub.configure(footer=True)
    submit(lab, "judge@charity.example.cjsm.net")
    content = received(lab).get_content()
    assert content.startswith("Body of the message") and "passed through the lab's CJSM hub" in content


def test_a_client_without_a_certificate_is_refused(lab: Lab) -> None:
    assert submit(lab, "judge@charity.example.cjsm.net", certificate="") != "accepted"


def test_a_hub_that_asks_nobody_takes_mail_from_anyone(lab: Lab) -> None:
    lab.hub.configure(asks_certificate=False)
    assert submit(lab, "judge@charity.example.cjsm.net", certificate="") == "accepted"


def test_a_hub_without_tls_offers_none(lab: Lab) -> None:
    lab.hub.configure(offered_tls="none", asks_certificate=False)
    assert "STARTTLS extension not supported" in submit(lab, "judge@charity.example.cjsm.net")


def test_clear_text_is_refused(lab: Lab) -> None:
    assert "Must issue a STARTTLS command first" in submit(lab, "judge@charity.example.cjsm.net", start="clear")


def test_mail_for_others_than_members_is_refused(lab: Lab) -> None:
    assert "Relay access denied" in submit(lab, "anyone@elsewhere.example.cjsm.net")


def test_the_hub_brings_mail_back_from_its_own_address_with_its_own_certificate(
    lab: Lab, relay: Callable[[], dict[str, object]]
) -> None:
    from_charity(lab)
    seen = relay()
    assert (seen["source"], seen["certificate"]) == ("203.0.113.21", ["hub-client.cjsm.example"])
    assert (seen["sender"], seen["recipients"]) == ("someone@charity.example.cjsm.net", ["clerk@council.example"])
    assert "someone@charity.example.cjsm.net" in str(seen["message"])


def test_the_hub_can_come_as_another_member(lab: Lab, relay: Callable[[], dict[str, object]]) -> None:
    lab.hub.configure(client_certificate="member", source="203.0.113.22")
    from_charity(lab)
    seen = relay()
    assert (seen["source"], seen["certificate"]) == ("203.0.113.22", ["member.charity.example"])


def test_the_hub_can_come_without_a_certificate(lab: Lab, relay: Callable[[], dict[str, object]]) -> None:
    lab.hub.configure(client_certificate="")
    from_charity(lab)
    assert relay()["certificate"] == []


def test_the_hub_can_put_members_off(lab: Lab) -> None:
    lab.hub.configure(answer="451 4.3.0 come again later")
    assert "come again later" in submit(lab, "judge@charity.example.cjsm.net")


def test_an_unknown_setting_is_named_with_those_there_are(lab: Lab) -> None:
    with pytest.raises(CjsmError, match=r"the hub has no setting 'rewritting'; it has .*rewriting"):
        lab.hub.configure(rewritting="both")


def test_mail_that_leaves_the_route_by_mx_falls_into_the_trap(lab: Lab) -> None:
    mailboxes.empty(lab.name, "outside", "trap")
    script = (
        "import smtplib; s = smtplib.SMTP('203.0.113.32', 25, timeout=5); "
        "s.sendmail('clerk@council.example', ['judge@charity.example.cjsm.net'], 'Subject: leak\\n\\nx\\n')"
    )
    assert lab.exec("relay", ["python3", "-c", script]).returncode == 0
    trapped = eventually(lambda: mailboxes.messages(lab.name, "outside", "trap"))
    assert trapped[0]["X-Original-To"] == "judge@charity.example.cjsm.net"


def test_an_ordinary_internet_user_is_delivered_to_outside(lab: Lab) -> None:
    mailboxes.empty(lab.name, "outside", "internet")
    mailboxes.send(lab.name, "outside", "a@internet.example", ["b@internet.example"], "Subject: hello\n\nx\n")
    assert eventually(lambda: mailboxes.messages(lab.name, "outside", "internet"))[0]["Subject"] == "hello"
