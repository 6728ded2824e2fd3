"""What is accepted in more than one spelling is kept in one; what is not understood is refused."""

from __future__ import annotations

import pytest
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticCustomError

from cjsm_connect.organisation.values import Endpoint, Url, domain_name, email_address, fingerprint


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


HOSTILE_URLS = [
    'http://192.0.2.80:3128/";APT::Update::Pre-Invoke{"id";};//',
    "http://192.0.2.80:3128/;",
    "http://192.0.2.80:3128/{}",
    "http://192.0.2.80:3128/a\nb",
    "http://192.0.2.80:3128/\n",
    "http://192.0.2.80\n:3128",
    "http://192.0.2.80:3128/ a",
    "http://192.0.2.80:3128/a?b",
    "http://192.0.2.80:3128/a#b",
    "http://192.0.2.80:3128/%0a",
    "http://192.0.2.80:3128/\\",
    "http://192.0.2.80:3128/'",
    "http://192.0.2.80:0/",
    "http://192.0.2.80:65536/",
    "http://192.0.2.80:٣١٢٨/",
    "http://192.0.2.80:/",
    "http://192.0.2.800/",
    "http://[fe80::1%\nx]/",
    "http://[fe80::1%25eth0]/",
    "http://[192.0.2.1]/",
    "http://mirror..example/",
    "http://-mirror.example/",
    "http://mirror.example;/",
    "http://$(id).example/",
    "ftp://mirror.example/",
    "http:mirror.example",
    "http:///path",
    "http://",
    " http://mirror.example",
]


@pytest.mark.parametrize("written", HOSTILE_URLS)
def test_an_address_with_anything_that_a_configuration_could_read_is_refused(written: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Url).validate_python(written)


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("http://192.0.2.80:3128", "http://192.0.2.80:3128"),
        ("HTTP://Mirror.Example/Debian/", "http://mirror.example/Debian/"),
        ("https://[2001:DB8::1]:8443/a_b-c/~d+e", "https://[2001:db8::1]:8443/a_b-c/~d+e"),
        ("http://mirror/debian", "http://mirror/debian"),
    ],
)
def test_an_address_is_kept_with_scheme_and_host_in_lower_case(written: str, kept: str) -> None:
    assert TypeAdapter(Url).validate_python(written) == kept


@pytest.mark.parametrize("port", ["٦٥١٤", "²", "0", "+1", " 6514", "6514\n", "65536", "", "６５１４"])
@pytest.mark.parametrize("host", ["syslog.example", "192.0.2.1", "[2001:db8::1]"])
def test_an_endpoint_has_a_port_of_plain_digits(host: str, port: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Endpoint).validate_python(f"{host}:{port}")


@pytest.mark.parametrize(
    "host", ['syslog"x.example', "[[::1]]", "[192.0.2.1", "sys\nlog.example", 'syslog.example" a="b', ""]
)
def test_an_endpoint_has_a_host_of_plain_letters(host: str) -> None:
    with pytest.raises(ValidationError):
        TypeAdapter(Endpoint).validate_python(f"{host}:6514")


@pytest.mark.parametrize(
    ("written", "kept"),
    [
        ("SYSLOG.example.:6514", "syslog.example:6514"),
        ("[2001:db8::1]:6514", "[2001:db8::1]:6514"),
        ("2001:db8::1:6514", "[2001:db8::1]:6514"),
        ("192.0.2.1:6514", "192.0.2.1:6514"),
    ],
)
def test_an_endpoint_is_kept_so_that_its_port_can_be_told(written: str, kept: str) -> None:
    assert TypeAdapter(Endpoint).validate_python(written) == kept
