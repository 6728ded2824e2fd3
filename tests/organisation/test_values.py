"""What is accepted in more than one spelling is kept in one; what is not understood is refused."""

from __future__ import annotations

import pytest
from pydantic_core import PydanticCustomError

from cjsm_connect.organisation.values import domain_name, email_address, fingerprint


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("council.example", "council.example"),
        ("COUNCIL.Example", "council.example"),
        ("council.example.", "council.example"),
        (" council.example ", "council.example"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("BÜCHER.example", "xn--bcher-kva.example"),
        ("xn--bcher-kva.example", "xn--bcher-kva.example"),
        ("cyngor。example", "cyngor.example"),
        ("1.2.example", "1.2.example"),
        (f"{'a' * 63}.example", f"{'a' * 63}.example"),
    ],
)
def test_a_domain_is_kept_as_lower_case_a_labels(written: str, kept: str) -> None:
    assert domain_name(written) == kept


@pytest.mark.parametrize(
    "written",
    [
        "",
        ".",
        "example",
        "a..example",
        "-a.example",
        "a-.example",
        "a_b.example",
        "a b.example",
        "a\n.example",
        "*.example.org",
        ".example.org",
        "192.0.2.1",
        "2001:db8::1",
        "[192.0.2.1]",
        "clerk@council.example",
        "http://council.example",
        "council.example:25",
        "council.example/",
        "☃.example",
        "xn--a.example",
        "council.example\0",
        f"{'a' * 64}.example",
        f"{'a.' * 125}example",
        25,
        None,
        ["council.example"],
    ],
)
def test_what_is_no_domain_is_refused(written: object) -> None:
    with pytest.raises(PydanticCustomError):
        domain_name(written)


def test_every_domain_kept_is_kept_again_unchanged() -> None:
    for written in ("BÜCHER.example", "Council.Example.", "a-b.c-d.example"):
        once = domain_name(written)
        assert domain_name(once) == once


def test_an_email_address_keeps_its_local_part_and_normalises_its_domain() -> None:
    assert email_address("IT.Helpdesk@COUNCIL.example") == "IT.Helpdesk@council.example"


@pytest.mark.parametrize(
    "written", ["clerk", "@council.example", "clerk@", "a b@council.example", "a@b@c.example", ".a@b.example", 1]
)
def test_what_is_no_email_address_is_refused(written: object) -> None:
    with pytest.raises(PydanticCustomError):
        email_address(written)


@pytest.mark.parametrize("written", ["AB" * 32, "ab" * 32, ":".join(["Ab"] * 32)])
def test_a_fingerprint_is_kept_as_postfix_prints_it(written: str) -> None:
    assert fingerprint(written) == ":".join(["ab"] * 32)


@pytest.mark.parametrize("written", ["", "ab" * 20, "ab" * 33, "gh" * 32, "sha256:" + "ab" * 32, 3])
def test_what_is_no_sha256_is_refused(written: object) -> None:
    with pytest.raises(PydanticCustomError):
        fingerprint(written)
