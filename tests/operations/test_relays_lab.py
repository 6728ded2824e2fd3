"""Two relays side by side, on real hosts: each is configured and checked by itself, and mail goes by either.

They change one after the other, and the second is left alone if the first is not well.
"""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Callable, Iterator

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
    assert {one for one in judged if one[1] != "pass"} == {
        ("logging.forwarding", "warn"),
        ("estate.disks-encrypted", "not_tested"),  # a container's disks are those of the machine around it
    }
    assert len(judged) > 80
    assert done.returncode == 0, {(one["check"], one["subject"]) for one in results if one["status"] != "pass"}


def test_a_second_apply_changes_nothing(pair: Lab) -> None:
    done = healthy.verb(pair, "apply")
    assert f"Nothing to do on the lab '{pair.name}': every host is as wanted." in done.stderr, done.stderr


@pytest.mark.parametrize("away", ["relay", "relay2"])
def test_mail_goes_both_ways_while_one_relay_is_away(pair: Lab, away: str) -> None:
    pair.exec(away, ["systemctl", "stop", "postfix.service"])
    out = sent(pair, "mail", CLERK, f"{ADVOCATE}.cjsm.net")
    back = sent(pair, "hub", ADVOCATE, f"{CLERK}.cjsm.net")
    assert soon(lambda: arrived(pair, "hub", "charity", out))
    assert soon(lambda: arrived(pair, "mail", "clerk", back))
    assert not arrived(pair, "outside", "trap", out)


@pytest.fixture
def other_domain(pair: Lab) -> Iterator[None]:
    """The organisation takes mail for another domain than before."""
    path = pair.organisation_folder / "organisation.toml"
    before = path.read_text()
    path.write_text(before.replace('"licensing.council.example"', '"parking.council.example"'))
    yield
    path.write_text(before)


def begun(lab: Lab, host: str) -> list[tuple[float, int]]:
    """When a command of an SSH session began, and how long it was allowed to take, from sudo's own record."""
    told = lab.exec(host, ["journalctl", "-q", "--no-pager", "-o", "short-unix", "_COMM=sudo"]).stdout
    return [(float(at), int(seconds)) for at, seconds in re.findall(r"^([\d.]+) .*-s KILL (\d+) python3", told, re.M)]


def generations(lab: Lab, host: str) -> int:
    found = healthy.verb(lab, "history", "--json", "--limit", host)
    return len(json.loads(found.stdout)["hosts"][host])


def test_the_second_relay_is_changed_when_the_first_works_again(pair: Lab, other_domain: None) -> None:
    done = healthy.verb(pair, "apply")
    assert done.returncode == 0, done.stderr
    kept = max(at for at, seconds in begun(pair, "relay") if seconds == 600)
    installed = max(at for at, seconds in begun(pair, "relay2") if seconds == 300)
    assert installed > kept
    assert healthy.verb(pair, "status").returncode == 0


def test_the_second_relay_is_left_alone_when_the_first_is_not_well(pair: Lab, other_domain: None) -> None:
    before = generations(pair, "relay2")
    pair.exec("relay", ["systemctl", "stop", "clamav-milter.service"])
    pair.exec("relay", ["mv", "/usr/sbin/clamav-milter", "/usr/sbin/clamav-milter.away"])
    done = healthy.verb(pair, "apply")
    assert done.returncode == 1, done.stderr
    assert "relay: failed." in done.stderr and "clamav-milter" in done.stderr
    assert "relay2: not touched, because relay is not well" in done.stderr
    assert generations(pair, "relay2") == before
    found = pair.exec("relay2", ["postmap", "-q", "licensing.council.example", "lmdb:/etc/cjsm/maps/transport"])
    assert found.stdout.startswith("inner:")
