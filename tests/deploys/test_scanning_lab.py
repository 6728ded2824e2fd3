"""What cannot be looked at whole is refused in both directions, and ordinary large files arrive; seen in mailboxes."""

from __future__ import annotations

import re
import time
from functools import cache

import pytest

from cjsm_connect.bench.ordinary import ORDINARY
from cjsm_connect.bench.scan import message
from cjsm_connect.lab import mailboxes
from cjsm_connect.lab.machine import wait_until
from tests.archives import NOT_WHOLE

pytestmark = pytest.mark.lab

CLERK, ADVOCATE = "clerk@council.example", "advocate@charity.example.cjsm.net"
# who sends to whom, and on which host lies the mailbox that it must reach, or must not
WAYS = {
    "from-us": ("mail", CLERK, ADVOCATE, "hub", "charity"),
    "from-the-hub": ("hub", "advocate@charity.example", f"{CLERK}.cjsm.net", "mail", "clerk"),
}
REFUSED = "Refused: this message could not be shown to be free of malware"


def sent(lab, way, name, data):
    """Hand in a message with one attachment; returns its subject."""
    host, sender, recipient, *_ = WAYS[way]
    made = message(name, data)
    made.replace_header("Subject", f"{name} {time.monotonic_ns()}")
    made["From"], made["To"] = sender, recipient
    mailboxes.send(lab.name, host, sender, [recipient], made.as_string())
    return made["Subject"]


def there(lab, way):
    """The subjects in the mailbox at the end of a way."""
    *_, host, user = WAYS[way]
    return {str(one["Subject"]) for one in mailboxes.messages(lab.name, host, user)}


def waiting(lab):
    """How many messages lie in the queues of the three hosts of a way."""
    queues = [lab.exec(host, ["postqueue", "-j"]).stdout for host in ("mail", "relay", "hub")]
    return sum(len(queue.splitlines()) for queue in queues)


@cache
def hostile():
    """All of them, made once."""
    return {name: made() for name, made in NOT_WHOLE.items()}


def settled(lab, seconds):
    """Wait until no queue holds anything."""
    end = time.monotonic() + seconds
    while waiting(lab) and time.monotonic() < end:
        time.sleep(0.5)
    assert not waiting(lab)


@pytest.mark.touches("relay", "mail", "hub")
@pytest.mark.parametrize("way", WAYS)
def test_what_cannot_be_looked_at_whole_is_refused_and_a_harmless_file_beside_it_arrives(lab, way):
    subjects = {name: sent(lab, way, name, data) for name, data in hostile().items()}
    harmless = sent(lab, way, "harmless.txt", b"harmless")
    settled(lab, 240)
    arrived = there(lab, way)
    assert harmless in arrived
    assert {name for name, subject in subjects.items() if subject in arrived} == set()
    assert wait_until(lambda: len(refusals(lab)) >= len(NOT_WHOLE), 20), refusals(lab)
    assert any(name.startswith("Heuristics.Limits.Exceeded.") for name in refusals(lab))


def refusals(lab):
    """What the scanner found, by the relay's log, which is written a moment after the answer was given."""
    log = lab.exec("relay", ["cat", "/var/log/cjsm/mail.log"]).stdout
    return re.findall(rf"milter-reject: END-OF-MESSAGE .*{REFUSED} \(([^)]+)\)", log)


@pytest.mark.touches("relay", "mail", "hub")
@pytest.mark.parametrize("way", WAYS)
def test_ordinary_large_files_arrive(lab, way):
    for name, made in ORDINARY.items():
        subject = sent(lab, way, name, made())
        settled(lab, 120)
        assert subject in there(lab, way), name
