"""The conversations of the checks as text: who said what to whom, before and after STARTTLS."""

from __future__ import annotations

from typing import Any

import pytest

from cjsm_connect.evidence.transcripts import DIRECTIONS, direction_of, transcripts
from tests.evidence.samples import observation, tries
from tests.made_up import organisation

OUTBOUND = """\
##### hub.handshake:relay:203.0.113.20
from relay to 203.0.113.20 port 4545
(connection: open; took 0.5 seconds)
<-- 220 hub.cjsm.example ESMTP
--> EHLO relay.council.example
<-- 250 hub.cjsm.example / STARTTLS
--> STARTTLS
<-- 220 2.0.0 Ready to start TLS
=== TLS: TLSv1.3, TLS_AES_256_GCM_SHA384
=== certificate of our own offered: yes
=== presented 0: CN=Made-up CA, issued by CN=Made-up CA, until 2035-12-30T00:00:00Z
=== chain verified: yes; name matches: not asked
--> EHLO relay.council.example
<-- 250 hub.cjsm.example / SIZE 52428800
--> QUIT
<-- 221 2.0.0 Bye
"""


def told(**changed: Any) -> dict[str, str]:
    return transcripts({"tries": {**tries(), **changed}}, organisation())


def test_a_conversation_is_told_in_its_order_with_the_handshake_where_it_was() -> None:
    assert told()["transcripts/outbound.txt"].endswith(OUTBOUND)


def test_each_direction_has_a_file_of_its_own_and_an_empty_one_says_so() -> None:
    assert sorted(told()) == sorted(f"transcripts/{name}.txt" for name in DIRECTIONS)
    assert "from hub to 198.51.100.10" in told()["transcripts/inbound.txt"]
    assert told()["transcripts/inner.txt"].endswith("nothing was tried\n")


def test_what_was_not_tried_is_there_with_the_reason() -> None:
    assert "(not tried: the organisation file declares no vantage host 'hub')" in told()["transcripts/inbound.txt"]


@pytest.mark.parametrize(
    ("at", "to", "direction"),
    [
        ("relay", "203.0.113.20", "outbound"),
        ("hub", "198.51.100.10", "inbound"),
        ("mail", "198.51.100.10", "inner"),
        ("relay", "192.0.2.10", "inner"),
        ("outside", "192.0.2.10", "public"),
    ],
)
def test_the_direction_follows_from_both_ends(at: str, to: str, direction: str) -> None:
    assert direction_of({"kind": "smtp", "at": at, "to": [to, 25]}, organisation()) == direction
    assert direction_of({"kind": "tcp", "at": at, "to": [to, 25]}, organisation()) == ""


def test_a_handshake_that_failed_says_why_and_a_broken_certificate_is_said_to_be_one() -> None:
    broken = "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    tls = {"error": "certificate has expired", "chain_verified": False, "peer_certificate_pem": broken}
    [outcome] = [one for name, one in tries().items() if name.startswith("hub.")]
    text = told(**{"hub.handshake:relay:203.0.113.20": {**outcome, "tls": tls}})["transcripts/outbound.txt"]
    assert "=== TLS: certificate has expired" in text and "chain verified: NO" in text
    assert "a certificate that cannot be read" in text


def test_tls_from_the_first_byte_comes_before_the_banner() -> None:
    [outcome] = [one for name, one in tries().items() if name.startswith("hub.")]
    replies = [reply for reply in outcome["replies"] if reply["command"] != "STARTTLS"]
    text = told(**{"hub.handshake:relay:203.0.113.20": {**outcome, "replies": replies}})["transcripts/outbound.txt"]
    assert text.index("=== TLS: TLSv1.3") < text.index("<-- 220")


def test_the_sample_is_an_observation_as_probes_make_it() -> None:
    assert observation()["tries"] == tries()
