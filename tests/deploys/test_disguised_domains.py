"""Domains that only DNS would read as CJSM's or our own: refused whoever hands them in, and never looked up."""

from __future__ import annotations

import re
from functools import cache
from ipaddress import IPv4Address, IPv6Address

import idna
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cjsm_connect.desired import Map
from cjsm_connect.organisation import uts46
from cjsm_connect.probes.postfix import disguised, mx_answers
from deploys.domains import NOT_TO_THE_HUB
from tests.deploys.mail import answered, wanted
from tests.made_up import organisation

WELSH = idna.encode("cyngor-m\u00f4n.example").decode()
PLAIN = ("member.example.cjsm.net", "cjsm.net", "council.example")


@cache
def tables() -> dict[str, Map]:
    where = answered(domains={"names": ["council.example", WELSH]})
    return {table.name: table for table in wanted(where, "mail").maps}


@cache
def rules(name: str) -> list[tuple[re.Pattern[bytes], str]]:
    """Patterns over bytes, of which only ASCII has a case: as Postfix's processes read them, which have no locale."""
    return [
        (re.compile(key[1:-1].encode(), re.IGNORECASE), value)
        for key, value in tables()[name].rows
        if key not in ("if", "endif")
    ]


def answer(name: str, text: str) -> str:
    """The first row of a table of regular expressions that matches; "" for none."""
    return next((value for pattern, value in rules(name) if pattern.search(text.encode())), "")


def route(domain: str) -> str:
    return answer("disguised_domains", f"user@{domain}")


@cache
def stands_for() -> dict[str, list[str]]:
    """Every text of up to three plain characters, with the characters that become it."""
    found: dict[str, list[str]] = {}
    for character, text in uts46.plain().items():
        found.setdefault(text, []).append(character)
    return found


@st.composite
def in_disguise(draw: st.DrawFn) -> str:
    """A plain domain of which at least one part is written with a character that UTS #46 maps to it."""
    domain = draw(st.sampled_from(PLAIN))
    at = draw(st.integers(0, len(domain)))
    parts = [text for text in stands_for() if domain.startswith(text, at)]
    part = draw(st.sampled_from(parts))
    return domain[:at] + draw(st.sampled_from(stands_for()[part])) + domain[at + len(part) :]


@given(in_disguise())
def test_whatever_uts_46_maps_to_a_plain_domain_is_refused_and_the_character_is_named(domain: str) -> None:
    assert idna.uts46_remap(domain, std3_rules=False) in PLAIN
    [character] = [one for one in domain if not one.isascii()]
    assert f"U+{ord(character):04X} in it" in route(domain)


@given(in_disguise())
def test_nobody_seems_to_send_from_a_plain_domain_by_writing_it_so(domain: str) -> None:
    assert answer("disguised_senders", f"user@{domain}").startswith("REJECT 5.1.7 ")


@pytest.mark.parametrize("sender", ["user@council.example", f"user@{idna.decode(WELSH)}", ""])
def test_an_honest_sender_is_not_asked_about(sender: str) -> None:
    assert not answer("disguised_senders", sender)


@pytest.mark.parametrize("address", disguised(organisation()))
def test_what_the_check_asks_about_is_a_plain_domain_to_uts_46_and_is_refused(address: str) -> None:
    domain = address.partition("@")[2]
    plain = idna.uts46_remap(domain, std3_rules=False)
    assert plain.endswith(("cjsm.net", "council.example")) and not domain.isascii()
    assert route(domain).startswith("error:5.1.3 ")


@pytest.mark.parametrize("domain", ["cj\u200dsm.net", "cjsm.net\u200c", "\u200dcjsm.net"])
def test_a_joiner_that_joins_plain_letters_is_refused(domain: str) -> None:
    assert "U+200" in route(domain)


@pytest.mark.parametrize("domain", ["cyngor-m\u00f4n.example", "Cyngor-M\u00d4n.example", "cyngor-mo\u0302n.example"])
def test_our_own_domain_with_an_accent_is_told_how_it_is_written(domain: str) -> None:
    assert route(domain) == f"error:5.1.3 write this domain as {WELSH}"


