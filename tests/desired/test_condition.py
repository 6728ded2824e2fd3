"""Mail that waits and certificates that end are told by the organisation's own thresholds."""

import pytest

from cjsm_connect.desired import Desired
from cjsm_connect.desired.condition import attention, certificates, queue, said
from tests.desired.hosts import KEY
from tests.made_up import organisation

DESIRED = Desired(keys=(KEY,))
WAITING = {"maildrop": 0, "incoming": 0, "active": 1, "deferred": 3, "hold": 0, "oldest_seconds": 61 * 60}


def seen(waiting=None, days=None):
    return {"condition": {"queue": waiting, "certificates": {KEY.chain_path: days}}}


def test_an_empty_queue_and_a_long_certificate_ask_for_nothing():
    empty = dict.fromkeys(WAITING, 0) | {"oldest_seconds": None}
    assert not list(attention(organisation(), DESIRED, seen(empty, 364)))
    assert "0 messages deferred, 0 under way" in list(said(DESIRED, seen(empty, 364)))
    assert "the certificate of the hub key lasts 364 days" in list(said(DESIRED, seen(empty, 364)))


def test_mail_that_waits_longer_than_the_policy_says_is_told():
    (text,) = attention(organisation(), DESIRED, seen(WAITING))
    assert text.startswith("4 messages wait, the oldest for 61 minutes; expected at most 60")
    assert not list(attention(organisation(), DESIRED, seen(WAITING | {"oldest_seconds": 60 * 60})))


@pytest.mark.parametrize(
    ("days", "words"), [(-1, "has expired"), (0, "ends in 0 days"), (29, "ends in 29 days; expected at least 30")]
)
def test_a_certificate_near_its_end_is_told_with_who_makes_a_new_one(days, words):
    (text,) = attention(organisation(), DESIRED, seen(days=days))
    assert words in text and text.endswith("Ask the operator for a new one")


def test_the_days_of_the_policy_are_enough():
    assert not list(attention(organisation(), DESIRED, seen(days=30)))


def test_a_change_that_waits_to_be_confirmed_is_told():
    (text,) = attention(organisation(), DESIRED, seen() | {"pending": True})
    assert text.startswith("a change waits to be confirmed")


def test_an_awaited_certificate_has_no_days_and_is_no_alarm():
    assert certificates(DESIRED, seen()) == [{"name": "hub", "days": None}]
    assert not list(attention(organisation(), DESIRED, seen()))


def test_a_host_that_could_not_be_looked_at_tells_nothing():
    assert queue({}) is None
    assert not list(said(DESIRED, {}))


def test_a_hub_with_a_new_key_is_told_with_its_fingerprint_until_it_is_declared():
    row = {
        "key": ":".join(["5e"] * 32),
        "name": "hub.cjsm.example",
        "issuer": "operator",
        "client": "unknown[192.0.2.1]",
    }
    row |= {"first": "2026-11-30T09:00:00.1+00:00", "last": "2026-11-30T11:00:00.1+00:00", "times": 3}
    state = seen()
    state["condition"]["unknown_keys"] = [row]
    text, remedy = attention(organisation(), DESIRED, state)
    assert row["key"] in text and "since 2026-11-30 09:00:00" in text and "cjsm apply" in remedy
    assert not list(
        attention(organisation(hub={"fingerprints": [row["key"]], "fingerprints_file": None}), DESIRED, state)
    )
