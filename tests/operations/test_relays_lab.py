"""Two relays side by side, on real hosts: each is configured and checked by itself, and mail goes by either."""

from __future__ import annotations

import json
import secrets
import time
from collections.abc import Callable

import pytest

from cjsm_connect.lab import Lab, healthy, mailboxes

pytestmark = pytest.mark.lab

CLERK, ADVOCATE = "clerk@council.example", "advocate@charity.example"


def soon(look: Callable[[], bool], seconds: float = 60) -> bool:
    end = time.monotonic() + seconds
    while not (found := look()) and time.monotonic() < end:
        time.sleep(0.3)
    return found


def sent(lab: Lab, host: str, sender: str, recipient: str) -> str:
    """Hand in a message on a host; the subject by which it is found again."""
    token = secrets.token_hex(8)
    mailboxes.send(lab.name, host, sender, [recipient], f"From: {sender}\nTo: {recipient}\nSubject: {token}\n\nText\n")
    return token


def arrived(lab: Lab, host: str, user: str, token: str) -> bool:
    return any(message["Subject"] == token for message in mailboxes.messages(lab.name, host, user))


def test_every_check_passes_on_both_relays_apart_from_what_is_not_declared(pair: Lab) -> None:
    done = healthy.verb(pair, "check", "--json")
    results = json.loads(done.stdout)["results"]
    judged = {(one["check"], one["status"]) for one in results if one["subject"] == "relay2"}
    assert {check for check, status in judged if status != "pass"} == {"logging.forwarding"}
    assert len(judged) > 80
    assert {one["status"] for one in results} <= {"pass", "warn"}


def test_a_second_apply_changes_nothing(pair: Lab) -> None:
    done = healthy.verb(pair, "apply")
    assert "Nothing to do: every host is as wanted." in done.stderr, done.stderr


@pytest.mark.parametrize("away", ["relay", "relay2"])
def test_mail_goes_both_ways_while_one_relay_is_away(pair: Lab, away: str) -> None:
    pair.exec(away, ["systemctl", "stop", "postfix.service"])
    out = sent(pair, "mail", CLERK, f"{ADVOCATE}.cjsm.net")
    back = sent(pair, "hub", ADVOCATE, f"{CLERK}.cjsm.net")
    assert soon(lambda: arrived(pair, "hub", "charity", out))
    assert soon(lambda: arrived(pair, "mail", "clerk", back))
    assert not arrived(pair, "outside", "trap", out)