@pytest.mark.parametrize("domain", ["x.xn--cjsm-.net", "xn--cjsm-.net", "cjsm.xn--net-"])
def test_plain_letters_in_the_form_of_others_are_refused(domain: str) -> None:
    assert "xn--" in route(domain)


@pytest.mark.parametrize("literal", ["[IPv6:::ffff:203.0.113.20]", "[ipv6:0:0:0:0:0:FFFF:cb00:7114]"])
def test_the_hubs_address_in_another_form_is_refused(literal: str) -> None:
    assert route(literal).startswith("error:")


HUB_V6 = IPv6Address("2001:db8::a:0:25")


@cache
def literals() -> list[re.Pattern[str]]:
    where = answered(hub={"sources": [str(HUB_V6), "203.0.113.20"]})
    [table] = [one for one in wanted(where, "mail").maps if one.name == "disguised_domains"]
    return [re.compile(key[1:-1], re.IGNORECASE) for key, value in table.rows if value == NOT_TO_THE_HUB]


@st.composite
def spelled(draw: st.DrawFn) -> str:
    """One of the many texts of an IPv6 address (RFC 4291 2.2)."""
    groups = HUB_V6.exploded.split(":")
    if draw(st.booleans()):
        groups[6:] = [str(IPv4Address(int(HUB_V6) & 0xFFFFFFFF))]
    short = [one if "." in one else one[draw(st.integers(0, 4 - len(one.lstrip("0") or "0"))) :] for one in groups]
    runs = [
        (a, b) for a in range(len(short)) for b in range(a + 1, len(short) + 1) if not any(map(nonzero, short[a:b]))
    ]
    if left := draw(st.sampled_from([None, *runs])):
        return f"{':'.join(short[: left[0]])}::{':'.join(short[left[1] :])}"
    return ":".join(short)


def nonzero(group: str) -> bool:
    return group.strip("0") != ""


@given(spelled())
def test_the_hubs_ipv6_address_is_refused_however_it_is_spelled(text: str) -> None:
    assert IPv6Address(text) == HUB_V6
    assert any(one.search(f"user@[IPv6:{text}]") for one in literals())


@pytest.mark.parametrize("text", ["2001:db8::a:0:26", "2001:db8:0:1::a:0:25", "12001:db8::a:0:25", "2001:db8::a0:0:25"])
def test_another_ipv6_address_is_not_taken_for_the_hubs(text: str) -> None:
    assert not any(one.search(f"user@[IPv6:{text}]") for one in literals())


@pytest.mark.parametrize(
    "domain",
    [
        *["internet.example", "b\u00fccher.example", "stra\u00dfe.example", "\u043f\u0440\u0438.example"],
        *["\u4f8b\u3048.\u30c6\u30b9\u30c8", "\u0646\u0627\u0645\u0647\u200c\u0627\u06cc.example", WELSH],
        *["[192.0.2.1]", "[IPv6:2001:db8::1]", "xn--bcher-kva.example"],
    ],
)
def test_an_honest_name_of_another_script_goes_where_it_went(domain: str) -> None:
    assert not route(domain)


def test_the_part_before_the_at_sign_is_the_receivers_own_business() -> None:
    assert not answer("disguised_domains", "\uff41\u200b@internet.example")


@pytest.mark.parametrize("said", mx_answers())
def test_what_dns_says_of_cjsm_is_not_followed(said: str) -> None:
    assert answer("never_by_mx", said) == "IGNORE"
    assert answer("never_by_mx", said.upper()) == "IGNORE"


@pytest.mark.parametrize(
    "said",
    ["notcjsm.net. 60 IN MX 10 mx.example.", "example. 60 IN MX 10 cjsm.net.", "cjsm.net.example. 60 IN A 192.0.2.1"],
)
def test_what_dns_says_of_others_is(said: str) -> None:
    assert not answer("never_by_mx", said)
