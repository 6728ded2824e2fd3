"""Postfix's settings are judged by what they mean, however somebody wrote them."""

from __future__ import annotations

import pytest

from checks.postfix import hops, modern, plain, same_route, seconds, within
from cjsm_connect.organisation.addresses import network


@pytest.mark.parametrize(
    "protocols",
    [
        ">=TLSv1.2",
        ">=tlsv1.2",
        ">=TLSv1.3",
        ">=TLSv1.2, <=TLSv1.3",
        "!SSLv2, !SSLv3, !TLSv1, !TLSv1.1",
        "!SSLv2:!SSLv3:!TLSv1:!TLSv1.1",
        "TLSv1.2 TLSv1.3",
        "TLSv1.3",
        "TLSv1, TLSv1.2, !TLSv1",
    ],
)
def test_only_new_tls_can_be_said_in_many_ways(protocols: str) -> None:
    assert modern(protocols)


@pytest.mark.parametrize(
    "protocols",
    [
        "",
        ">=TLSv1",
        ">=TLSv1.1",
        "<=TLSv1.3",
        "!SSLv2, !SSLv3",
        "!SSLv2, !SSLv3, !TLSv1",
        "!TLSv1.1",
        "TLSv1.1 TLSv1.2",
        "TLSv1.2, SSLv3",
        ">=TLSv1.2, <=TLSv1.1",
        ">=TLSv9",
        ">=",
        "$floor",
    ],
)
def test_what_leaves_old_tls_or_is_not_understood_is_not_new(protocols: str) -> None:
    assert not modern(protocols)


@pytest.mark.parametrize(("time", "found"), [("5d", 432000), ("5", 432000), ("120h", 432000), ("432000S", 432000)])
def test_a_time_is_compared_in_seconds(time: str, found: int) -> None:
    assert seconds(time, "d") == found


@pytest.mark.parametrize("time", ["", "d", "five days", "-1d", "5y"])
def test_what_is_no_time_is_none(time: str) -> None:
    assert seconds(time, "d") is None


def test_words_that_postfix_reads_in_any_case_are_lowered_and_others_are_kept() -> None:
    assert [plain(text) for text in ("YES", "Encrypt", "SHA256")] == ["yes", "encrypt", "sha256"]
    assert plain("reject,\n   check_client_access  lmdb:/A") == "reject, check_client_access lmdb:/A"


def test_a_route_is_its_transport_and_its_hops_in_order() -> None:
    assert hops("inner:[a]:25,[b]:25") == hops("inner:[a]:25 , [b]:25") == ["[a]:25", "[b]:25"]
    assert same_route("inner:[a]:25,[b]:25", "inner:[a]:25, [b]:25")
    assert not same_route("inner:[b]:25, [a]:25", "inner:[a]:25, [b]:25")
    assert not same_route("smtp:[a]:25", "inner:[a]:25")
    assert not same_route(None, "inner:[a]:25")


@pytest.mark.parametrize(
    ("entry", "expected"),
    [
        ("192.0.2.0/24", True),
        ("192.0.2.128/25", True),
        ("192.0.2.7", True),
        ("192.0.2.0/23", False),
        ("198.51.100.0/24", False),
        ("hash:/etc/postfix/near", False),
        ("!192.0.2.7", False),
    ],
)
def test_a_trusted_network_may_span_several_that_touch(entry: str, expected: bool) -> None:
    halves = [network("192.0.2.0/25"), network("192.0.2.128/25")]
    assert within(entry, halves) is expected
